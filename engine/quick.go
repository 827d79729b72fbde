package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// quick is decide for the commonest case: a store that never waits, one bucket, nothing about it unknown or changed,
// and nobody else writing it. There it asks the same of the store in the same write, but holds the handle's lock
// throughout. Whatever is not as expected is left
// to the general way, which finds the record that was seen in the view: done is false then, and nothing has been decided.
func (l *Limiter) quick(ctx context.Context, o *op, r *Request) (admitted, done bool) {
	h := o.find(l, r)
	if h == nil || r.OnUnavailable > PolicyAllow {
		return false, false
	}
	conf := h.conf.Load()
	if conf == nil || conf.parent != "" || len(r.Override) > 0 {
		return false, false
	}
	if age := o.now - h.loaded.Load(); age < 0 || age >= l.trust {
		return false, false
	}
	view := conf.stored
	if len(r.Limits) > 0 {
		p := h.brought.Load()
		if !p.brings(r.Limits) {
			return false, false
		}
		if view == nil {
			view = p
		}
	}
	if d := h.view.repeat.Load(); d != nil && d.answers(view, o.now, r.Consume) {
		o.n, o.root, o.repeat = 0, h, d
		return false, true
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	v := &h.view
	if view == nil || v.plan != view || v.shared > 0 || v.gone(o.now) {
		return false, false
	}
	o.n, o.root = 0, h
	c := o.begin(h, conf, true)
	o.n = 1
	c.stored, c.view, c.nonce = conf.stored, view, backend.Num{}
	if c.fit(view, r.Consume) < len(r.Consume) || c.illegal || c.beyond || c.asks == 0 {
		return false, false
	}
	if !c.weighLocked(v) {
		c.recallLocked()
		if !l.fresh(c) {
			return false, false
		}
		c.result, o.shown = denied, true
		return false, true
	}
	return l.quickly(ctx, c)
}

// weighLocked is admits and regimes in one, by the view: whether it admits the claim, and as what.
func (c *claim) weighLocked(v *view) (admitted bool) {
	c.active = 0
	for i := range c.shape.rates {
		rate, y, cost, base := &c.shape.rates[i], c.ys[i], c.costs[i], c.ys[i]
		if a := v.arrival(i); !rate.IsFull(a, y) {
			base = a.At
			if c.mayBeActive(i) {
				c.active |= 1 << i
			}
		}
		if rate.Ceiling(y).Less(base.Add(cost)) {
			return false
		}
	}
	return true
}

// quickly makes the write of a claim that the view admits. The caller holds the handle's lock.
func (l *Limiter) quickly(ctx context.Context, c *claim) (admitted, done bool) {
	h := c.h
	c.path = h.view.path != c.conf.version
	c.guess()
	c.writes[0].Memo = h.memo
	if err := l.store.Apply(ctx, c.writes[:], c.outs[:]); err != nil {
		h.view.moved()
		h.view.plan, h.view.seen = nil, 0
		return false, false
	}
	h.memo = c.writes[0].Memo
	r := c.record()
	if !c.outs[0].Applied {
		h.view.shared = sharedFor
		if text, _ := r.Text(schema.L); text == c.shape.text {
			h.view.take(r, c.shape, c.now, false)
		}
		return false, false
	}
	h.view.take(r, c.shape, c.now, true)
	c.tries, c.result, c.recalled = 1, applied, false
	return true, true
}

// find is the handle of the request's bucket, nil where it is not remembered. An op that comes back to the same
// bucket need not look it up.
func (o *op) find(l *Limiter, r *Request) *handle {
	if h := o.last; h != nil && !h.dropped.Load() && h.id.entity == r.Entity && h.id.resource == r.Resource {
		return h
	}
	o.last = l.buckets.get(&bucketID{r.Entity, r.Resource})
	return o.last
}
