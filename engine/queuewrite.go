package engine

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// send sends a write in the background: it belongs to nobody's context, and a limiter that closes waits for it.
func (q *queue) send(ctx context.Context, w *reserve.Write) {
	inner, cancel := q.all.Store.Budget(store.Last(context.WithoutCancel(ctx)))
	defer cancel()
	step, failed := q.sendOnce(inner, w, q.mu.Lock)
	defer q.mu.Unlock()
	q.act(step, failed)
}

// sendOnce sends a write and reports its outcome to the line. lock is called before the latter.
func (q *queue) sendOnce(ctx context.Context, w *reserve.Write, lock func()) (step reserve.Step, failed error) {
	one := q.all.chargeUnder(&q.terms[w.Bucket], q.all.current(q.states[w.Bucket]), q.all.Now(), &w.Tag)
	defer q.all.release(one)
	c := &one.charge[0]
	c.reserved, c.creates = w, c.creates && w.Active == 0
	err := q.all.chargeAlone(ctx, c)
	lock()
	return q.report(w, c, err)
}

// report tells the line of a write's outcome. The caller holds q.mu.
func (q *queue) report(w *reserve.Write, c *bucketCharge, err error) (step reserve.Step, failed error) {
	now := q.all.Now()
	q.sending = false
	c.keepTrace(w.Tag)
	switch {
	case errors.Is(err, errRestart):
		q.end()
		return q.line.Retire(now, w), nil
	case errors.Is(err, backend.ErrThrottled) && !c.unsure:
		return q.line.Throttled(now, w, rand.Uint64()), nil
	case err != nil:
		if c.unsure {
			q.all.reportUnrefunded(c.state, named(q.terms[w.Bucket].assumed, w.Take))
		}
		return q.line.Failed(now, w, !c.unsure), err
	case c.result == applied:
		return q.line.Applied(now, w, (*reserve.Record)(c.seenRecord())), nil
	}
	return q.line.Refused(now, w, (*reserve.Record)(c.seenRecord())), nil
}
