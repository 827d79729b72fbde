package bolt

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Feed is a [backend.FeedFunc]; it is refused on a store that was opened without Options.Feed. Changes are in the
// file until they were taken, so they survive the process.
func (s *Store) Feed(ctx context.Context, layouts backend.Layouts, size int, take func([]backend.Change) error) (int, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	if !s.feed {
		return 0, errNoFeed
	}
	if s.db.IsReadOnly() { // what is taken could not be forgotten
		return 0, errReadOnly
	}
	if size < 1 {
		return 0, errSize(size)
	}
	s.taking.Lock()
	defer s.taking.Unlock()
	changes, numbers, err := s.oldest(layouts, size)
	if err != nil || len(numbers) == 0 {
		return 0, err
	}
	if len(changes) > 0 {
		if err := take(changes); err != nil {
			return 0, err
		}
	}
	forget := func(b *batch) { b.taken = append(b.taken, numbers...) }
	// Taken is taken: a context that ends now must not have them taken again.
	if err := s.queue.do(context.WithoutCancel(ctx), &request{run: forget, size: len(numbers)}); err != nil {
		return 0, err
	}
	return len(numbers), nil
}

// oldest copies the oldest changes for which there is a layout, and the numbers of all.
func (s *Store) oldest(layouts backend.Layouts, size int) (changes []backend.Change, numbers [][]byte, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(feedBucket).Cursor()
		for n, v := c.First(); n != nil && len(numbers) < size; n, v = c.Next() {
			numbers = append(numbers, bytes.Clone(n))
			change, wanted, err := decodeChange(v, layouts)
			if err != nil {
				return errRecord(change.Key, err)
			}
			if wanted {
				changes = append(changes, change)
			}
		}
		return nil
	})
	return changes, numbers, err
}

func decodeChange(b []byte, layouts backend.Layouts) (c backend.Change, wanted bool, err error) {
	r := reader{b: b}
	key, before, after := r.string(), r.string(), r.string()
	if r.err != nil {
		return c, false, r.err
	}
	if c.Key, err = decodeKey(key); err != nil {
		return c, false, err
	}
	layout := layouts(c.Key)
	if layout == nil {
		return c, false, nil
	}
	for record, stored := range map[*backend.Record][]byte{&c.Before: before, &c.After: after} {
		record.Reset(layout)
		if len(stored) == 0 {
			continue
		}
		if err := decodeRecord(stored, record); err != nil {
			return c, false, err
		}
	}
	return c, true, nil
}
