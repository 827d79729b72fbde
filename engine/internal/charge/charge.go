package charge

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Attempt is what the charges of one acquire have in common. It must not be copied.
type Attempt struct {
	charger *Charger // does not change

	Now             int64            // ns since the Unix epoch
	Consume         map[string]int64 // tokens by limit
	Limits          []bucket.Limit   // that the request brings; they count where nothing is stored
	Override        []bucket.Limit   // beats what is stored
	Pinned          *limitset.Set    // limits that an earlier acquire has brought, used instead of Limits and Override; nil: none
	PinnedOverrides bool             // Pinned beats what is stored
	Within          bool             // by Lease.Consume: it does not count as a new acquire
	Inspects        bool             // only asks what is there: Consume may be empty
	Admitted        bool             // its decision: all charges are applied, or nothing was asked for

	budget    context.Context // of all that it does with the store, nil: not made yet
	cancel    context.CancelFunc
	abandoned atomic.Bool // a store call still has buffers of the charges
}

// Charge is one bucket's part in an acquire: after Begin, Prepare finds which limits count, Charger.Charge charges the bucket, and Result
// says how that ended.
type Charge struct {
	attempt *Attempt // does not change
	progress
	// Pointers are written only where they change, because the collector may be told of each.
	State    *State
	Config   *Config
	Required *limitset.Set // what this writer requires of the bucket
	Stored   *limitset.Set // what is stored, the same as required but for requests with limits of their own
	Assumed  *limitset.Set // what it assumes the record's L to be; has every required limit

	Need     [schema.MaxLimits]int64       // tokens, by position in Assumed
	costs    [schema.MaxLimits]backend.Num // of need, in units
	ys       [schema.MaxLimits]backend.Num // now in units
	most     [schema.MaxLimits]backend.Num // the greatest arrival time that admits need: y + C·p − cost
	used     [schema.MaxLimits]int64       // of a settlement: what the counters of usage grow by
	Asks     uint16                        // by position: need is above zero
	Illegal  bool                          // some amount is out of range
	Beyond   bool                          // some amount is above a capacity
	Arrivals limitset.Arrivals             // seen last, by position in Assumed
	Born     backend.Num                   // of the life of the record that was charged, if Arrivals are known without the record

	noRegimes bool // a guess needs no regimes

	met     *meeting // the charge's place at a desk; nil: it has been at none yet
	place   backend.Place
	writes  [1]backend.Write
	outs    [1]backend.Outcome
	conds   []backend.Cond
	effects []backend.Effect
	form    form // of conds and effects, if they are those of a guess; else zero
}

// progress is what is known of a charge so far. It starts from zero with each acquire.
type progress struct {
	Root    bool        // of the entity that the request names
	Now     int64       // ns since the Unix epoch
	Nonce   backend.Num // shared by all tries, so that a try which was applied and not heard of is recognised; 0: none
	Acquire bool        // counts as an acquire
	epoch   uint32      // the state's when the charge began

	mode         mode
	active       uint16 // by position in Assumed: the regime guessed is active
	Tries        int
	lost         int   // races lost in converting
	partial      bool  // some record met on the way lacked a limit that is needed
	onlyConverts bool  // the write being sent converts a bucket that does not admit the request
	Ahead        int64 // ns by which the record's writer was ahead of this clock, if that is much
	Creates      bool  // the next guess may find no record
	// writesPath says that the next guess must write the version of the entity's record, since the last seen record has
	// another one. The condition on that version is in every write.
	writesPath  bool
	outlived    int64       // a later version, of an entity that is no more, which a reservation may find in the record
	DenialKnown bool        // the last seen record has denied the request
	Unsure      bool        // the outcome of some try is unknown
	again       bool        // the outcome is unknown of a try that might be made again: the record may show that one
	recognized  bool        // a refusal has shown that an earlier try was applied
	reread      backend.Num // ver of the record after which the configuration was read
	Result      Result
	Pause       time.Duration // denied: for so long, whatever the record shows

	shared       *pocket.Write  // what callers share; nil: the charge is one caller's
	Reserved     *reserve.Write // what waiters reserve; nil: the charge takes tokens now
	alone        bool           // others of this process wait for its conversion
	Configured   *limitset.Set  // the limits of which those of a local bucket, which are required, are a share; nil: the charge is to the store
	FromLastSeen bool           // Arrivals are those of the last seen record, with no record in outs
}

// mode is how the next write is built.
type mode uint8

const (
	guessing   mode = iota // by buildGuess, for the regimes that are likely
	swapping               // by buildSwap: compare-and-set on the record seen
	converting             // by buildConversion: compare-and-set that also changes the limits
)

// Result is how a charge stands.
type Result uint8

// The results.
const (
	Pending Result = iota
	Applied        // the record after it is in outs
	Denied         // by the record in outs, or in the last seen record
)

// Join makes charges those of an attempt, before its first use.
func (k *Charger) Join(a *Attempt, charges []Charge) {
	a.charger = k
	for i := range charges {
		charges[i].attempt = a
	}
}

// Begin prepares the charge for the bucket of b. It keeps the buffers of the charge.
func (c *Charge) Begin(b *State, conf *Config, root bool) {
	k := c.attempt.charger
	if c.State != b {
		c.State = b
		w := &c.writes[0]
		w.Key, w.Layout, w.Memo = schema.BucketAt(k.Namespace, b.partition), schema.BucketLayout, nil
	}
	if c.Config != conf {
		c.Config = conf
	}
	c.progress = progress{}
	c.Root, c.Now, c.Acquire, c.epoch, c.writesPath, c.noRegimes = root, c.attempt.Now, !c.attempt.Within, b.epoch.Load(), true, k.NoRegimes
}

// Budget returns the context that bounds all that the attempt does with the store. The first call makes it, because an acquire from
// the pocket needs none, nor does one of a known bucket on a store without I/O.
func (a *Attempt) Budget(ctx context.Context) context.Context {
	if a.budget == nil {
		a.budget, a.cancel = a.charger.Store.Budget(ctx)
	}
	return a.budget
}

// End ends the attempt. It reports whether its charges may be used again, which is not so while the store has buffers of them.
func (a *Attempt) End() (free bool) {
	if a.cancel != nil {
		a.cancel()
		a.budget, a.cancel = nil, nil
	}
	if a.abandoned.Load() {
		return false
	}
	a.Within, a.Inspects, a.Admitted, a.Pinned = false, false, false, nil // the rest stays until the next acquire
	return true
}

// IsAbandoned reports whether a store call still has buffers of the attempt's charges: nothing of them may be touched.
func (a *Attempt) IsAbandoned() bool { return a.abandoned.Load() }

// IsAbandoned reports whether a store call still has buffers of the charge, or of another one of its attempt.
func (c *Charge) IsAbandoned() bool { return c.attempt.IsAbandoned() }

// Prepare sets which limits the charge requires of its bucket, by the configuration, and how the first write is built, by
// the last seen record. If c.Required is nil afterwards, the entity has no limits and is not charged. It returns how many
// names of the request are required limits.
func (k *Charger) Prepare(c *Charge) (named int, err error) {
	if err := k.Require(c); err != nil || c.Required == nil {
		return 0, err
	}
	seen, set := c.recall(), c.Required
	if seen.set != set && seen.set != nil && seen.set.Fits(c.Required, c.Stored) {
		set = seen.set
	}
	named = c.assume(set, c.attempt.Consume)
	c.FromLastSeen = set == seen.set
	if c.FromLastSeen && !seen.pocket && k.fresh(seen.at, c.Now) && !c.admits() {
		c.DenialKnown = true
		return named, nil
	}
	c.Creates = !c.FromLastSeen || seen.gone
	c.writesPath = c.Creates || seen.path != c.Config.version
	if !c.Creates && !c.noRegimes {
		c.guessRegimes(seen.shared, seen.likely)
	}
	return named, nil
}

// Require sets which limits count: those that are stored, or those of the request or lease. The latter do not count for
// parents.
func (k *Charger) Require(c *Charge) (err error) {
	a, required := c.attempt, c.Config.Stored
	switch {
	case !c.Root:
	case a.Pinned != nil:
		if a.PinnedOverrides || required == nil {
			required = a.Pinned
		}
	default:
		if len(a.Limits) > 0 { // they are checked even if others count
			brought, err := k.limitsOfRequest(c.State, "Limits", a.Limits)
			if err != nil {
				return err
			}
			if required == nil {
				required = brought
			}
		}
		if len(a.Override) > 0 {
			if required, err = k.limitsOfRequest(c.State, "Override", a.Override); err != nil {
				return err
			}
		}
	}
	if c.Stored != c.Config.Stored {
		c.Stored = c.Config.Stored
	}
	if c.Required != required {
		c.Required = required
	}
	return nil
}

// limitsOfRequest is the limit set of a request's limits, which it checks. Most callers bring the same ones each time.
func (k *Charger) limitsOfRequest(b *State, field string, limits []bucket.Limit) (*limitset.Set, error) {
	if s := b.brought.Load(); s.Brings(limits) {
		return s, nil
	}
	if err := k.CheckLimits(field, limits); err != nil {
		return nil, err
	}
	s := k.LimitSets.Share(limitset.Of(limits, true))
	b.brought.Store(s)
	k.reportLarge(b, s)
	return s, nil
}

// assume assumes that the record has the limits of set, and distributes the request over them. It returns how many names
// of the request are required limits in set.
func (c *Charge) assume(set *limitset.Set, consume map[string]int64) (named int) {
	c.Asks, c.Beyond, c.Illegal = 0, false, false
	if c.Assumed != set {
		c.Assumed = set
	}
	for i := range set.Rates {
		rate, name := &set.Rates[i], set.Terms[i].Name
		n, asked := consume[name]
		if asked && set != c.Required && c.Required.Index(name) < 0 {
			n, asked = 0, false
		}
		if asked {
			named++
		}
		cost, y := rate.Cost(n), rate.Y(c.Now)
		c.Need[i], c.costs[i], c.ys[i], c.most[i] = n, cost, y, rate.Ceiling(y).Sub(cost)
		switch {
		case n == 0:
		case n < 0:
			c.Illegal = true
		default:
			c.Asks |= 1 << i
			c.Beyond = c.Beyond || n > rate.Capacity()
			c.Illegal = c.Illegal || n > bucket.MaxAmount
		}
	}
	return named
}

// servesSeveral reports whether the charge is one of several callers: who decides for them also decides what comes after a failure.
func (c *Charge) servesSeveral() bool { return c.shared != nil || c.Reserved != nil }

// Record is the one that the last try has shown.
func (c *Charge) Record() *backend.Record { return &c.outs[0].Record }

// admits judges the request by what the charge has seen.
func (c *Charge) admits() bool {
	for i := range c.Assumed.Rates {
		if c.most[i].Less(c.Assumed.Rates[i].Base(c.Arrivals[i], c.ys[i])) {
			return false
		}
	}
	return true
}

// observe makes the record in outs what the charge has seen. The record must have the limits of c.Assumed.
func (c *Charge) observe() {
	c.Arrivals.Read(c.Record(), len(c.Assumed.Rates))
	c.FromLastSeen = false
}
