package memory

import (
	"context"
	"sync"

	"github.com/zeroae/zae-limiter-go/backend"
)

// queue holds the changes that have not been taken yet, oldest first.
type queue struct {
	taking  sync.Mutex // held by a running call of Feed
	lock    sync.Mutex
	changes []backend.Change
}

// push copies the records. The caller holds their locks, so that the changes of one key come in order.
func (q *queue) push(k backend.Key, before, after *backend.Record) {
	c := backend.Change{Key: k}
	c.Before.CopyFrom(before)
	c.After.CopyFrom(after)
	q.lock.Lock()
	q.changes = append(q.changes, c)
	q.lock.Unlock()
}

// noteLocked is checkAndApplyLocked, and adds the change to the queue.
func (s *Store) noteLocked(r *record, w *backend.Write, o *backend.Outcome) {
	var before backend.Record
	before.CopyFrom(&r.body)
	r.checkAndApplyLocked(w, o)
	if o.Applied && !(r.body.Equal(&before) && (w.Index == nil || *w.Index == r.place())) {
		s.queue.push(r.key(), &before, &r.body)
	}
}

// Feed is a [backend.FeedFunc]. It returns an error that is backend.ErrInvalid if the store was opened without Options.Feed.
func (s *Store) Feed(ctx context.Context, layouts backend.Layouts, size int, take func([]backend.Change) error) (int, error) {
	if err := s.check(ctx); err != nil {
		return 0, err
	}
	if s.queue == nil {
		return 0, errNoFeed
	}
	if size < 1 {
		return 0, errSize(size)
	}
	return s.queue.feed(layouts, size, take)
}

func (q *queue) feed(layouts backend.Layouts, size int, take func([]backend.Change) error) (int, error) {
	q.taking.Lock()
	defer q.taking.Unlock()
	q.lock.Lock()
	oldest := q.changes[:min(size, len(q.changes))]
	q.lock.Unlock()
	wanted := make([]backend.Change, 0, len(oldest))
	for i := range oldest {
		if layouts(oldest[i].Key) != nil {
			wanted = append(wanted, oldest[i])
		}
	}
	if len(wanted) > 0 {
		if err := take(wanted); err != nil {
			return 0, err
		}
	}
	q.lock.Lock()
	defer q.lock.Unlock()
	clear(q.changes[:len(oldest)]) // frees the records, although the array stays
	if q.changes = q.changes[len(oldest):]; len(q.changes) == 0 {
		q.changes = nil
	}
	return len(oldest), nil
}
