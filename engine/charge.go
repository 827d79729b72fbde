package engine

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// mostPath is how many entities a path may have, the first included.
const mostPath = 8

// attempt is one acquire: what was asked for, and a charge for each bucket on the path. Attempts are pooled; one whose store call
// was abandoned is not used again.
type attempt struct {
	namespace string // the limiter's
	req       Request
	now       int64
	charges   [mostPath]bucketCharge
	n         int             // of charges in use, the entity's first
	takes     bool            // some charge takes tokens
	beyond    bool            // some charge is above a capacity
	known     bool            // some charge is denied by the last seen record
	inspects  bool            // asks for no tokens: Consume may be empty
	admitted  bool            // all charges are applied, or nothing was asked for
	within    bool            // by Lease.Consume: it does not count as a new acquire
	pinned    *limitSet       // the limits that the lease's acquire brought, nil: none
	overrides bool            // pinned beats what is stored
	abandoned atomic.Bool     // a store call still has buffers of the charges
	root      *bucketState    // of the bucket that the request names
	unknown   []unknownCharge // of attempts within a lease that were not admitted
	writes    int             // not yet counted by the sweeper
}

// bucketCharge is one bucket's part in an acquire.
type bucketCharge struct {
	h *bucketState
	progress

	assumed *limitSet                     // what it assumes the record's L to be; has every required limit
	need    [schema.MaxLimits]int64       // tokens, by position in assumed
	costs   [schema.MaxLimits]backend.Num // of need, in units
	ys      [schema.MaxLimits]backend.Num // now in units
	asks    uint16                        // by position: need is above zero
	illegal bool                          // some amount is out of range
	beyond  bool                          // some amount is above a capacity
	tats    arrivals                      // seen last, by position in assumed

	hold      time.Duration // Options.MaxHold of the limiter
	noRegimes bool          // a guess needs no regimes

	place   backend.Place
	writes  [1]backend.Write
	outs    [1]backend.Outcome
	conds   []backend.Cond
	effects []backend.Effect
	form    form // of conds and effects, where they are those of a guess
}

// progress is what is known of a charge so far. It is cleared when an acquire begins.
type progress struct {
	root     bool // of the entity that the request names
	conf     *config
	required *limitSet // what this writer requires of the bucket
	stored   *limitSet // what is stored, the same as required but for requests with limits of their own
	now      int64
	nonce    backend.Num // shared by all tries, so that a try which was applied and not heard of is recognised; 0: none
	acquire  bool        // counts as an acquire
	epoch    uint32      // the state's when the charge began

	mode    mode
	active  uint16 // by position in assumed: the regime guessed is active
	tries   int
	lost    int   // races lost in converting
	partial bool  // some record met on the way lacked a limit that is needed
	denies  bool  // the write being sent converts a bucket that does not admit the request
	ahead   int64 // ns by which the record's writer was ahead of this clock, where that is much
	creates bool  // the next guess may find no record
	// path says that the next guess must write the version of the entity's record, since the last seen record has another
	// one. The condition on that version is in every write.
	path   bool
	known  bool        // the last seen record has denied the request
	unsure bool        // the outcome of some try is unknown
	reread backend.Num // ver of the record after which the configuration was read
	result result
	alone  bool // others of this process wait for its conversion

	fromLastSeen bool // tats are those of the last seen record, with no record in outs
}

func newAttempt(opts *Options) *attempt {
	o := &attempt{namespace: opts.Namespace, writes: rand.IntN(sweepBatch)}
	for i := range o.charges {
		o.charges[i].hold = opts.MaxHold
	}
	return o
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

// addCharge returns the first charge that is not in use, prepared for the bucket of h. It keeps the buffers of the charge.
// The caller increments o.n if the charge counts.
func (o *attempt) addCharge(h *bucketState, conf *config, root, noRegimes bool) *bucketCharge {
	c := &o.charges[o.n]
	if c.h != h {
		c.h = h
		w := &c.writes[0]
		w.Key, w.Layout, w.Memo = schema.BucketAt(o.namespace, h.partition), schema.BucketLayout, nil
	}
	c.progress = progress{root: root, conf: conf, now: o.now, acquire: !o.within, epoch: h.epoch.Load(), path: true}
	c.noRegimes = noRegimes
	return c
}

// release gives the attempt back to the pool.
func (l *Limiter) release(o *attempt) {
	if o.abandoned.Load() {
		return
	}
	o.within, o.inspects, o.admitted = false, false, false
	o.pinned, o.unknown, o.req = nil, nil, Request{}
	l.attempts.Put(o)
}

// prepare sets which limits the charge requires of its bucket, by the configuration, and how the first write is built, by
// the last seen record. If c.required is nil afterwards, the entity has no limits and is not charged. It returns how many
// names of the request are required limits.
func (l *Limiter) prepare(o *attempt, c *bucketCharge) (known int, err error) {
	c.stored, c.required = c.conf.stored, c.conf.stored
	if c.root {
		if err := l.require(o, c); err != nil {
			return 0, err
		}
	}
	if c.required == nil {
		return 0, nil
	}
	seen, mostlyActive := c.look()
	set := c.required
	if seen.set != set && seen.set != nil && seen.set.fits(c.required, c.stored) {
		set = seen.set
	}
	known = c.assume(set, o.req.Consume)
	c.fromLastSeen = seen.set == set
	if c.fromLastSeen && l.fresh(seen.at, c.now) && !c.admits() {
		c.known = true
		return known, nil
	}
	c.creates = !c.fromLastSeen || store.Expired(seen.expiry, c.now)
	c.path = c.creates || seen.path != c.conf.version
	if !c.creates && !c.noRegimes {
		c.guessRegimes(seen.shared > 0, mostlyActive)
	}
	return known, nil
}

// look returns the last seen record, whose arrivals it makes those that the charge has seen.
func (c *bucketCharge) look() (seen lastSeen, mostlyActive uint16) {
	b := c.h
	b.lock.Lock()
	seen = b.seen
	if seen.set != nil {
		b.seen.read(&c.tats)
	}
	if seen.shared > 0 {
		mostlyActive = b.seen.mostlyActive()
	}
	c.writes[0].Memo = b.memo
	b.lock.Unlock()
	return seen, mostlyActive
}

// require is what the request's own entity must be held to. Limits of a request do not count for its parents.
func (l *Limiter) require(o *attempt, c *bucketCharge) (err error) {
	r := &o.req
	if o.pinned != nil {
		if o.overrides || c.required == nil {
			c.required = o.pinned
		}
		return nil
	}
	if len(r.Limits) > 0 { // they are checked even if others count
		set, err := l.limitsOfRequest(c.h, "Limits", r.Limits)
		if err != nil {
			return err
		}
		if c.required == nil {
			c.required = set
		}
	}
	if len(r.Override) > 0 {
		c.required, err = l.limitsOfRequest(c.h, "Override", r.Override)
	}
	return err
}

// limitsOfRequest is the limit set of a request's limits, which it checks. Most callers bring the same ones each time.
func (l *Limiter) limitsOfRequest(h *bucketState, field string, limits []Limit) (*limitSet, error) {
	if p := h.brought.Load(); p.brings(limits) {
		return p, nil
	}
	if err := checkGiven(field, limits); err != nil {
		return nil, err
	}
	p := l.limitSets.share(limitSetOf(limits, true))
	h.brought.Store(p)
	l.reportLarge(h, p)
	return p, nil
}

// assume assumes that the record has the limits of set, and distributes the request over them. It returns how many names
// of the request are required limits in set.
func (c *bucketCharge) assume(set *limitSet, consume Tokens) (known int) {
	if c.asks, c.beyond, c.illegal = 0, false, false; c.assumed != set {
		c.assumed = set
	}
	for i := range set.rates {
		rate, name := &set.rates[i], set.terms[i].Name
		n, asked := consume[name]
		if asked && set != c.required && c.required.index(name) < 0 {
			n, asked = 0, false
		}
		if asked {
			known++
		}
		c.need[i], c.costs[i], c.ys[i] = n, rate.Cost(n), rate.Y(c.now)
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
	return known
}

// record is the one that the last try has shown.
func (c *bucketCharge) record() *backend.Record { return &c.outs[0].Record }

// admits judges the request by what the charge has seen.
func (c *bucketCharge) admits() bool {
	for i := range c.assumed.rates {
		if !c.assumed.rates[i].AdmitsCost(c.tats[i], c.ys[i], c.costs[i]) {
			return false
		}
	}
	return true
}

// observe makes the record in outs what the charge has seen. The record must have the limits of c.assumed.
func (c *bucketCharge) observe() {
	c.tats.read(c.record(), len(c.assumed.rates))
	c.fromLastSeen = false
}

// arrivals are the states of a bucket's limits.
type arrivals [schema.MaxLimits]bucket.Arrival

// read reads the states of the first n limits of a bucket's record.
func (a *arrivals) read(r *backend.Record, n int) {
	for i := range n {
		a[i] = arrival(r, i)
	}
}
