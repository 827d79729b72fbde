package engine

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

// common is what the charges of one acquire have in common. It must not be copied.
type common struct {
	namespace string        // the charger's
	hold      time.Duration // the charger's MaxHold

	now             int64
	consume         map[string]int64 // tokens by limit
	limits          []bucket.Limit   // that the request brings; they count where nothing is stored
	override        []bucket.Limit   // beats what is stored
	pinned          *limitset.Set    // the limits that the lease's acquire brought, nil: none
	pinnedOverrides bool             // pinned beats what is stored
	within          bool             // by Lease.Consume: it does not count as a new acquire
	inspects        bool             // asks for no tokens: consume may be empty
	admitted        bool             // all charges are applied, or nothing was asked for

	budget    context.Context // of all that it does with the store, nil: not made yet
	cancel    context.CancelFunc
	abandoned atomic.Bool // a store call still has buffers of the charges
}

// bucketCharge is one bucket's part in an acquire.
type bucketCharge struct {
	of *common // does not change
	progress
	// Pointers are written only where they change, because the collector may be told of each.
	state    *bucketState
	conf     *config
	required *limitset.Set // what this writer requires of the bucket
	stored   *limitset.Set // what is stored, the same as required but for requests with limits of their own
	assumed  *limitset.Set // what it assumes the record's L to be; has every required limit

	need    [schema.MaxLimits]int64       // tokens, by position in assumed
	costs   [schema.MaxLimits]backend.Num // of need, in units
	ys      [schema.MaxLimits]backend.Num // now in units
	most    [schema.MaxLimits]backend.Num // the greatest arrival time that admits need: y + C·p − cost
	used    [schema.MaxLimits]int64       // of a settlement: what the counters of usage grow by
	asks    uint16                        // by position: need is above zero
	illegal bool                          // some amount is out of range
	beyond  bool                          // some amount is above a capacity
	tats    limitset.Arrivals             // seen last, by position in assumed
	born    backend.Num                   // of the life of the record that was charged, where tats are known without the record

	noRegimes bool // a guess needs no regimes

	met     *meeting // the charge's place at a desk; nil: it has been at none yet
	place   backend.Place
	writes  [1]backend.Write
	outs    [1]backend.Outcome
	conds   []backend.Cond
	effects []backend.Effect
	form    form // of conds and effects, where they are those of a guess
}

// progress is what is known of a charge so far. It starts from zero with each acquire.
type progress struct {
	root    bool // of the entity that the request names
	now     int64
	nonce   backend.Num // shared by all tries, so that a try which was applied and not heard of is recognised; 0: none
	acquire bool        // counts as an acquire
	epoch   uint32      // the state's when the charge began

	mode         mode
	active       uint16 // by position in assumed: the regime guessed is active
	tries        int
	lost         int   // races lost in converting
	partial      bool  // some record met on the way lacked a limit that is needed
	onlyConverts bool  // the write being sent converts a bucket that does not admit the request
	ahead        int64 // ns by which the record's writer was ahead of this clock, where that is much
	creates      bool  // the next guess may find no record
	// writesPath says that the next guess must write the version of the entity's record, since the last seen record has
	// another one. The condition on that version is in every write.
	writesPath  bool
	denialKnown bool        // the last seen record has denied the request
	unsure      bool        // the outcome of some try is unknown
	recognized  bool        // a refusal has shown that an earlier try was applied
	reread      backend.Num // ver of the record after which the configuration was read
	result      result
	pause       time.Duration // denied: for so long, whatever the record shows

	shared       *pocket.Write  // what callers share; nil: the charge is one caller's
	reserved     *reserve.Write // what waiters reserve; nil: the charge takes tokens now
	alone        bool           // others of this process wait for its conversion
	configured   *limitset.Set  // the limits of which those of a local bucket, which are required, are a share; nil: the charge is to the store
	fromLastSeen bool           // tats are those of the last seen record, with no record in outs
}

// mode is how the next write is built.
type mode uint8

const (
	guessing   mode = iota // by buildGuess, for the regimes that are likely
	swapping               // by buildSwap: compare-and-set on the record seen
	converting             // by buildConversion: compare-and-set that also changes the limits
)

// result is how a charge stands.
type result uint8

const (
	pending result = iota
	applied        // the record after it is in outs
	denied         // by the record in outs, or in the last seen record
)

// join makes charges those of an attempt, before its first use.
func (k *charger) join(a *common, charges []bucketCharge) {
	a.namespace, a.hold = k.Namespace, k.MaxHold
	for i := range charges {
		charges[i].of = a
	}
}

// begin prepares the charge for the bucket of b. It keeps the buffers of the charge.
func (c *bucketCharge) begin(b *bucketState, conf *config, root, noRegimes bool) {
	if c.state != b {
		c.state = b
		w := &c.writes[0]
		w.Key, w.Layout, w.Memo = schema.BucketAt(c.of.namespace, b.partition), schema.BucketLayout, nil
	}
	if c.conf != conf {
		c.conf = conf
	}
	c.progress = progress{}
	c.root, c.now, c.acquire, c.epoch, c.writesPath, c.noRegimes = root, c.of.now, !c.of.within, b.epoch.Load(), true, noRegimes
}

// budget bounds all that an attempt does with the store. It is made when it is needed first: an acquire from the pocket needs
// none, nor does one of a known bucket on a store without I/O.
func (k *charger) budget(ctx context.Context, a *common) context.Context {
	if a.budget == nil {
		a.budget, a.cancel = k.Store.Budget(ctx)
	}
	return a.budget
}

// end ends the attempt. It reports whether its charges may be used again, which is not so while the store has buffers of them.
func (a *common) end() (free bool) {
	if a.cancel != nil {
		a.cancel()
		a.budget, a.cancel = nil, nil
	}
	if a.abandoned.Load() {
		return false
	}
	a.within, a.inspects, a.admitted, a.pinned = false, false, false, nil // the rest stays until the next acquire
	return true
}

// isAbandoned reports whether a store call still has buffers of the attempt's charges: nothing of them may be touched.
func (a *common) isAbandoned() bool { return a.abandoned.Load() }

// isAbandoned reports whether a store call still has buffers of the charge, or of another one of its attempt.
func (c *bucketCharge) isAbandoned() bool { return c.of.isAbandoned() }

// prepare sets which limits the charge requires of its bucket, by the configuration, and how the first write is built, by
// the last seen record. If c.required is nil afterwards, the entity has no limits and is not charged. It returns how many
// names of the request are required limits.
func (k *charger) prepare(c *bucketCharge) (named int, err error) {
	if err := k.require(c); err != nil || c.required == nil {
		return 0, err
	}
	seen, set := c.recall(), c.required
	if seen.set != set && seen.set != nil && seen.set.Fits(c.required, c.stored) {
		set = seen.set
	}
	named = c.assume(set, c.of.consume)
	c.fromLastSeen = set == seen.set
	if c.fromLastSeen && !seen.pocket && k.fresh(seen.at, c.now) && !c.admits() {
		c.denialKnown = true
		return named, nil
	}
	c.creates = !c.fromLastSeen || seen.gone
	c.writesPath = c.creates || seen.path != c.conf.version
	if !c.creates && !c.noRegimes {
		c.guessRegimes(seen.shared, seen.likely)
	}
	return named, nil
}

// require sets which limits count: those that are stored, or those of the request or lease. The latter do not count for
// parents.
func (k *charger) require(c *bucketCharge) (err error) {
	a, required := c.of, c.conf.stored
	switch {
	case !c.root:
	case a.pinned != nil:
		if a.pinnedOverrides || required == nil {
			required = a.pinned
		}
	default:
		if len(a.limits) > 0 { // they are checked even if others count
			brought, err := k.limitsOfRequest(c.state, "Limits", a.limits)
			if err != nil {
				return err
			}
			if required == nil {
				required = brought
			}
		}
		if len(a.override) > 0 {
			if required, err = k.limitsOfRequest(c.state, "Override", a.override); err != nil {
				return err
			}
		}
	}
	if c.stored != c.conf.stored {
		c.stored = c.conf.stored
	}
	if c.required != required {
		c.required = required
	}
	return nil
}

// limitsOfRequest is the limit set of a request's limits, which it checks. Most callers bring the same ones each time.
func (k *charger) limitsOfRequest(b *bucketState, field string, limits []bucket.Limit) (*limitset.Set, error) {
	if s := b.brought.Load(); s.Brings(limits) {
		return s, nil
	}
	if err := k.CheckLimits(field, limits); err != nil {
		return nil, err
	}
	s := k.limitSets.Share(limitset.Of(limits, true))
	b.brought.Store(s)
	k.reportLarge(b, s)
	return s, nil
}

// assume assumes that the record has the limits of set, and distributes the request over them. It returns how many names
// of the request are required limits in set.
func (c *bucketCharge) assume(set *limitset.Set, consume map[string]int64) (named int) {
	if c.asks, c.beyond, c.illegal = 0, false, false; c.assumed != set {
		c.assumed = set
	}
	for i := range set.Rates {
		rate, name := &set.Rates[i], set.Terms[i].Name
		n, asked := consume[name]
		if asked && set != c.required && c.required.Index(name) < 0 {
			n, asked = 0, false
		}
		if asked {
			named++
		}
		cost, y := rate.Cost(n), rate.Y(c.now)
		c.need[i], c.costs[i], c.ys[i], c.most[i] = n, cost, y, rate.Ceiling(y).Sub(cost)
		switch {
		case n == 0:
		case n < 0:
			c.illegal = true
		default:
			c.asks |= 1 << i
			c.beyond = c.beyond || n > rate.Capacity()
			c.illegal = c.illegal || n > bucket.MaxAmount
		}
	}
	return named
}

// record is the one that the last try has shown.
func (c *bucketCharge) record() *backend.Record { return &c.outs[0].Record }

// admits judges the request by what the charge has seen.
func (c *bucketCharge) admits() bool {
	for i := range c.assumed.Rates {
		if c.most[i].Less(c.assumed.Rates[i].Base(c.tats[i], c.ys[i])) {
			return false
		}
	}
	return true
}

// observe makes the record in outs what the charge has seen. The record must have the limits of c.assumed.
func (c *bucketCharge) observe() {
	c.tats.Read(c.record(), len(c.assumed.Rates))
	c.fromLastSeen = false
}
