package engine_test

import (
	"errors"
	"math/big"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// bound holds the guarantee never-over-admit over every interval at once, and the conservation of tokens.
type bound struct {
	c      *execution
	limits [2][len(names)]interval
	lives  [2]int    // of the buckets
	last   [2]string // the charge that wrote a bucket last, if nobody wrote it since
	order  order
	events []*effect // of the outermost step: only when it is over is known which of them were admissions
}

// interval is the worst interval that ends now: of all beginnings, the one with the most admitted beyond what time and
// changes allow. In tokens times P.
type interval struct {
	rate, period *big.Int // of the fastest limit of the name: R tokens in P ns
	most         *big.Int // its capacity, or another's, and the rate times the skew of clocks
	excess       *big.Int // admitted, less refunded, less what was allowed, since that beginning
	at           int64
}

// ledger is what a lease was charged, and refunded, by bucket and limit.
type ledger struct {
	charged, returned [2][len(names)]int64
	pending           [len(names)]int64 // adjusted, and not settled
	life              [2]int
	unsure            bool // a settlement has failed
	committed         bool // Commit was called
}

func newBound(c *execution) *bound {
	b := &bound{c: c}
	skew := c.skew.Nanoseconds()
	if c.traits.steps && skew == 0 { // writers agree: the one clock that there is steps back: time is what it says
		skew = int64(time.Hour)
	}
	for e := range b.limits {
		for n := range names {
			b.limits[e][n] = newInterval(names[n], c.palette, skew, c.now)
		}
	}
	return b
}

func newInterval(name string, palette [][]engine.Limit, skew, now int64) interval {
	i := interval{rate: new(big.Int), period: big.NewInt(1), most: new(big.Int), excess: new(big.Int), at: now}
	capacity := int64(0)
	for _, plan := range palette {
		for _, l := range plan {
			if l.Name != name {
				continue
			}
			capacity = max(capacity, l.Capacity)
			rate, period := big.NewInt(l.RefillAmount), big.NewInt(int64(l.RefillPeriod))
			if new(big.Int).Mul(rate, i.period).Cmp(new(big.Int).Mul(i.rate, period)) > 0 {
				i.rate, i.period = rate, period
			}
		}
	}
	i.most.Mul(big.NewInt(capacity), i.period)
	i.most.Add(i.most, new(big.Int).Mul(i.rate, big.NewInt(skew)))
	return i
}

// pass lets what refilled since go off the excess. An interval may as well begin now.
func (i *interval) pass(now int64) {
	if now > i.at {
		i.allow(new(big.Int).Mul(i.rate, big.NewInt(now-i.at)))
		i.at = now
	}
}

func (i *interval) allow(x *big.Int) {
	if i.excess.Sub(i.excess, x); i.excess.Sign() < 0 {
		i.excess.SetInt64(0)
	}
}

// admit counts tokens, those refunded with a sign; false where there are too many.
func (i *interval) admit(now, n int64) bool {
	i.pass(now)
	i.excess.Add(i.excess, new(big.Int).Mul(big.NewInt(n), i.period))
	return i.excess.Cmp(i.most) <= 0
}

// took is told of every write that took effect.
func (b *bound) took(e *effect) {
	b.events = append(b.events, e)
	b.c.book(e)
	if e.ended {
		b.ends(e.entity)
	}
	e.life = b.lives[e.entity]
	b.once(e)
	b.lease(e)
}

// ends is told when a life of a bucket is over: what was charged to it cannot be refunded.
func (b *bound) ends(entity int) {
	b.lives[entity]++
	for _, h := range b.c.leases {
		h.charged[entity], h.returned[entity] = [len(names)]int64{}, [len(names)]int64{}
	}
}

// over is told when an outermost step is over. No time has passed in it.
func (b *bound) over() {
	for _, e := range b.events {
		for n, used := range e.used {
			i := &b.limits[e.entity][n]
			if e.ended || changed(e, names[n]) { // one capacity, and the rate times the skew
				i.pass(b.c.now)
				i.allow(i.most)
			}
			if e.by.kind > doConsume { // charges by force are no admissions
				used = min(used, 0)
			} else if !e.admission {
				used = 0
			}
			if used != 0 && !i.admit(b.c.now, used) {
				over := new(big.Int).Sub(i.excess, i.most)
				b.c.fail("e%d: more of %s admitted in some interval than capacity and rate allow, by %v/%v", e.entity, names[n], over, i.period)
			}
		}
	}
	b.events = b.events[:0]
}

// changed tells whether a stored limit was converted to other parameters, or dropped.
func changed(e *effect, name string) bool {
	was, had := term(e.before, name)
	will, has := term(e.after, name)
	return had && !was.Brought && (!has || !will.Brought && was.Limit != will.Limit)
}

func term(terms []schema.Term, name string) (schema.Term, bool) {
	for _, t := range terms {
		if t.Name == name {
			return t, true
		}
	}
	return schema.Term{}, false
}

// once demands that a charge whose reply was lost is made again only if another write came between.
func (b *bound) once(e *effect) {
	charge := b.c.chargeOf(e.by)
	ups := slices.ContainsFunc(e.used[:], func(n int64) bool { return n > 0 })
	downs := slices.ContainsFunc(e.used[:], func(n int64) bool { return n < 0 })
	h := b.c.leaseOf(e.by)
	switch {
	case h != nil && h.unsure: // a charge of unknown outcome comes before the others: the accounts tell
		b.last[e.entity] = ""
	case downs && e.by.kind <= doConsume: // an acquire that refunds what it charged, to begin again
		b.last[e.entity] = ""
	case ups && b.last[e.entity] == charge:
		b.c.fail("%s was charged twice to e%d, with nothing between", charge, e.entity)
	case ups:
		b.last[e.entity] = charge
	case e.ended || e.began || !slices.EqualFunc(e.before, e.after, func(x, y schema.Term) bool { return x == y }):
		b.last[e.entity] = ""
	}
}

// lease demands that nobody refunds what was not charged.
func (b *bound) lease(e *effect) {
	if h := b.c.leaseOf(e.by); h != nil {
		for n, used := range e.used {
			if used < 0 {
				h.returned[e.entity][n] -= used
			} else {
				h.charged[e.entity][n] += used
			}
			if h.returned[e.entity][n] > h.charged[e.entity][n] {
				b.c.fail("%d of %s refunded to e%d, %d charged", h.returned[e.entity][n], names[n], e.entity, h.charged[e.entity][n])
			}
		}
	}
}

// judge looks at a step that is over.
func (b *bound) judge(r *run, o *outcome) {
	switch r.kind {
	case doAcquire, doAllow, doConsume:
		b.gate(r, o)
		if h := b.c.leaseOf(r); h != nil && o.err != nil {
			h.unsure = true
		}
	case doAdjust:
		b.adjusted(r, o, 1)
	case doRelease:
		b.adjusted(r, o, -1)
		b.settled(r, o)
	case doFlush, doCommit, doRollback:
		b.settled(r, o)
	}
	for _, s := range o.statuses {
		if s.Remaining > s.Limit.Capacity {
			b.c.fail("%d of %v available", s.Remaining, s.Limit)
		}
	}
	b.trouble(r, o)
	b.c.settleAccount(r, o)
	b.order.judge(b.c, r, o)
}

// gate counts what was admitted, and demands that it was charged, exactly.
func (b *bound) gate(r *run, o *outcome) {
	var want [len(names)]int64
	if o.admitted {
		for name, n := range r.tokens {
			want[nameIndex(name)] = n
		}
	}
	reached := false
	for entity := range b.limits {
		mine := slices.DeleteFunc(slices.Clone(r.effects), func(e *effect) bool { return e.entity != entity })
		if len(mine) == 0 {
			continue
		}
		acquire := int64(0)
		if o.admitted && r.kind != doConsume {
			acquire = 1
		}
		reached = true
		void := b.c.family && r.visited && !o.admitted // what was charged could not be refunded: its bucket was reset
		h := b.c.leaseOf(r)
		resolves := h != nil && h.unsure // a charge of unknown outcome comes first
		if !explained(mine, want, acquire, b.c.family) && !void && !resolves {
			b.c.fail("e%d: %v admitted, but charged %v", entity, want, sum(mine))
		}
		charges := func(e *effect) bool { return slices.ContainsFunc(e.used[:], func(n int64) bool { return n > 0 }) }
		if slices.Reverse(mine); o.admitted && slices.ContainsFunc(mine, charges) {
			mine[slices.IndexFunc(mine, charges)].admission = true
		}
		if h := o.lease; h != nil {
			h.begin(entity, mine)
			for _, e := range mine {
				for n := range names {
					if e.life == b.lives[entity] {
						h.charged[entity][n] += e.used[n]
					}
				}
			}
		} else if h := b.c.leaseOf(r); h != nil && o.admitted {
			h.begin(entity, mine)
		}
	}
	if o.admitted && !reached && !nothing(r.tokens) {
		b.c.fail("admitted, but nothing was charged")
	}
}

// begin is for charges to a bucket: if that has begun a new life, no more can be refunded than is charged in it.
func (l *ledger) begin(entity int, effects []*effect) {
	for _, e := range effects {
		if e.admission && l.life[entity] != e.life {
			l.life[entity] = e.life
			for n := range names {
				l.pending[n] = max(l.pending[n], -max(e.used[n], 0))
			}
		}
	}
}

func sum(effects []*effect) (total [len(names)]int64) {
	for _, e := range effects {
		for n := range names {
			total[n] += e.used[n]
		}
	}
	return total
}

// explained tells whether effects are what was wanted, beside some that nobody heard of. A level of a family may lack
// limits, and what it charged may have been refunded.
func explained(effects []*effect, want [len(names)]int64, acquire int64, family bool) bool {
	total, acq := sum(effects), int64(0)
	var silent []*effect
	for _, e := range effects {
		acq += e.acq
		if e.silent {
			silent = append(silent, e)
		}
	}
	for subset := range 1 << len(silent) {
		left, acqLeft := total, acq
		for i, e := range silent {
			if subset>>i&1 == 1 {
				acqLeft -= e.acq
				for n := range names {
					left[n] -= e.used[n]
				}
			}
		}
		fits := acqLeft == acquire || family
		for n := range names {
			fits = fits && (left[n] == want[n] || family && left[n] == 0)
		}
		if fits {
			return true
		}
	}
	return false
}

// adjusted takes note of an adjustment.
func (b *bound) adjusted(r *run, o *outcome, sign int64) {
	h := b.c.leases[r.lease]
	if o.err != nil && (sign > 0 || h.unsure) {
		return
	}
	h.epoch++
	for name, n := range r.tokens {
		h.pending[nameIndex(name)] += sign * n
	}
}

// settled demands that what was adjusted upwards was charged, exactly.
func (b *bound) settled(r *run, o *outcome) {
	h := b.c.leases[r.lease]
	if r.kind == doRollback && h.committed {
		return
	}
	h.committed = h.committed || r.kind == doCommit
	if o.err != nil {
		h.unsure = true
		return
	}
	if r.kind != doRollback && !h.unsure && !b.c.family {
		b.charged(r, h)
	}
	h.epoch++
	h.unsure, h.pending = false, [len(names)]int64{}
}

func (b *bound) charged(r *run, h *held) {
	ups, silent := [len(names)]int64{}, [len(names)]int64{}
	for _, e := range r.effects {
		for n := range names {
			ups[n] += max(e.used[n], 0)
			if e.silent {
				silent[n] += max(e.used[n], 0)
			}
		}
	}
	for n := range names {
		want := max(h.pending[n], 0)
		if lacks := r.visited || !b.has(r.entity, names[n]); ups[n] != want && ups[n]-silent[n] != want && !lacks {
			b.c.fail("%d of %s charged, want %d", ups[n], names[n], want)
		}
	}
}

// has tells whether the bucket has a limit.
func (b *bound) has(entity int, name string) bool {
	for k, r := range b.c.store.seen {
		if entityOf(k) == entity {
			_, has := term(b.c.store.limits(r), name)
			return has
		}
	}
	return false
}

// trouble demands that what nobody disturbed went well, and that nobody is in his own way.
func (b *bound) trouble(r *run, o *outcome) {
	if len(r.acts) == 0 && len(b.c.stack) == 1 && (errors.Is(o.err, engine.ErrContention) || errors.Is(o.err, engine.ErrUnavailable)) {
		b.c.fail("undisturbed, and %v", o.err)
	}
	if errors.Is(o.err, engine.ErrContention) && !r.visited && !slices.Contains(r.acts, race) {
		b.c.fail("nobody came between, and %v", o.err)
	}
}

// chargeOf names what a step charges for: itself, or what its lease has to settle, which a release changes.
func (c *execution) chargeOf(r *run) string {
	if h := c.leases[r.lease]; h != nil && r.kind >= doFlush && r.kind <= doRollback {
		return "settlement " + itoa(r.lease) + "." + itoa(h.epoch)
	}
	return "step " + itoa(r.id)
}

// leaseOf is the lease that a step uses.
func (c *execution) leaseOf(r *run) *held {
	if r.kind >= doConsume && r.kind <= doRollback {
		return c.leases[r.lease]
	}
	return nil
}
