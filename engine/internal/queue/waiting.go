package queue

import (
	"context"
	"math"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// Waiting is a caller in a queue. What follows the waiter is written before done is sent to.
type Waiting struct {
	reserve.Waiter
	done chan struct{} // has room for one
	Err  error         // of the write that failed
	sent int           // the queue's writes when it joined
}

// Join lets the caller whose path these charges are wait in its queue; root is the bucket that the request names. decided is true if
// its verdict is known already.
func (s *Queues) Join(ctx context.Context, root charge.ID, charges []charge.Charge) (m *Waiting, q *Queue, decided bool) {
	m = &Waiting{done: make(chan struct{}, 1)}
	m.Tag = m
	for i := range charges {
		c := &charges[i]
		m.Need = append(m.Need, c.Need[:len(c.Assumed.Rates)]...)
	}
	q = s.queueOf(root, charges)
	defer q.mu.Unlock()
	now := s.Now()
	m.Deadline = math.MaxInt64
	if left := int64(pause.Left(ctx)); left < math.MaxInt64-now {
		m.Deadline = now + left
	}
	q.recallLocked(charges)
	if s.Store.Closed() {
		q.actLocked(q.line.Close(now), nil)
	}
	step := q.line.Join(now, &m.Waiter)
	decided = m.Verdict != reserve.Pending
	q.actLocked(step, nil)
	m.sent = q.sends
	return m, q, decided
}

// Wait waits for the verdict, or until ctx ends. It returns an error if the store does not answer within the caller's budget.
func (q *Queue) Wait(ctx, budget context.Context, m *Waiting) error {
	select {
	case <-m.done:
		return nil
	case <-ctx.Done():
	case <-budget.Done():
		if ctx.Err() == nil && !q.hangs(m) {
			select {
			case <-m.done:
				return nil
			case <-ctx.Done():
			}
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if m.Verdict != reserve.Pending {
		<-m.done
		return nil
	}
	q.actLocked(q.line.Leave(q.all.Now(), &m.Waiter), nil)
	if m.Verdict == reserve.Pending && ctx.Err() == nil {
		err := store.NotSent(budget)
		q.all.Store.Missed(budget, err)
		return err
	}
	return nil
}

// hangs reports whether the write is still under way that was when the caller joined, or that was sent then.
func (q *Queue) hangs(m *Waiting) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sending && q.sends == m.sent
}
