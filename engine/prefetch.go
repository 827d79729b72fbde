package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// openDesk returns the desk of a bucket, locked, nil if nobody has met there.
func (b *bucketState) openDesk() *desk {
	b.lock.Lock()
	d := b.desk
	b.lock.Unlock()
	if d == nil {
		return nil
	}
	d.mu.Lock()
	if d.ended || d.buyer == nil {
		d.mu.Unlock()
		return nil
	}
	return d
}

// deniedByPockets reports whether what this process knows of the buckets of a path denies the request, before one of them is
// charged.
func (a *attempt) deniedByPockets() (denied bool) {
	for i := range a.n {
		c := &a.charges[i]
		d := c.state.openDesk()
		if d == nil {
			continue
		}
		if d.terms == c.terms() {
			m := c.meeting(d)
			if m.Until, c.denialKnown = d.buyer.Denies(c.now, m.Need); c.denialKnown {
				denied, m.Verdict = true, pocket.Denied
				d.fill(m, nil)
				c.show(&m.tats, backend.Num{})
				c.setPause(m.Until)
			}
		}
		d.mu.Unlock()
	}
	return denied
}

// settleAtDesk lets what is due of a part wait for the next write of its bucket. It returns false, and does nothing, if this
// process does not prefetch the bucket, or the lease is of another life of its record, or of one that is not known yet: a write of
// its own finds that out, so that what it charges can be refunded.
func (l *Limiter) settleAtDesk(p *part, now int64) (done bool, err error) {
	if p.unsure() != nil {
		return false, nil
	}
	d := p.state.openDesk()
	if d == nil {
		return false, nil
	}
	defer d.mu.Unlock()
	if p.born.IsZero() || d.buyer.Born() != p.born || !p.dueIn(d.terms.assumed) {
		return false, nil
	}
	delta, most := make(pocket.Tokens, len(d.terms.assumed.Rates)), 0
	for i := range p.size() {
		if n := p.due(i); n != 0 {
			delta[d.terms.assumed.Index(p.name(i))] = n
			most = i
		}
	}
	switch {
	case p.retracts() != 0:
		d.buyer.Retract(now, delta, p.born)
	case !d.buyer.Settle(now, delta, p.born):
		return true, outOfDebt(p.name(most), p.due(most))
	}
	d.act(pocket.Step{}, nil)
	p.done()
	return true, nil
}

// pocketOf is how many tokens of the i-th assumed limit this process has bought and not handed out.
func (c *bucketCharge) pocketOf(i int) int64 {
	d := c.state.openDesk()
	if d == nil {
		return 0
	}
	defer d.mu.Unlock()
	if d.terms.assumed != c.assumed {
		return 0
	}
	return d.buyer.Pocket(i)
}

// settleOwed settles what a retired buyer has left: its pocket, what callers that have left had been charged, and usage that
// was not written yet. The caller holds d.mu.
func (d *desk) settleOwed() {
	owed := d.buyer.Owed()
	p := newPart(d.state, d.terms.assumed, owed.Born)
	used := owed.Acquired != 0
	for i := range p.required.Terms {
		a := p.at(i)
		a.held, a.pending = owed.Refund[i], owed.Charge[i]-owed.Refund[i]
		used = used || owed.Used[i] != a.pending
	}
	if used {
		p.rarely().owed = &owed
	}
	if !p.pending() {
		return
	}
	d.l.start(func(ctx context.Context) { d.l.settleAside(ctx, p) })
}

// settleAside settles a part that belongs to no lease, also while the limiter closes. What cannot be settled is lost.
func (l *Limiter) settleAside(ctx context.Context, p *part) {
	inner, cancel := l.store.Budget(store.Last(context.WithoutCancel(ctx)))
	defer cancel()
	if err := l.settleDirectly(inner, p, l.clock.now()); err != nil {
		l.lose(p, err)
	}
}

// reportLost reports what may be missing in the store. The caller holds d.mu.
func (d *desk) reportLost(kind EventKind, lost pocket.Tokens) {
	if tokens := named(d.terms.assumed, lost); len(tokens) > 0 {
		d.l.observe(Event{Kind: kind, Entity: d.state.id.entity, Resource: d.state.id.resource, Tokens: tokens, Err: backend.ErrOutcomeUnknown})
	}
}
