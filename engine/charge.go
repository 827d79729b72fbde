package engine

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

const mostPath = changes.MostPath // entities on a path

// attempt is one acquire: what was asked for, and a charge for each bucket on the path. Attempts are pooled; one whose store call
// was abandoned is not used again.
type attempt struct {
	namespace   string // the limiter's
	req         Request
	now         int64
	charges     [mostPath]bucketCharge
	n           int             // of charges in use, the entity's first
	takes       bool            // some charge takes tokens
	beyond      bool            // some charge is above a capacity
	denialKnown bool            // some charge is denied by the last seen record
	inspects    bool            // asks for no tokens: Consume may be empty
	admitted    bool            // all charges are applied, or nothing was asked for
	within      bool            // by Lease.Consume: it does not count as a new acquire
	local       bool            // decided by local buckets, without the store
	policies    Policy          // the last one that a request may name
	pinned      *limitset.Set   // the limits that the lease's acquire brought, nil: none
	overrides   bool            // pinned beats what is stored
	budget      context.Context // of all that it does with the store, nil: not made yet
	cancel      context.CancelFunc
	abandoned   atomic.Bool     // a store call still has buffers of the charges
	root        *bucketState    // of the bucket that the request names
	unknown     []unknownCharge // of attempts within a lease that were not admitted
	writes      int             // not yet counted by the sweeper
}

// bucketCharge is one bucket's part in an acquire.
type bucketCharge struct {
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

	hold      time.Duration // Options.MaxHold of the limiter
	noRegimes bool          // a guess needs no regimes

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

func newAttempt(opts *Options) *attempt {
	a := &attempt{namespace: opts.Namespace, writes: rand.IntN(sweepBatch), policies: opts.policies()}
	for i := range a.charges {
		a.charges[i].hold = opts.MaxHold
	}
	return a
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

// addCharge returns the first charge that is not in use, prepared for the bucket of b. It keeps the buffers of the charge.
// The caller increments a.n if the charge counts.
func (a *attempt) addCharge(b *bucketState, conf *config, root, noRegimes bool) *bucketCharge {
	c := &a.charges[a.n]
	if c.state != b {
		c.state = b
		w := &c.writes[0]
		w.Key, w.Layout, w.Memo = schema.BucketAt(a.namespace, b.partition), schema.BucketLayout, nil
	}
	if c.conf != conf {
		c.conf = conf
	}
	c.progress = progress{}
	c.root, c.now, c.acquire, c.epoch, c.writesPath, c.noRegimes = root, a.now, !a.within, b.epoch.Load(), true, noRegimes
	return c
}

// budget bounds all that an attempt does with the store. It is made when it is needed first: an acquire from the pocket needs
// none, nor does one of a known bucket on a store without I/O.
func (l *Limiter) budget(ctx context.Context, a *attempt) context.Context {
	if a.budget == nil {
		a.budget, a.cancel = l.store.Budget(ctx)
	}
	return a.budget
}

// release gives the attempt back to the pool.
func (l *Limiter) release(a *attempt) {
	if a.cancel != nil {
		a.cancel()
		a.budget, a.cancel = nil, nil
	}
	if a.abandoned.Load() {
		return
	}
	a.within, a.inspects, a.admitted, a.local = false, false, false, false
	a.pinned, a.unknown = nil, nil // the request stays, until the next one or until the pool drops the attempt
	l.attempts.Put(a)
}

// prepare sets which limits the charge requires of its bucket, by the configuration, and how the first write is built, by
// the last seen record. If c.required is nil afterwards, the entity has no limits and is not charged. It returns how many
// names of the request are required limits.
func (l *Limiter) prepare(a *attempt, c *bucketCharge) (named int, err error) {
	if err := l.require(a, c); err != nil || c.required == nil {
		return 0, err
	}
	seen, set := c.recall(), c.required
	if seen.set != set && seen.set != nil && seen.set.Fits(c.required, c.stored) {
		set = seen.set
	}
	named = c.assume(set, a.req.Consume)
	c.fromLastSeen = set == seen.set
	if c.fromLastSeen && !seen.pocket && l.fresh(seen.at, c.now) && !c.admits() {
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
func (l *Limiter) require(a *attempt, c *bucketCharge) (err error) {
	r, required := &a.req, c.conf.stored
	switch {
	case !c.root:
	case a.pinned != nil:
		if a.overrides || required == nil {
			required = a.pinned
		}
	default:
		if len(r.Limits) > 0 { // they are checked even if others count
			brought, err := l.limitsOfRequest(c.state, "Limits", r.Limits)
			if err != nil {
				return err
			}
			if required == nil {
				required = brought
			}
		}
		if len(r.Override) > 0 {
			if required, err = l.limitsOfRequest(c.state, "Override", r.Override); err != nil {
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
func (l *Limiter) limitsOfRequest(b *bucketState, field string, limits []Limit) (*limitset.Set, error) {
	if s := b.brought.Load(); s.Brings(limits) {
		return s, nil
	}
	if err := checkGiven(field, limits); err != nil {
		return nil, err
	}
	s := l.limitSets.Share(limitset.Of(limits, true))
	b.brought.Store(s)
	l.reportLarge(b, s)
	return s, nil
}

// assume assumes that the record has the limits of set, and distributes the request over them. It returns how many names
// of the request are required limits in set.
func (c *bucketCharge) assume(set *limitset.Set, consume Tokens) (named int) {
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
