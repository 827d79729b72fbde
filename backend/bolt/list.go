package bolt

import (
	"bytes"
	"context"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/zeroae/zae-limiter-go/backend"
)

// List implements [backend.Backend]. Index listings are as fresh as primary ones.
func (s *Store) List(ctx context.Context, q backend.Query) (page backend.Keys, err error) {
	if err := s.begin(ctx); err != nil {
		return page, err
	}
	if err := q.Validate(); err != nil {
		return page, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		name := recordsBucket
		if q.Index {
			name = indexBucket
		}
		page, err = list(tx.Bucket(name).Cursor(), &q)
		return err
	})
	return page, err
}

func list(c *bbolt.Cursor, q *backend.Query) (page backend.Keys, err error) {
	from, to := bounds(q)
	at, step := seek(c, from), c.Next
	if q.Reverse {
		at, step = seekBefore(c, to), c.Prev
	}
	for ; at != nil; at, _ = step() {
		if !q.Reverse && bytes.Compare(at, to) >= 0 || q.Reverse && bytes.Compare(at, from) < 0 {
			break
		}
		if page.More = len(page.Items) == q.Size; page.More {
			break
		}
		item, err := itemOf(at, q.Index)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, item)
	}
	return page, nil
}

// bounds returns the least key of the query's listing and the one that ends it, in either direction.
func bounds(q *backend.Query) (from, to []byte) {
	partition := appendParts(nil, q.Namespace, q.Partition)
	from = appendPart(bytes.Clone(partition), q.From)
	to = appendPart(bytes.Clone(partition), q.To)
	if q.To == "" {
		to[len(to)-1] = behind
	}
	if q.After == nil {
		return from, to
	}
	after := appendParts(partition, q.After.Sort)
	if q.Index {
		after = appendParts(after, q.After.Key.Partition, q.After.Key.Sort)
	}
	if q.Reverse {
		return from, slices.MinFunc([][]byte{after, to}, bytes.Compare)
	}
	after[len(after)-1] = behind
	return slices.MaxFunc([][]byte{after, from}, bytes.Compare), to
}

func seek(c *bbolt.Cursor, to []byte) []byte {
	at, _ := c.Seek(to)
	return at
}

// seekBefore returns the last key before another one.
func seekBefore(c *bbolt.Cursor, to []byte) []byte {
	at, _ := c.Seek(to)
	if at == nil {
		at, _ = c.Last()
		return at
	}
	at, _ = c.Prev()
	return at
}

func itemOf(stored []byte, index bool) (item backend.Item, err error) {
	if !index {
		item.Key, err = decodeKey(stored)
		item.Sort = item.Key.Sort
		return item, err
	}
	var place backend.Place
	item.Key, place, err = decodeEntry(stored)
	item.Sort = place.Sort
	return item, err
}

// Scan is a [backend.ScanFunc], in the order of keys. A position is the last key, as it is stored.
func (s *Store) Scan(ctx context.Context, namespace, after string, size int) (keys []backend.Key, next string, err error) {
	if err := s.begin(ctx); err != nil {
		return nil, "", err
	}
	if err := (backend.Key{Namespace: namespace, Partition: "-", Sort: "-"}).Validate(); err != nil {
		return nil, "", err
	}
	if size < 1 {
		return nil, "", errSize(size)
	}
	from := appendParts(nil, namespace)
	to := bytes.Clone(from)
	to[len(to)-1] = behind
	if after != "" {
		if k, err := decodeKey([]byte(after)); err != nil || k.Namespace != namespace {
			return nil, "", errPosition(after)
		}
		from = []byte(after)
		from[len(from)-1] = behind
	}
	err = s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(recordsBucket).Cursor()
		var last []byte
		for at := seek(c, from); at != nil && bytes.Compare(at, to) < 0; at, _ = c.Next() {
			if len(keys) == size {
				next = string(last)
				return nil
			}
			k, err := decodeKey(at)
			if err != nil {
				return err
			}
			keys, last = append(keys, k), at
		}
		return nil
	})
	return keys, next, err
}
