package backend

import "context"

// Backend is a store. All methods are safe for concurrent use, and return ErrClosed after Close. No method reads a clock.
//
// If ctx is done before a call, the call returns ctx's error and sends nothing. If ctx ends during a call, the call returns
// promptly: with ctx's error, and with [ErrOutcomeUnknown] as well if a write may have been applied.
//
// Slices and records that are passed to a method belong to the caller. The store fills those called out, changes nothing
// else but the Memo of writes, and keeps none of them after the method has returned.
type Backend interface {
	// Read fills out[i] with the record of keys[i]; both slices have the same length. The caller has called Reset on each
	// out[i] with the layout of its key. A key without a record leaves out[i] not present, which is no error. There may be
	// any number of keys, and the same key may occur twice.
	//
	// Reads are consistent: they see every write that was acknowledged before the call, through whatever handle. The
	// records of one call may be of different moments.
	//
	// If some records cannot be read, the error is an *UnreadableError that names them, and all others are in out. After
	// any other error, the contents of out mean nothing.
	Read(ctx context.Context, keys []Key, out []Record) error

	// Apply checks each write by itself and applies it if its conditions hold. It fills out[i] with the outcome of
	// writes[i]; both slices have the same length. The order of the writes among themselves is open, and one that fails
	// stops no other.
	//
	// out[i].Err is nil if the conditions were checked. Then out[i].Applied tells whether they held, and out[i].Record is
	// the record after the write, or the record that its conditions were checked on. If they were not checked, or it is
	// not known whether they were, out[i].Err says why: ErrUnavailable, ErrContention and ErrThrottled mean that the write was certainly
	// not applied, ErrOutcomeUnknown that it may have been.
	//
	// Apply returns nil if every out[i].Err is nil, or else the first of them. An error of the whole call is in every
	// out[i]. Invalid writes are refused before any write of the call is sent.
	Apply(ctx context.Context, writes []Write, out []Outcome) error

	// Commit applies all writes in one step, or none of them if a condition of one does not hold: then the error is a
	// *ConflictError. There are at most [MaxCommit] writes, each on another key.
	//
	// A store that remembers tokens, as DynamoDB does for ten minutes, applies commits of one token only once, so that a
	// caller may send a commit again after ErrOutcomeUnknown. Other stores ignore the token: a caller must be able to tell
	// from the records whether the commit was applied. Every commit needs a token of its own.
	Commit(ctx context.Context, token [16]byte, writes []Write) error

	// List returns keys of one partition in the order of bytes, up to Query.Size of them. A partition without records has
	// no keys. A primary listing is as fresh as Read. An index listing may lag behind writes, never lists a key that was
	// not there, and catches up. Expired records may be listed; keys of other namespaces never are.
	List(ctx context.Context, q Query) (Keys, error)

	// Capabilities returns what the store is and can do besides these methods. It does no I/O, returns the same value
	// each time, and works after Close, too.
	Capabilities() Capabilities

	// Close ends the store's work and frees what it holds. Calls that are under way return: with their result, with
	// ErrClosed or ErrUnavailable if they were certainly not carried out, or with ErrOutcomeUnknown. A second Close
	// returns nil.
	Close() error
}

// MaxPage is the largest Query.Size.
const MaxPage = 1000

// Query selects a part of one partition.
type Query struct {
	Namespace string
	Partition string
	Index     bool   // true: the index partition, ordered by Place.Sort; false: the primary one, ordered by Key.Sort
	From, To  string // bounds of the sort: From ≤ sort < To; "" is no bound
	Reverse   bool   // greatest first
	After     *Item  // the listing continues behind this item, which need not exist any more; nil: it begins
	Size      int    // at most this many keys, 1 to MaxPage
}

// Item is a key in a listing.
type Item struct {
	Key  Key
	Sort string // by which the listing is ordered: Key.Sort, or Place.Sort in an index listing
}

// Keys is one page of a listing.
type Keys struct {
	Items []Item
	More  bool // whether more items follow; it may be wrong only while an index lags

	// Foreign counts entries that were left out because their keys are in another namespace. No store writes such an
	// entry, but others may, if the index is open to other writers.
	Foreign int

	// Rest is the item behind which the listing continues (Query.After) if the store stopped before the page was full,
	// because it had left out many entries. Then More is true, and the page may be empty. If Rest is nil, the listing
	// continues behind the last of Items.
	Rest *Item
}

// Validate returns an error that is ErrInvalid or ErrTooLarge if the query is not legal.
func (q *Query) Validate() error {
	if q.Size < 1 || q.Size > MaxPage {
		return invalid("Query.Size is %d: use 1 to %d", q.Size, MaxPage)
	}
	if q.From != "" && q.To != "" && q.To < q.From {
		return invalid("Query.To %q is before Query.From %q: swap them, and use Reverse for the other direction", q.To, q.From)
	}
	for _, bound := range []string{q.From, q.To} {
		if bound != "" {
			if err := (Key{q.Namespace, q.Partition, bound}).Validate(); err != nil {
				return err
			}
		}
	}
	return Key{q.Namespace, q.Partition, "-"}.Validate()
}
