package engine

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// send sends a write in the background: it belongs to nobody's context, and a limiter that closes waits for it.
func (q *queue) send(ctx context.Context, w *reserve.Write) {
	inner, cancel := q.l.store.Budget(store.Last(context.WithoutCancel(ctx)))
	defer cancel()
	step, failed := q.sendOnce(inner, w, q.mu.Lock)
	defer q.mu.Unlock()
	q.act(step, failed)
}

// sendOnce sends a write and reports its outcome to the line. lock is called before the latter.
func (q *queue) sendOnce(ctx context.Context, w *reserve.Write, lock func()) (step reserve.Step, failed error) {
	a := q.l.attempts.Get().(*attempt)
	defer q.l.release(a)
	c := q.chargeOf(a, w)
	err := q.l.chargeAlone(ctx, a, c)
	lock()
	return q.report(w, c, err)
}

// chargeOf makes a charge of a write.
func (q *queue) chargeOf(a *attempt, w *reserve.Write) *bucketCharge {
	c := a.chargeUnder(&q.terms[w.Bucket], q.l.current(q.states[w.Bucket]), q.l.clock.now(), &w.Tag)
	c.reserved, c.creates = w, c.creates && w.Active == 0
	return c
}

// report tells the line of a write's outcome. The caller holds q.mu.
func (q *queue) report(w *reserve.Write, c *bucketCharge, err error) (step reserve.Step, failed error) {
	now := q.l.clock.now()
	q.sending = false
	w.Tag.(*trace).unsure = c.unsure
	switch {
	case errors.Is(err, errRestart):
		q.end()
		return q.line.Retire(now, w), nil
	case errors.Is(err, backend.ErrThrottled) && !c.unsure:
		return q.line.Throttled(now, w, rand.Uint64()), nil
	case err != nil:
		if c.unsure {
			q.l.reportUnrefunded(c.state, named(q.terms[w.Bucket].assumed, w.Take))
		}
		return q.line.Failed(now, w, !c.unsure), err
	case c.result == applied:
		return q.line.Applied(now, w, (*reserve.Record)(c.seenRecord())), nil
	}
	return q.line.Refused(now, w, (*reserve.Record)(c.seenRecord())), nil
}

// buildReserved builds a reservation, or the refund of one: reserve.Write says what each means. The token check is made as of an
// instant that may be in the future.
func (c *bucketCharge) buildReserved() {
	w, now := c.reserved, backend.Int(c.now)
	c.form = form{}
	c.conds = append(c.conds[:0], backend.Cond{Slot: schema.L, Op: backend.Equal, OrAbsent: c.creates && !w.Refund, Text: c.assumed.Text})
	c.effects = append(c.effects[:0],
		backend.Effect{Slot: schema.Ver, Op: backend.Add, Num: one, Base: now.Sub(one)},
		backend.Effect{Slot: schema.At, Op: backend.Set, Num: now})
	if w.Refund {
		c.buildReservedRefund()
		return
	}
	for i := range w.Take {
		c.reserveLimit(i)
	}
	c.conds = append(c.conds,
		backend.Cond{Slot: schema.Path, Op: backend.AtMost, OrAbsent: true, A: backend.Int(c.conf.version)},
		backend.Cond{Slot: schema.Nonce, Op: backend.NotEqual, A: c.nonce})
	c.effects = append(c.effects,
		backend.Effect{Slot: schema.Acq, Op: backend.Add, Num: backend.Int(w.Acquired)},
		backend.Effect{Slot: schema.Nonce, Op: backend.Set, Num: c.nonce})
	if c.writesPath {
		c.effects = append(c.effects, backend.Effect{Slot: schema.Path, Op: backend.Set, Num: backend.Int(c.conf.version)})
	}
	if c.creates {
		c.addCreation()
	}
	c.write(limitset.Expiry(c.now, max(w.FullBy, c.now), c.hold))
	if c.creates {
		c.mayCreate()
	}
}

// reserveLimit adds the conditions and effects of limit i.
func (c *bucketCharge) reserveLimit(i int) {
	w, rate, tat := c.reserved, &c.assumed.Rates[i], schema.Tat(i)
	n, y := w.Take[i], rate.Y(w.As)
	cost := rate.Cost(n)
	switch {
	case n == 0:
		c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: w.Most[i]})
		return
	case w.Active>>i&1 == 1:
		c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.Between, A: y.Add(one), B: w.Most[i]})
		c.effects = append(c.effects, backend.Effect{Slot: tat, Op: backend.Add, Num: cost})
	default:
		c.conds = append(c.conds, backend.Cond{Slot: tat, Op: backend.AtMost, OrAbsent: true, A: y})
		c.effects = append(c.effects, backend.Effect{Slot: tat, Op: backend.Set, Num: y.Add(cost)})
	}
	c.effects = append(c.effects, backend.Effect{Slot: schema.Used(i), Op: backend.Add, Num: backend.Int(n)})
}

// buildReservedRefund refunds a slot that is the last one on its record. It is sent once, and leaves the nonce and the expiry.
func (c *bucketCharge) buildReservedRefund() {
	w := c.reserved
	c.conds = append(c.conds, backend.Cond{Slot: schema.Born, Op: backend.Equal, A: w.Born})
	for i, n := range w.Take {
		if n == 0 {
			continue
		}
		c.conds = append(c.conds, backend.Cond{Slot: schema.Tat(i), Op: backend.Equal, A: w.Most[i]})
		c.effects = append(c.effects,
			backend.Effect{Slot: schema.Tat(i), Op: backend.Add, Num: c.assumed.Rates[i].Cost(n).Neg()},
			backend.Effect{Slot: schema.Used(i), Op: backend.Add, Num: backend.Int(-n)})
	}
	c.effects = append(c.effects, backend.Effect{Slot: schema.Acq, Op: backend.Add, Num: backend.Int(-w.Acquired)})
	c.write(backend.KeepExpiry)
}
