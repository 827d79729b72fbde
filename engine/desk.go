package engine

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

// desk is where callers of this process meet that charge one bucket under the same limits. Whoever comes first writes for
// itself. Those who come meanwhile wait, and share the next write: the buyer decides who, and in which order. In exact mode
// a desk ends when nobody writes or waits. With prefetch it stays while requests come, and its buyer has a pocket.
type desk struct {
	k     *charger
	state *bucketState
	terms terms

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

// terms are what callers must have in common to share a write.
type terms struct {
	conf              *config
	required, assumed *limitset.Set
	root              bool
}

func (c *bucketCharge) terms() terms { return terms{c.conf, c.required, c.assumed, c.root} }

// meet returns the desk of the charge's bucket, and whether the caller is the first one there.
func (k *charger) meet(c *bucketCharge) (d *desk, first bool) {
	b := c.state
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.desk != nil {
		return b.desk, false
	}
	b.desk = &desk{k: k, state: b, terms: c.terms(), began: c.now, asked: c.now, Bell: alarm.NewBell(), rings: math.MaxInt64}
	return b.desk, true
}

// leave ends the desk because its callers come under other terms now.
func (d *desk) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.openBuyer(); !d.ended {
		d.retire(d.k.Now(), nil)
	}
}

// ask waits for the verdict on a charge. open is false if the desk has ended.
func (d *desk) ask(ctx context.Context, c *bucketCharge) (open bool, err error) {
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
	d.asked = c.now
	step := d.buyer.Ask(c.now, &m.Caller)
	if m.Verdict != pocket.Pending {
		d.fill(m, nil)
		d.act(step, nil)
		d.mu.Unlock()
		return true, m.decide(c)
	}
	m.tries = 1
	d.act(step, nil)
	d.mu.Unlock()
	ctx = d.k.budget(ctx, c.of)
	if left := !d.wait(ctx, m); left {
		err := store.NotSent(ctx)
		d.k.Store.Missed(ctx, err)
		return true, err
	}
	return true, m.decide(c)
}

// openBuyer makes the buyer when callers meet for the first time, and tells it of the write that is under way.
func (d *desk) openBuyer() {
	if d.buyer == nil {
		d.buyer = pocket.New(d.terms.assumed.Rates, d.k.Pocket)
		d.outside = d.buyer.Begin(d.began)
		if d.k.Store.Closed() {
			d.act(d.buyer.Close(d.began), nil)
		}
	}
}

// Close ends the desk for good, because the limiter closes: those who wait get ErrClosed, and what waits for a write is
// written.
func (d *desk) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.act(d.buyer.Close(d.k.Now()), nil)
}

// firstDone ends the write that the first caller has made for itself, and lets those go on who wait for it.
func (d *desk) firstDone(c *bucketCharge, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.buyer == nil && !d.stays() {
		d.end()
		return
	}
	d.openBuyer()
	w, now := d.outside, d.k.Now()
	d.outside = nil
	same := err != nil && c.of.abandoned.Load() || c.assumed == d.terms.assumed
	switch {
	case !same:
		d.retire(now, w)
	case err != nil || c.fromLastSeen || !c.record().Present(): // it has seen nothing; outs may have what the attempt was used for before
		d.act(d.buyer.End(now, w, nil, false), nil)
	default:
		d.act(d.buyer.End(now, w, c.seenRecord(), c.result == applied), nil)
	}
}

// act does what a step of the buyer asks for: it wakes those who have their verdict, and sends the next write. failed is the
// write that has failed, if one has. The caller holds d.mu.
func (d *desk) act(step pocket.Step, failed *failure) {
	for _, c := range step.Decided {
		m := c.Tag.(*meeting)
		d.fill(m, failed)
		m.done <- struct{}{}
	}
	if lost, some := d.buyer.TakeLost(); some {
		d.reportLost(reportRefundLost, lost.Refund)
		d.reportLost(reportUsageLost, lost.Used)
	}
	if step.Send != nil {
		d.send(step.Send, time.Duration(step.After))
	}
	if d.retired {
		owed := d.buyer.Owed()
		d.k.settleOwed(d.state, d.terms.assumed, owed)
	}
	due := d.buyer.Due()
	if d.outside == nil && d.buyer.Rest() {
		if !d.stays() {
			d.end()
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

// stays reports whether the desk stays although nothing is to be done.
func (d *desk) stays() bool {
	return d.k.Prefetch && !d.ended && d.k.Now()-d.asked < deskIdle && !d.k.Store.Closed()
}

// Tick lets the buyer do what is due.
func (d *desk) Tick(now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rings = math.MaxInt64
	d.act(d.buyer.Tick(now), nil)
}

// retire ends the desk because the record has other limits or another path than its callers assume: they begin again. w is
// the write that found that. The caller holds d.mu.
func (d *desk) retire(now int64, w *pocket.Write) {
	d.retired = true
	d.end()
	d.act(d.buyer.Retire(now, w, false, backend.Num{}), nil)
}

// end lets the next caller make another desk. The caller holds d.mu.
func (d *desk) end() {
	d.ended, d.rings = true, math.MaxInt64
	d.state.lock.Lock()
	if d.state.desk == d {
		d.state.desk = nil
	}
	d.state.lock.Unlock()
}
