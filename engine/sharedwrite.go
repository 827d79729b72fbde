package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// trace is what is known of a shared write, over all sends of it.
type trace struct {
	nonce  backend.Num
	unsure bool // the outcome of some send is unknown
}

// failure is why a shared write failed.
type failure struct {
	err   error
	nonce backend.Num
	maybe bool // it may have been applied
}

// send sends a write in the background, after a pause: it belongs to nobody's context, and a limiter that closes waits for
// it. The caller holds d.mu.
func (d *desk) send(w *pocket.Write, after time.Duration) {
	d.l.start(func(ctx context.Context) { d.drive(store.Last(context.WithoutCancel(ctx)), w, after) })
}

// drive sends a write, and again as the buyer says, until the buyer has no write for it.
func (d *desk) drive(ctx context.Context, w *pocket.Write, after time.Duration) {
	for w != nil {
		inner, cancel := d.l.store.Budget(ctx)
		for same := w; w == same; {
			w, after = d.sendOnce(inner, w, after)
		}
		cancel()
	}
}

// sendOnce sends a write and reports its outcome to the buyer. It returns the write to send next.
func (d *desk) sendOnce(ctx context.Context, w *pocket.Write, after time.Duration) (*pocket.Write, time.Duration) {
	a := d.l.attempts.Get().(*attempt)
	defer d.l.release(a)
	c, err := d.chargeOf(ctx, a, w, after)
	if err == nil {
		err = d.l.chargeAlone(ctx, a, c)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	step, failed := d.report(w, c, err)
	next, pause := step.Send, time.Duration(step.After)
	step.Send = nil
	d.act(step, failed)
	return next, pause
}

// chargeOf makes a charge of a shared write. A write that lost again and again lets others go first.
func (d *desk) chargeOf(ctx context.Context, a *attempt, w *pocket.Write, after time.Duration) (*bucketCharge, error) {
	t := d.terms
	a.now, a.n, a.req, a.root = w.Sent(), 1, Request{Entity: d.state.id.entity, Resource: d.state.id.resource}, d.state
	c := a.addCharge(d.state, t.conf, t.root, false)
	if w.Tag == nil {
		w.Tag = &trace{nonce: random()}
	}
	sent := w.Tag.(*trace)
	c.nonce, c.unsure, c.required, c.stored, c.shared = sent.nonce, sent.unsure, t.required, t.conf.stored, w
	seen := c.recall()
	c.assume(t.assumed, nil)
	c.fromLastSeen = seen.set == t.assumed
	c.creates = !c.fromLastSeen || seen.gone
	c.writesPath = c.creates || seen.path != t.conf.version
	c.active = w.Active
	if after > 0 {
		return c, d.l.opts.Sleep(ctx, after)
	}
	if w.Tries > mostWrongGuesses && !d.l.prefetch && !d.l.store.GiveWay(ctx, 1) { // with prefetch there is a pause
		return c, store.NotSent(ctx)
	}
	return c, nil
}

// report tells the buyer of a write's outcome.
func (d *desk) report(w *pocket.Write, c *bucketCharge, err error) (pocket.Step, *failure) {
	now := d.l.clock.now()
	w.Tag.(*trace).unsure = c.unsure
	switch {
	case errors.Is(err, errRestart):
		d.retire(now, w)
		return pocket.Step{}, nil
	case errors.Is(err, backend.ErrThrottled):
		return d.buyer.Throttled(now, w, rand.Uint64()), nil
	case err != nil && c.unsure && c.refunds() && w.Callers() > 0: // without the refunds it can be sent again
		return d.buyer.Unknown(now, w), nil
	case err != nil:
		return d.buyer.Failed(now, w, !c.unsure), &failure{err, c.nonce, c.unsure}
	case c.result == denied:
		return d.buyer.Refused(now, w, d.recordOf(c)), nil
	}
	if c.recognized {
		d.buyer.Recognize(w)
	}
	return d.buyer.Applied(now, w, d.recordOf(c)), nil
}
