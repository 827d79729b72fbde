package queue

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/alarm"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
	"github.com/zeroae/zae-limiter-go/engine/internal/settle"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// Queue is where callers of Wait of this process wait that charge the same buckets under the same limits. The line decides
// what they reserve, and when each of them is admitted. A queue ends when nobody waits and nothing is reserved.
type Queue struct {
	all    *Queues
	states []*charge.State // by bucket of the path
	terms  []charge.Terms
	alarm.Bell
	following atomic.Bool // somebody asks for the configuration already

	mu      sync.Mutex // guards what follows; nothing but a store without I/O is called under it
	line    *reserve.Line
	ended   bool // the next caller makes another queue
	sending bool // a write is under way
	sends   int  // writes so far
}

// Queues are those of a limiter, by the bucket that requests name. There are several for one bucket if requests bring
// different limits. Safe for concurrent use.
type Queues struct {
	*settle.Settler
	ctx   context.Context // of background work
	reach time.Duration   // how far ahead callers reserve

	mu sync.Mutex
	of map[charge.ID][]*Queue
}

// New returns no queues yet. reach is how far ahead callers reserve; ctx is that of the limiter's background work.
func New(ctx context.Context, s *settle.Settler, reach time.Duration) *Queues {
	return &Queues{Settler: s, ctx: ctx, reach: reach, of: map[charge.ID][]*Queue{}}
}

// queueOf returns the queue of a path, locked: the charges of the requests in it, of which the first one names the bucket root. Queues
// that assume an older configuration end.
func (s *Queues) queueOf(root charge.ID, charges []charge.Charge) *Queue {
	for {
		q, outdated := s.find(root, charges)
		for _, old := range outdated {
			old.retire()
		}
		if q.mu.Lock(); !q.ended {
			return q
		}
		q.mu.Unlock()
	}
}

// find finds or makes the queue of a path.
func (s *Queues) find(root charge.ID, charges []charge.Charge) (found *Queue, outdated []*Queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.of[root] {
		switch {
		case q.serves(charges):
			found = q
		case q.isOutdated():
			outdated = append(outdated, q)
		}
	}
	if found != nil {
		return found, outdated
	}
	q := &Queue{all: s, Bell: alarm.NewBell()}
	var rates [][]bucket.Rate
	for i := range charges {
		c := &charges[i]
		q.states, q.terms, rates = append(q.states, c.State), append(q.terms, c.Terms()), append(rates, c.Assumed.Rates)
	}
	q.line = reserve.New(rates, s.reach)
	s.of[root] = append(s.of[root], q)
	return q, outdated
}

// Retire ends the queues that charge some bucket for which affected returns true.
func (s *Queues) Retire(affected func(*charge.State) bool) {
	var found []*Queue
	s.mu.Lock()
	for _, all := range s.of {
		for _, q := range all {
			if slices.ContainsFunc(q.states, affected) {
				found = append(found, q)
			}
		}
	}
	s.mu.Unlock()
	for _, q := range found {
		q.retire()
	}
}

// drop forgets a queue.
func (s *Queues) drop(q *Queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, all := range s.of {
		if i := slices.Index(all, q); i < 0 {
			continue
		} else if len(all) > 1 {
			s.of[id] = slices.Delete(slices.Clone(all), i, i+1)
		} else {
			delete(s.of, id)
		}
		return
	}
}

// serves reports whether the path charges the queue's buckets under its terms.
func (q *Queue) serves(charges []charge.Charge) bool {
	if len(q.terms) != len(charges) {
		return false
	}
	for i := range charges {
		if c := &charges[i]; q.states[i].ID != c.State.ID || q.terms[i] != c.Terms() {
			return false
		}
	}
	return true
}

// isOutdated reports whether the configuration of some bucket is known to be another one.
func (q *Queue) isOutdated() bool {
	for i, b := range q.states {
		if conf := b.Config.Load(); conf != nil && conf != q.terms[i].Config {
			return true
		}
	}
	return false
}

// retire ends the queue because its callers come under other limits now: those without a reservation begin again.
func (q *Queue) retire() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.endLocked()
		q.actLocked(q.line.Retire(q.all.Now(), nil), nil)
	}
}

// endLocked lets the next caller make another queue.
func (q *Queue) endLocked() {
	if !q.ended {
		q.ended = true
		q.all.drop(q)
	}
}

// Tick does what is due. A queue in which somebody waits without a reservation is due at least once a minute.
func (q *Queue) Tick(now int64) {
	q.mu.Lock()
	waits := q.line.Waits()
	q.actLocked(q.line.Tick(now), nil)
	q.mu.Unlock()
	if waits {
		q.follow(now)
	}
}

// follow ends the queue if others have changed its configuration, or if the namespace is gone: its callers may wait for so long
// that nobody else of this process asks for the configuration. mu must not be held, because a look may end queues, too.
func (q *Queue) follow(now int64) {
	check := func(ctx context.Context) {
		defer q.following.Store(false)
		inner, cancel := q.all.Store.Budget(store.Aside(ctx))
		defer cancel()
		for i, b := range q.states {
			if conf, err := q.all.ConfigOf(inner, q.all.Current(b), now); err != nil || *conf != *q.terms[i].Config {
				q.retire()
				return
			}
		}
	}
	switch {
	case !q.following.CompareAndSwap(false, true):
	case q.all.NoIO:
		check(q.all.ctx)
	default:
		q.all.Go(check) // false if the limiter closes, which ends the queue
	}
}

// Close ends the queue for good, because the limiter closes: those who wait get ErrClosed, and what they have reserved is
// refunded.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.actLocked(q.line.Close(q.all.Now()), nil)
}

// actLocked does what a step of the line asks for. failed is why a write has failed, if one has.
func (q *Queue) actLocked(step reserve.Step, failed error) {
	for {
		for _, x := range step.Decided {
			m := x.Tag.(*Waiting)
			m.Err = failed
			m.done <- struct{}{}
		}
		q.refundLocked(step.Refunds)
		w := step.Send
		if w == nil {
			break
		}
		q.sends, q.sending = q.sends+1, true
		if !q.all.NoIO {
			q.all.Start(func(ctx context.Context) { q.send(ctx, w) })
			break
		}
		step, failed = q.sendOnce(context.Background(), w, func() {})
	}
	if q.line.Rest() {
		q.endLocked()
		q.all.Alarm.Remove(q)
		return
	}
	q.all.Alarm.Set(q, q.line.Due())
}

// refundLocked refunds what slots have that nobody uses.
func (q *Queue) refundLocked(refunds []reserve.Refund) {
	for _, r := range refunds {
		b := q.all.Current(q.states[r.Bucket])
		p := settle.NewRefund(b, q.terms[r.Bucket].Assumed, r.Born, r.Tokens, r.Acquired)
		if q.all.NoIO {
			q.all.SettleAside(q.all.ctx, p)
		} else {
			q.all.Start(func(ctx context.Context) { q.all.SettleAside(ctx, p) })
		}
	}
}

// recallLocked tells the line of the last seen records of the path's buckets.
func (q *Queue) recallLocked(charges []charge.Charge) {
	var tats limitset.Arrivals
	var r reserve.Record
	for i := range charges {
		if at, known := charges[i].LastRecord(&r, &tats); known {
			q.line.Saw(at, i, &r)
		}
	}
}
