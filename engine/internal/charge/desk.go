package charge

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/alarm"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// Desk is where callers of this process meet that charge one bucket under the same limits. Whoever comes first writes for
// itself. Those who come meanwhile wait, and share the next write: the buyer decides who, and in which order. In exact mode
// a desk ends when nobody writes or waits. With prefetch it stays while requests come, and its buyer has a pocket.
type Desk struct {
	k     *Charger
	state *State
	terms Terms

	alarm.Bell

	mu      sync.Mutex    // guards what follows; nothing waits under it
	buyer   *pocket.Buyer // nil: nobody has met here
	outside *pocket.Write // the buyer's name for the first caller's own write; nil: there is none
	began   int64         // when that one came, ns since the Unix epoch
	ended   bool          // no longer the state's
	retired bool          // its callers assume what no longer holds
	asked   int64         // when somebody asked last, ns since the Unix epoch
	rings   int64         // when the alarm calls at the latest
}

// deskIdle is how long a desk with prefetch stays when nobody asks.
const deskIdle = int64(10 * time.Second)

// Terms are what callers must have in common to share a write.
type Terms struct {
	Config            *Config
	required, Assumed *limitset.Set
	root              bool
}

// Terms are those under which the charge is made.
func (c *Charge) Terms() Terms { return Terms{c.Config, c.Required, c.Assumed, c.Root} }

// meet returns the desk of the charge's bucket, and whether the caller is the first one there.
func (k *Charger) meet(c *Charge) (d *Desk, first bool) {
	b := c.State
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.desk != nil {
		return b.desk, false
	}
	b.desk = &Desk{k: k, state: b, terms: c.Terms(), began: c.Now, asked: c.Now, Bell: alarm.NewBell(), rings: math.MaxInt64}
	return b.desk, true
}

// replace ends the desk because its callers come under other terms now: the next one makes another desk.
func (d *Desk) replace() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.openBuyer(); !d.ended {
		d.retireLocked(d.k.Now(), nil)
	}
}

// ask waits for the verdict on a charge. open is false if the desk has ended.
func (d *Desk) ask(ctx context.Context, c *Charge) (open bool, err error) {
	if ctx.Err() != nil { // also if the pocket could serve it
		return true, store.NotSent(ctx)
	}
	m := c.meeting(d)
	d.mu.Lock()
	if d.ended {
		d.mu.Unlock()
		return false, nil
	}
	d.openBuyer()
	d.asked = c.Now
	step := d.buyer.Ask(c.Now, &m.Caller)
	if m.Verdict != pocket.Pending {
		d.fillLocked(m, nil)
		d.actLocked(step, nil)
		d.mu.Unlock()
		return true, m.decide(c)
	}
	m.tries = 1
	d.actLocked(step, nil)
	d.mu.Unlock()
	ctx = c.attempt.Budget(ctx)
	if left := !d.wait(ctx, m); left {
		err := store.NotSent(ctx)
		d.k.Store.Missed(ctx, err)
		return true, err
	}
	return true, m.decide(c)
}

// openBuyer makes the buyer when callers meet for the first time, and tells it of the write that is under way.
func (d *Desk) openBuyer() {
	if d.buyer == nil {
		d.buyer = pocket.New(d.terms.Assumed.Rates, d.k.Pocket)
		d.outside = d.buyer.Begin(d.began)
		if d.k.Store.Closed() {
			d.actLocked(d.buyer.Close(d.began), nil)
		}
	}
}

// Close ends the desk for good, because the limiter closes: those who wait get ErrClosed, and what waits for a write is
// written.
func (d *Desk) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.actLocked(d.buyer.Close(d.k.Now()), nil)
}

// firstDone ends the write that the first caller has made for itself, and lets those go on who wait for it.
func (d *Desk) firstDone(c *Charge, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.buyer == nil && !d.staysLocked() {
		d.endLocked()
		return
	}
	d.openBuyer()
	w, now := d.outside, d.k.Now()
	d.outside = nil
	same := err != nil && c.attempt.abandoned.Load() || c.Assumed == d.terms.Assumed
	switch {
	case !same:
		d.retireLocked(now, w)
	case err != nil || c.FromLastSeen || !c.Record().Present(): // it has seen nothing; outs may have what the attempt was used for before
		d.actLocked(d.buyer.End(now, w, nil, false), nil)
	default:
		d.actLocked(d.buyer.End(now, w, c.SeenRecord(), c.Result == Applied), nil)
	}
}

// actLocked does what a step of the buyer asks for: it wakes those who have their verdict, and sends the next write. failed is the
// write that has failed, if one has.
func (d *Desk) actLocked(step pocket.Step, failed *failure) {
	for _, c := range step.Decided {
		m := c.Tag.(*meeting)
		d.fillLocked(m, failed)
		m.done <- struct{}{}
	}
	if lost, some := d.buyer.TakeLost(); some {
		d.reportLost(RefundLost, lost.Refund)
		d.reportLost(UsageLost, lost.Used)
	}
	if step.Send != nil {
		d.send(step.Send, time.Duration(step.After))
	}
	if d.retired {
		d.k.SettleOwed(d.state, d.terms.Assumed, d.buyer.Owed())
	}
	due := d.buyer.Due()
	if d.outside == nil && d.buyer.Rest() {
		if !d.staysLocked() {
			d.endLocked()
			d.k.Alarm.Remove(d)
			return
		}
		due = d.asked + deskIdle
	}
	if due < d.rings || d.rings == math.MaxInt64 { // an alarm that comes too early does no harm
		d.rings = due
		d.k.Alarm.Set(d, due)
	}
}

// staysLocked reports whether the desk stays although nothing is to be done.
func (d *Desk) staysLocked() bool {
	return d.k.Prefetch && !d.ended && d.k.Now()-d.asked < deskIdle && !d.k.Store.Closed()
}

// Tick lets the buyer do what is due.
func (d *Desk) Tick(now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rings = math.MaxInt64
	d.actLocked(d.buyer.Tick(now), nil)
}

// retireLocked ends the desk because the record has other limits or another path than its callers assume: they begin again. w is
// the write that found that.
func (d *Desk) retireLocked(now int64, w *pocket.Write) {
	d.retired = true
	d.endLocked()
	d.actLocked(d.buyer.Retire(now, w, false, backend.Num{}), nil)
}

// endLocked lets the next caller make another desk.
func (d *Desk) endLocked() {
	d.ended, d.rings = true, math.MaxInt64
	d.state.lock.Lock()
	if d.state.desk == d {
		d.state.desk = nil
	}
	d.state.lock.Unlock()
}
