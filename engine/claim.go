package engine

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// mostPath is how many entities a path may have, the first included.
const mostPath = 8

// op is one acquire: what was asked for, and a claim for each bucket on the path. Ops are pooled; one whose store call
// was abandoned is not used again.
type op struct {
	namespace string // the limiter's
	req       Request
	now       int64
	claims    [mostPath]claim
	n         int             // of claims in use, the entity's first
	inspects  bool            // asks for no tokens: Consume may be empty
	admitted  bool            // all claims are applied, or nothing was asked for
	within    bool            // a lease: no new acquire
	pinned    *plan           // the limits that the lease's acquire brought, nil: none
	overrides bool            // pinned beats what is stored
	abandoned atomic.Bool     // a store call still has buffers of the claims
	root      *handle         // of the bucket that the request names
	unknown   []unknownCharge // of attempts within a lease that were not admitted
	writes    int             // not yet counted by the sweeper
}

// claim is one bucket's part in an acquire.
type claim struct {
	h       *handle
	root    bool // of the entity that the request names
	conf    *config
	view    *plan                         // what this writer requires of the bucket
	stored  *plan                         // what is stored, the same as view but for requests with limits of their own
	shape   *plan                         // what it assumes the record's L to be; has every limit of view
	need    [schema.MaxLimits]int64       // tokens, by position in shape
	costs   [schema.MaxLimits]backend.Num // of need, in units
	ys      [schema.MaxLimits]backend.Num // now in units
	asks    uint16                        // by position: need is above zero
	now     int64
	nonce   backend.Num // shared by all tries, so that a try which was applied and not heard of is recognised; 0: none
	acquire bool        // counts as an acquire

	mode    mode
	active  uint16 // by position in shape: the regime guessed is active
	tries   int
	lost    int         // races lost in converting
	partial bool        // some record met on the way lacked a limit that is needed
	denies  bool        // the write being sent converts a bucket that does not admit the request
	ahead   int64       // ns by which the record's writer was ahead of this clock, where that is much
	illegal bool        // some amount is out of range
	beyond  bool        // some amount is above a capacity
	creates bool        // the next guess may find no record
	lifts   bool        // the guess needs no regimes
	path    bool        // the next guess writes the version of the entity, which the record may not have
	known   bool        // the handle's view has denied the request
	unsure  bool        // the outcome of some try is unknown
	reread  backend.Num // ver of the record after which the configuration was read
	result  result

	alone bool // others of this process wait for its conversion

	tats     arrivals // seen last, by position in shape
	recalled bool     // tats are the view's, with no record in outs
	epoch    uint32   // the handle's when the claim began

	hold time.Duration // Options.MaxHold of the limiter

	place   backend.Place
	writes  [1]backend.Write
	outs    [1]backend.Outcome
	conds   []backend.Cond
	effects []backend.Effect
	form    form // of conds and effects, where they are those of a guess
}

func newOp(opts *Options) *op {
	o := &op{namespace: opts.Namespace, writes: rand.IntN(sweepBatch)}
	for i := range o.claims {
		o.claims[i].hold = opts.MaxHold
	}
	return o
}

// mode is how the next try is written.
type mode uint8

const (
	guessing   mode = iota // by the regimes that the last record shows
	swapping               // by compare-and-set on the record seen
	converting             // the same, with other limits
)

// result is how a claim stands.
type result uint8

const (
	pending result = iota
	applied        // the record after it is in outs
	denied         // by the record in outs, or in the handle's view
)

// begin empties the i-th claim but for its buffers, for a bucket at depth i of the path or above.
func (o *op) begin(h *handle, conf *config, root, lifts bool) *claim {
	c := &o.claims[o.n]
	if c.h != h {
		c.h = h
		w := &c.writes[0]
		w.Key, w.Layout, w.Memo = schema.BucketAt(o.namespace, h.partition), schema.BucketLayout, nil
	}
	c.root = root
	if c.conf != conf { // pointers are written only where they change: the collector is told of each, 7 ns of an acquire
		c.conf = conf
	}
	c.now, c.acquire, c.epoch = o.now, !o.within, h.epoch.Load()
	c.mode, c.result, c.active = guessing, pending, 0
	c.tries, c.lost, c.ahead = 0, 0, 0
	c.partial, c.denies, c.creates, c.path, c.known, c.unsure = false, false, false, true, false, false
	c.lifts = lifts
	c.reread = backend.Num{}
	c.recalled = false
	return c
}

// put gives the op back to the pool.
func (l *Limiter) put(o *op) {
	if o.abandoned.Load() {
		return
	}
	o.within, o.inspects, o.admitted = false, false, false
	o.pinned, o.unknown, o.req = nil, nil, Request{}
	l.ops.Put(o)
}

// consult settles what the claim requires of its bucket, given what is stored, and how it is to be written, given the
// last record seen. Nothing is required where its view is nil then. It returns how many names of the request are known.
func (l *Limiter) consult(o *op, c *claim) (known int, err error) {
	c.stored, c.view = c.conf.stored, c.conf.stored
	if c.root {
		if err := l.require(o, c); err != nil {
			return 0, err
		}
	}
	if c.view == nil {
		return 0, nil
	}
	h := c.h
	h.lock.Lock()
	defer h.lock.Unlock()
	shape := c.view
	if seen := h.view.plan; seen != nil && seen.fits(c.view, c.stored) {
		shape = seen
	}
	known = c.fit(shape, o.req.Consume)
	if h.view.plan == shape {
		c.recallLocked()
		if l.fresh(c) && !c.admits() {
			c.known = true
			return known, nil
		}
	}
	c.aimLocked()
	return known, nil
}

// require is what the request's own entity must be held to. Limits of a request do not count for its parents.
func (l *Limiter) require(o *op, c *claim) (err error) {
	r := &o.req
	if o.pinned != nil {
		if o.overrides || c.view == nil {
			c.view = o.pinned
		}
		return nil
	}
	if len(r.Limits) > 0 {
		p, err := l.broughtBy(c.h, "Limits", r.Limits) // if only to check them
		if err != nil {
			return err
		}
		if c.view == nil {
			c.view = p
		}
	}
	if len(r.Override) > 0 {
		c.view, err = l.broughtBy(c.h, "Override", r.Override)
	}
	return err
}

// broughtBy is the plan of a request's limits, which it checks. Most callers bring the same ones each time.
func (l *Limiter) broughtBy(h *handle, field string, limits []Limit) (*plan, error) {
	if p := h.brought.Load(); p.brings(limits) {
		return p, nil
	}
	if err := checkGiven(field, limits); err != nil {
		return nil, err
	}
	p := l.plans.share(planOf(limits, true))
	h.brought.Store(p)
	l.weigh(h, p)
	return p, nil
}

// fit assumes that the record has these limits, and distributes the request over them. It returns how many names of
// the request the view has.
func (c *claim) fit(shape *plan, consume Tokens) (known int) {
	if c.asks, c.beyond, c.illegal = 0, false, false; c.shape != shape {
		c.shape = shape
	}
	for i := range shape.rates {
		n, asked := consume[shape.terms[i].Name]
		if asked {
			if shape == c.view || c.view.index(shape.terms[i].Name) >= 0 {
				known++
			} else {
				n = 0
			}
		}
		rate := &shape.rates[i]
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
func (c *claim) record() *backend.Record { return &c.outs[0].Record }

// neverFits reports whether the request is above a capacity.
func (c *claim) neverFits() bool { return c.beyond }

// takes reports whether the claim takes any tokens.
func (c *claim) takes() bool { return c.asks != 0 }

// admits judges the request by what the claim has seen.
func (c *claim) admits() bool {
	for i := range c.shape.rates {
		if !c.shape.rates[i].AdmitsCost(c.tats[i], c.ys[i], c.costs[i]) {
			return false
		}
	}
	return true
}

// recallLocked makes the handle's view what the claim has seen. The caller holds the handle's lock.
func (c *claim) recallLocked() {
	for i := range c.shape.rates {
		c.tats[i] = c.h.view.arrival(i)
	}
	c.recalled = true
}

// observe makes the record in outs what the claim has seen. It has the limits of shape.
func (c *claim) observe() {
	for i := range c.shape.rates {
		c.tats[i] = arrival(c.record(), i)
	}
	c.recalled = false
}

// arrivals are the states of a bucket's limits.
type arrivals [schema.MaxLimits]bucket.Arrival
