package backend

import "context"

// Backend is a store. Every method is safe for concurrent use, and answers ErrClosed once Close was called. No method
// reads a clock. With ctx done before the call nothing is sent and ctx's error comes back; with ctx done in flight a
// call returns promptly, with an error that is [ErrOutcomeUnknown] where a write may have been applied, and ctx's own
// as well. Slices and records belong to the caller: a store fills what it is given and keeps nothing after it returned.
type Backend interface {
	// Read fills out[i] with the record of keys[i]. Each out[i] must have been Reset to the layout of its key; a key
	// without a record leaves it not present: absence is a state, no error. Reads are consistent: they see every
	// write that was acknowledged before the call, through whatever handle. The records of one call need not be of
	// one moment. Any number of keys; the same key may come twice. Where only some records cannot be read, the error is
	// an *UnreadableError that names them, and out has all others. After any other error nothing in out means anything.
	Read(ctx context.Context, keys []Key, out []Record) error

	// Apply judges each write on its own and fills out[i], which must be as long as writes; their order among
	// themselves is open. A write that was judged has out[i].Err nil: Applied, with the record as it is now, or not,
	// with the record as it stood. A write that was not judged has its error there (ErrUnavailable, ErrContention:
	// certainly not applied; ErrOutcomeUnknown: perhaps). Apply returns the first such error, or one that befell the
	// whole call, which then stands in every out[i] too. Invalid writes are refused before any of the call is sent.
	// The store may change Memo in writes. Layouts of out's records are set by the store.
	Apply(ctx context.Context, writes []Write, out []Outcome) error

	// Commit makes all writes or none, at one moment. Where a condition does not hold the error is a
	// *ConflictError. The token makes sending a commit again after ErrOutcomeUnknown harmless on stores that
	// remember tokens (DynamoDB, for ten minutes); others do not, and the caller must be able to tell from the
	// records whether it had been made. A token must be fresh for every different commit.
	Commit(ctx context.Context, token [16]byte, writes []Write) error

	// List gives the keys of one partition in byte order, a page of up to Query.Size of them; an empty partition
	// gives none. A primary listing is as fresh as Read. An index listing may lag behind writes, never invents a
	// key that was not there, and catches up. Expired records may be among them; keys of other namespaces never are.
	List(ctx context.Context, q Query) (Keys, error)

	// Capabilities returns what the store is and can do besides these methods. It does no I/O, returns the same value
	// each time, and works after Close, too.
	Capabilities() Capabilities

	// Close ends the store's work and frees what it holds; a second call does nothing and returns nil.
	Close() error
}

// Query asks for a part of one partition.
type Query struct {
	Namespace string
	Partition string
	Index     bool   // of the index, ordered by the places' sort; else primary, ordered by the keys' sort
	From, To  string // bounds of the sort: From ≤ sort < To; "" is open
	Reverse   bool   // greatest first
	After     *Item  // goes on behind this one (it need not exist any more), in the order of the listing
	Size      int    // at most this many keys, 1 to MaxPage
}

// MaxPage is the most keys one listing call gives.
const MaxPage = 1000

// Item is a key in a listing.
type Item struct {
	Key  Key
	Sort string // by which the listing is ordered: the key's own, or its place's
}

// Keys is one page. More tells whether anything follows it; it may be wrong only where an index lags.
type Keys struct {
	Items []Item
	More  bool

	// Foreign is how many entries were left out because their keys are in another namespace than the listing's. No store
	// writes such an entry; somebody else can, where the index is open to other writers.
	Foreign int
	// Rest is where to go on (Query.After) if the store stopped before the page was full, since it had left out many
	// entries: then More is true, and the page may be empty. nil: go on behind the last of Items.
	Rest *Item
}

// Validate reports whether every store accepts the query.
func (q *Query) Validate() error {
	if q.Size < 1 || q.Size > MaxPage {
		return invalid("a page of %d keys, 1 to %d", q.Size, MaxPage)
	}
	if q.From != "" && q.To != "" && q.To < q.From {
		return invalid("a listing from %q to %q is reversed", q.From, q.To)
	}
	return Key{q.Namespace, q.Partition, "-"}.Validate()
}
