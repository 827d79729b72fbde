package engine

import (
	"context"
	"slices"
	"sync"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// queue is where callers of Wait of this process wait that charge the same buckets under the same limits. The line decides
// what they reserve, and when each of them is admitted. A queue ends when nobody waits and nothing is reserved.
type queue struct {
	l      *Limiter
	states []*bucketState // by bucket of the path
	terms  []terms
	bell

	mu      sync.Mutex // guards what follows; nothing but a store without I/O is called under it
	line    *reserve.Line
	ended   bool // the next caller makes another queue
	sending bool // a write is under way
	sends   int  // writes so far
}

// queues are those of a limiter, by the bucket that requests name. There are several for one bucket if requests bring
// different limits.
type queues struct {
	mu sync.Mutex
	of map[bucketID][]*queue
}

// queueOf returns the queue of an attempt's path, locked. Queues that assume an older configuration end.
func (l *Limiter) queueOf(a *attempt) *queue {
	for {
		q, outdated := l.queues.find(l, a)
		for _, old := range outdated {
			old.retire()
		}
		if q.mu.Lock(); !q.ended {
			return q
		}
		q.mu.Unlock()
	}
}

// find finds or makes the queue of an attempt's path.
func (s *queues) find(l *Limiter, a *attempt) (found *queue, outdated []*queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.of[a.root.id] {
		switch {
		case q.serves(a):
			found = q
		case q.isOutdated():
			outdated = append(outdated, q)
		}
	}
	if found != nil {
		return found, outdated
	}
	q := &queue{l: l, bell: bell{place: -1}}
	var rates [][]bucket.Rate
	for i := range a.n {
		c := &a.charges[i]
		q.states, q.terms, rates = append(q.states, c.state), append(q.terms, c.terms()), append(rates, c.assumed.Rates)
	}
	q.line = reserve.New(rates, l.reach)
	if s.of == nil {
		s.of = map[bucketID][]*queue{}
	}
	s.of[a.root.id] = append(s.of[a.root.id], q)
	return q, outdated
}

// retire ends the queues that charge some bucket for which affected returns true.
func (s *queues) retire(affected func(*bucketState) bool) {
	var found []*queue
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
func (s *queues) drop(q *queue) {
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

// serves reports whether the attempt charges the queue's buckets under its terms.
func (q *queue) serves(a *attempt) bool {
	if len(q.terms) != a.n {
		return false
	}
	for i := range a.n {
		if c := &a.charges[i]; q.states[i].id != c.state.id || q.terms[i] != c.terms() {
			return false
		}
	}
	return true
}

// isOutdated reports whether the configuration of some bucket is known to be another one.
func (q *queue) isOutdated() bool {
	for i, b := range q.states {
		if conf := b.conf.Load(); conf != nil && conf != q.terms[i].conf {
			return true
		}
	}
	return false
}

// retire ends the queue because its callers come under other limits now: those without a reservation begin again.
func (q *queue) retire() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.end()
		q.act(q.line.Retire(q.l.clock.now(), nil), nil)
	}
}

// end lets the next caller make another queue. The caller holds q.mu.
func (q *queue) end() {
	if !q.ended {
		q.ended = true
		q.l.queues.drop(q)
	}
}

// tick does what is due.
func (q *queue) tick(now int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.act(q.line.Tick(now), nil)
}

// close ends the queue for good, because the limiter closes: those who wait get ErrClosed, and what they have reserved is
// refunded.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.act(q.line.Close(q.l.clock.now()), nil)
}

// act does what a step of the line asks for. failed is why a write has failed, if one has. The caller holds q.mu.
func (q *queue) act(step reserve.Step, failed error) {
	for {
		for _, x := range step.Decided {
			m := x.Tag.(*waiting)
			m.err = failed
			m.done <- struct{}{}
		}
		q.refund(step.Refunds)
		w := step.Send
		if w == nil {
			break
		}
		if q.sends, q.sending = q.sends+1, true; !q.l.noIO {
			q.l.start(func(ctx context.Context) { q.send(ctx, w) })
			break
		}
		step, failed = q.sendOnce(context.Background(), w, func() {})
	}
	if q.line.Rest() {
		q.end()
		q.l.alarm.remove(q)
		return
	}
	q.l.alarm.set(q, q.line.Due())
}

// refund refunds what slots have that nobody uses. The caller holds q.mu.
func (q *queue) refund(refunds []reserve.Refund) {
	for _, r := range refunds {
		p := newPart(q.l.current(q.states[r.Bucket]), q.terms[r.Bucket].assumed, r.Born)
		used := make(pocket.Tokens, len(r.Tokens))
		for i, n := range r.Tokens {
			used[i] = -n
			p.at(i).held, p.at(i).pending = n, -n
		}
		if r.Acquired != 0 {
			p.rarely().owed = &pocket.Owed{Used: used, Acquired: -r.Acquired, Born: r.Born}
		}
		if q.l.noIO {
			q.l.settleAside(q.l.ctx, p)
		} else {
			q.l.start(func(ctx context.Context) { q.l.settleAside(ctx, p) })
		}
	}
}

// recall tells the line of the last seen records of the attempt's buckets. The caller holds q.mu.
func (q *queue) recall(a *attempt) {
	var tats limitset.Arrivals
	for i := range a.n {
		set, b := a.charges[i].assumed, a.charges[i].state
		b.lock.Lock()
		seen := &b.seen
		known := seen.set == set && !store.Expired(seen.expiry, a.now)
		r, at := reserve.Record{Ver: seen.version, Born: seen.born}, seen.at
		if known {
			seen.read(&tats)
		}
		b.lock.Unlock()
		if known {
			r.Tats = tats[:len(set.Rates)]
			q.line.Saw(at, i, &r)
		}
	}
}
