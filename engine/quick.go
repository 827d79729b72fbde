package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// quick is decide for the commonest case: a store that never waits, one bucket, nothing about it unknown or changed,
// and nobody else writing it. There it asks the same of the store in the same write, but holds the handle's lock
// throughout, so that the record comes back into the handle's view without a copy. Whatever is not as expected is left
// to the general way, which finds the record that was seen in the view: done is false then, and nothing has been decided.
func (l *Limiter) quick(ctx context.Context, o *op) (admitted, done bool) {
	h := o.find(l)
	if h == nil || o.within || l.closed.Load() || o.req.OnUnavailable > PolicyAllow {
		return false, false
	}
	conf := h.conf.Load()
	if conf == nil || conf.parent != "" || len(o.req.Override) > 0 {
		return false, false
	}
	if age := o.now - conf.loaded; age < 0 || age >= l.trust {
		return false, false
	}
	view := conf.stored
	if len(o.req.Limits) > 0 {
		p := h.brought.Load()
		if !p.brings(o.req.Limits) {
			return false, false
		}
		if view == nil {
			view = p
		}
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
	if c.fit(view, o.req.Consume) < len(o.req.Consume) || c.illegal || !c.asks() || c.neverFits() {
		return false, false
	}
	if !c.admits(v.record()) {
		if !l.fresh(c) {
			return false, false
		}
		c.see(v.record())
		c.result = denied
		return false, true
	}
	return l.quickly(ctx, o, c)
}

// quickly makes the write of a claim that the view admits. The caller holds the handle's lock.
func (l *Limiter) quickly(ctx context.Context, o *op, c *claim) (admitted, done bool) {
	h := c.h
	v := &h.view
	c.active = c.regimes(v.record())
	c.path = v.record().Int64(schema.Path) != c.conf.version
	c.guess()
	before := v.record().Int64(schema.Ver)
	c.writes[0].Memo = h.memo
	if err := l.store.Apply(ctx, c.writes[:], v.out[:]); err != nil {
		v.plan, v.seen = nil, 0
		return false, false
	}
	h.memo = c.writes[0].Memo
	v.seen = c.now
	r := v.record()
	moved := r.Int64(schema.Ver) - before
	if !v.out[0].Applied {
		v.shared = sharedFor
		if text, _ := r.Text(schema.L); text != c.shape.text {
			v.plan = nil
		}
		return false, false
	}
	if moved > 1 {
		v.shared = sharedFor
	}
	if c.tries, c.result = 1, applied; o.leases {
		c.see(r)
	}
	return true, true
}

// find is the handle of the request's bucket, nil where it is not remembered. An op that comes back to the same
// bucket need not look it up.
func (o *op) find(l *Limiter) *handle {
	if h := o.last; h != nil && !h.dropped.Load() && h.id.entity == o.req.Entity && h.id.resource == o.req.Resource {
		return h
	}
	o.last = l.buckets.get(&bucketID{o.req.Entity, o.req.Resource})
	return o.last
}
