package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// quick is decide for the commonest case: a store that never waits and knows the greater of two numbers, one bucket,
// nothing about it unknown or changed. There the gate needs no regime, so nothing of the record has to be known before
// it is written, nor to be remembered of it: one write, and no lock but the store's. Whatever is not as expected is left
// to the general way: done is false then, and nothing has been decided.
func (l *Limiter) quick(ctx context.Context, o *op, r *Request) (admitted, done bool) {
	c, likely := &o.claims[0], likely{}
	c.now = o.now
	if o.last == nil {
		likely = c.foresee(r) // while the handle is on its way
	}
	h := o.find(l, r)
	if h == nil || r.OnUnavailable > PolicyAllow || len(r.Override) > 0 {
		return false, false
	}
	conf := h.conf.Load()
	if conf == nil || conf.parent != "" {
		return false, false
	}
	if age := o.now - h.loaded.Load(); age < 0 || age >= l.trust {
		return false, false
	}
	view := conf.stored
	if len(r.Limits) > 0 {
		p := h.brought.Load()
		if (p != c.view || !likely.brings) && !p.brings(r.Limits) {
			return false, false
		}
		if view == nil {
			view = p
		}
	}
	if d := h.repeat.Load(); d != nil && d.answers(view, o.now, r.Consume) {
		o.n, o.root, o.repeat = 0, h, d
		return false, true
	}
	if view == nil || h.ready.Load() != view {
		return false, false
	}
	if !likely.fits || c.view != view {
		c.view = view
		likely.known = c.fit(view, r.Consume)
	}
	if likely.known < len(r.Consume) || c.illegal || c.beyond || c.asks == 0 {
		return false, false
	}
	if o.n = 0; o.root != h {
		o.root = h
	}
	o.begin(h, conf, true)
	if o.n = 1; c.stored != conf.stored {
		c.stored = conf.stored
	}
	c.nonce, c.turn = backend.Num{}, h.turn.Load()
	if !h.behind.Load() && l.recall(c) && !c.admits() {
		h.show()
		c.result, o.shown = denied, true
		return false, true
	}
	return l.quickly(ctx, o, c)
}

// likely is what holds of a request if its bucket has the limits that the op's last one had.
type likely struct {
	fits   bool // the claim was fitted to them
	brings bool // the request brings just these
	known  int  // names of the request among them
}

// foresee works out what a request comes to by the claim's last view, which is mostly that of the next bucket, too.
func (c *claim) foresee(r *Request) likely {
	if c.view == nil {
		return likely{}
	}
	return likely{true, len(r.Limits) > 0 && c.view.brings(r.Limits), c.fit(c.view, r.Consume)}
}

// quickly makes the write of a claim on a record that exists and has just its limits.
func (l *Limiter) quickly(ctx context.Context, o *op, c *claim) (admitted, done bool) {
	h, w, out, memo := c.h, &c.writes[0], &c.outs[0], c.h.memo.Load()
	c.lifts, c.path, c.recalled = true, false, false
	c.guess()
	if w.Brief = o.brief; w.Memo != memo { // as in begin
		w.Memo = memo
	}
	if err := l.store.Apply(ctx, c.writes[:], c.outs[:]); err != nil {
		return false, false // the general way meets it, too
	}
	if w.Memo != memo {
		h.remember(w.Memo)
	}
	c.tries = 1
	switch {
	case !out.Applied:
		if !l.provesDenial(c) {
			return false, false
		}
		c.result, o.shown = denied, true
		c.see(&out.Record, c.shape, false)
		h.show()
		return false, true
	case out.Brief || c.fitsAgain(&out.Record):
		h.passed()
	default:
		c.see(&out.Record, c.shape, true)
		h.show()
	}
	c.result = applied
	return true, true
}

// provesDenial reports whether the record in the refusal denies the claim, and nothing else is the matter.
func (l *Limiter) provesDenial(c *claim) bool {
	r := c.record()
	text, _ := r.Text(schema.L)
	path, _ := r.Num(schema.Path)
	if text != c.shape.text || path != backend.Int(c.conf.version) || r.Int64(schema.At)-c.now > drift {
		return false
	}
	c.observe()
	return !c.admits()
}

// reach begins to find the handle of the request's bucket, unless it is the one that the op was about before.
func (o *op) reach(l *Limiter, r *Request) {
	if h := o.last; h == nil || h.dropped.Load() || h.id.entity != r.Entity || h.id.resource != r.Resource {
		o.probable, o.reached = l.buckets.reach(&bucketID{r.Entity, r.Resource})
		o.last = nil
	}
}

// find is the handle of the request's bucket, which was reached for; nil where it is not remembered.
func (o *op) find(l *Limiter, r *Request) *handle {
	if o.last == nil {
		o.last = l.buckets.confirm(o.probable, o.reached, &bucketID{r.Entity, r.Resource})
	}
	return o.last
}
