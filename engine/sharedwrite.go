package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
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
	d.k.Start(func(ctx context.Context) { d.drive(store.Last(context.WithoutCancel(ctx)), w, after) })
}

// drive sends a write, and again as the buyer says, until the buyer has no write for it.
func (d *desk) drive(ctx context.Context, w *pocket.Write, after time.Duration) {
	for w != nil {
		inner, cancel := d.k.Store.Budget(ctx)
		for same := w; w == same; {
			w, after = d.sendOnce(inner, w, after)
		}
		cancel()
	}
}

// sendOnce sends a write and reports its outcome to the buyer. It returns the write to send next.
func (d *desk) sendOnce(ctx context.Context, w *pocket.Write, after time.Duration) (*pocket.Write, time.Duration) {
	one := d.k.chargeUnder(&d.terms, d.state, w.Sent(), &w.Tag)
	defer d.k.release(one)
	c, err := &one.charge[0], d.giveWay(ctx, w, after)
	c.shared, c.active = w, w.Active
	if err == nil {
		err = d.k.chargeAlone(ctx, c)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	step, failed := d.report(w, c, err)
	next, pause := step.Send, time.Duration(step.After)
	step.Send = nil
	d.act(step, failed)
	return next, pause
}

// giveWay lets others go first, if a write has lost again and again.
func (d *desk) giveWay(ctx context.Context, w *pocket.Write, after time.Duration) error {
	if after > 0 {
		return d.k.Sleep(ctx, after)
	}
	if w.Tries > mostWrongGuesses && !d.k.Prefetch && !d.k.Store.GiveWay(ctx, 1) { // with prefetch there is a pause
		return store.NotSent(ctx)
	}
	return nil
}

// chargeUnder makes a charge of a write that serves several callers, under the terms that they have in common. tag is where
// the write keeps its trace. The charge must be released.
func (k *charger) chargeUnder(t *terms, b *bucketState, now int64, tag *any) *single {
	if *tag == nil {
		*tag = &trace{nonce: random()}
	}
	sent := (*tag).(*trace)
	s := k.single(b, t.conf, now, t.root, false)
	c := &s.charge[0]
	c.nonce, c.unsure, c.required, c.stored = sent.nonce, sent.unsure, t.required, t.conf.stored
	seen := c.recall()
	c.assume(t.assumed, nil)
	c.fromLastSeen = seen.set == t.assumed
	c.creates = !c.fromLastSeen || seen.gone
	c.writesPath = c.creates || seen.path != t.conf.version
	return s
}

// keepTrace makes what is known of a write that of its next send. tag is where the write keeps its trace.
func (c *bucketCharge) keepTrace(tag any) { tag.(*trace).unsure = c.unsure }

// seenRecord is what a charge's last try has shown of its record. If there is none, it is zero.
func (c *bucketCharge) seenRecord() *pocket.Record {
	r, seen := c.record(), &pocket.Record{Tats: make([]bucket.Arrival, len(c.assumed.Rates))}
	if !r.Present() {
		return seen
	}
	seen.Ver = r.Int64(schema.Ver)
	seen.Born, _ = r.Num(schema.Born)
	for i := range seen.Tats {
		seen.Tats[i] = limitset.ArrivalOf(r, i)
	}
	return seen
}

// report tells the buyer of a write's outcome.
func (d *desk) report(w *pocket.Write, c *bucketCharge, err error) (pocket.Step, *failure) {
	now := d.k.Now()
	c.keepTrace(w.Tag)
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
		return d.buyer.Refused(now, w, c.seenRecord()), nil
	}
	if c.recognized {
		d.buyer.Recognize(w)
	}
	return d.buyer.Applied(now, w, c.seenRecord()), nil
}
