package charge

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
	again  bool // of one without what is sent once
}

// failure is why a shared write failed.
type failure struct {
	err   error
	nonce backend.Num
	maybe bool // it may have been applied
}

// send sends a write in the background, after a pause: it belongs to nobody's context, and a limiter that closes waits
// for it.
func (d *Desk) send(w *pocket.Write, after time.Duration) {
	d.k.Start(func(ctx context.Context) { d.drive(store.Last(ctx), w, after) })
}

// drive sends a write, and again as the buyer says, until the buyer has no write for it.
func (d *Desk) drive(ctx context.Context, w *pocket.Write, after time.Duration) {
	for w != nil {
		inner, cancel := d.k.Store.Budget(ctx)
		for same := w; w == same; {
			w, after = d.sendOnce(inner, w, after)
		}
		cancel()
	}
}

// sendOnce sends a write and reports its outcome to the buyer. It returns the write to send next.
func (d *Desk) sendOnce(ctx context.Context, w *pocket.Write, after time.Duration) (*pocket.Write, time.Duration) {
	one := d.k.NewShared(&d.terms, d.state, w.Sent(), &w.Tag)
	defer d.k.Release(one)
	c, err := &one.Charge[0], d.giveWay(ctx, w, after)
	c.shared, c.active = w, w.Active
	if err == nil {
		err = d.k.ChargeAlone(ctx, c)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	step, failed := d.reportLocked(w, c, err)
	next, pause := step.Send, time.Duration(step.After)
	step.Send = nil
	d.actLocked(step, failed)
	return next, pause
}

// giveWay lets others go first, if a write has lost again and again.
func (d *Desk) giveWay(ctx context.Context, w *pocket.Write, after time.Duration) error {
	if after > 0 {
		return d.k.Sleep(ctx, after)
	}
	if w.Tries > mostWrongGuesses && !d.k.Prefetch && !d.k.Store.GiveWay(ctx, 1) { // with prefetch there is a pause
		return store.NotSent(ctx)
	}
	return nil
}

// NewShared makes a charge of a write that serves several callers, under the terms that they have in common. tag is where
// the write keeps its trace. The charge must be released.
func (k *Charger) NewShared(t *Terms, b *State, now int64, tag *any) *Single {
	if *tag == nil {
		*tag = &trace{nonce: Random()}
	}
	sent := (*tag).(*trace)
	s := k.single(b, t.Config, now, t.root)
	c := &s.Charge[0]
	c.noRegimes = false // the buyer or the line says which regimes to write for
	c.Nonce, c.Unsure, c.again, c.Required, c.Stored = sent.nonce, sent.unsure, sent.again, t.required, t.Config.Stored
	seen := c.recall()
	c.assume(t.Assumed, nil)
	c.FromLastSeen = seen.set == t.Assumed
	c.Creates = !c.FromLastSeen || seen.gone
	c.writesPath = c.Creates || seen.path != t.Config.version
	return s
}

// KeepTrace makes what is known of a write that of its next send. tag is where the write keeps its trace.
func (c *Charge) KeepTrace(tag any) { tag.(*trace).unsure, tag.(*trace).again = c.Unsure, c.again }

// SeenRecord is what a charge's last try has shown of its record. If there is none, it is zero.
func (c *Charge) SeenRecord() *pocket.Record {
	r, seen := c.Record(), &pocket.Record{Tats: make([]bucket.Arrival, len(c.Assumed.Rates))}
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

// reportLocked tells the buyer of a write's outcome.
func (d *Desk) reportLocked(w *pocket.Write, c *Charge, err error) (pocket.Step, *failure) {
	now := d.k.Now()
	c.KeepTrace(w.Tag)
	switch {
	case errors.Is(err, ErrRestart):
		d.retireLocked(now, w)
		return pocket.Step{}, nil
	case errors.Is(err, backend.ErrThrottled):
		return d.buyer.Throttled(now, w, rand.Uint64()), nil
	case err != nil && c.Unsure && c.isSentOnce() && w.Callers() > 0: // without the refunds it can be sent again
		return d.buyer.Unknown(now, w), nil
	case err != nil:
		return d.buyer.Failed(now, w, !c.Unsure), &failure{err, c.Nonce, c.Unsure}
	case c.Result == Denied:
		return d.buyer.Refused(now, w, c.SeenRecord()), nil
	}
	if c.recognized && !c.again { // else the refunds may not have been made
		d.buyer.Recognize(w)
	}
	return d.buyer.Applied(now, w, c.SeenRecord()), nil
}
