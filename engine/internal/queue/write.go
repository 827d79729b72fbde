package queue

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
)

// send sends a write in the background: it belongs to nobody's context, and a limiter that closes waits for it.
func (q *Queue) send(ctx context.Context, w *reserve.Write) {
	inner, cancel := q.all.Store.LastBudget(ctx)
	defer cancel()
	step, failed := q.sendOnce(inner, w, q.mu.Lock)
	defer q.mu.Unlock()
	q.actLocked(step, failed)
}

// sendOnce sends a write and reports its outcome to the line. lock is called before the latter.
func (q *Queue) sendOnce(ctx context.Context, w *reserve.Write, lock func()) (step reserve.Step, failed error) {
	one := q.all.NewShared(&q.terms[w.Bucket], q.all.Current(q.states[w.Bucket]), q.all.Now(), &w.Tag)
	defer q.all.Release(one)
	c := &one.Charge[0]
	c.Reserved = w
	err := q.all.ChargeAlone(ctx, c)
	lock()
	return q.reportLocked(w, c, err)
}

// reportLocked tells the line of a write's outcome.
func (q *Queue) reportLocked(w *reserve.Write, c *charge.Charge, err error) (step reserve.Step, failed error) {
	now := q.all.Now()
	q.sending = false
	c.KeepTrace(w.Tag)
	switch {
	case errors.Is(err, charge.ErrRestart):
		q.endLocked()
		return q.line.Retire(now, w), nil
	case errors.Is(err, backend.ErrThrottled) && !c.Unsure:
		return q.line.Throttled(now, w, rand.Uint64()), nil
	case err != nil:
		if c.Unsure {
			q.all.ReportUnrefunded(c.State, charge.Named(q.terms[w.Bucket].Assumed, w.Take))
		}
		return q.line.Failed(now, w, !c.Unsure), err
	case c.Result == charge.Applied:
		return q.line.Applied(now, w, (*reserve.Record)(c.SeenRecord())), nil
	}
	return q.line.Refused(now, w, (*reserve.Record)(c.SeenRecord())), nil
}
