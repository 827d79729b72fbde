package bolt

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Feed is a [backend.FeedFunc]. Changes are in the file until they are taken, so that they survive the process. It returns
// an error that is backend.ErrInvalid if the store was opened without Options.Feed, and backend.ErrRejected with
// Options.ReadOnly.
func (s *Store) Feed(ctx context.Context, layouts backend.Layouts, size int, take func([]backend.Change) error) (int, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	if !s.feed {
		return 0, errNoFeed
	}
	if s.db.IsReadOnly() { // a change that was taken could not be removed
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
	// The changes have been taken: a context that ends now must not cause them to be taken again.
	if err := s.queue.do(context.WithoutCancel(ctx), &request{run: forget, size: len(numbers)}); err != nil {
		return 0, err
	}
	return len(numbers), nil
}

// oldest returns copies of the oldest changes for which there is a layout, and the numbers of all of them.
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
