package store

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Listing is the source of a list: keys that match a query, and the record to read for each.
type Listing struct {
	Query      backend.Query
	Keys       func(context.Context, backend.Query) (backend.Keys, error) // nil: Store.Keys
	Record     func(backend.Item) backend.Key                             // the record to read; nil: the item's own
	Unreadable func(backend.Key)                                          // called for each record that cannot be read; nil: they are skipped and reported
}

// OnUnreadable returns the listing with a function that is called for each record that cannot be read.
func (of Listing) OnUnreadable(f func(backend.Key)) Listing {
	of.Unreadable = f
	return of
}

// Range asks for one page of a listing.
type Range struct {
	Size  int    // the most items, 1 to backend.MaxPage
	After string // the cursor that Walk returned with the page before; "" for the first page
	Now   int64  // ns since the Unix epoch: records that have expired by then count as deleted
}

// Skipped counts what a list leaves out because it cannot be read or this library did not write it.
type Skipped struct {
	N   int
	Err error // why the first was skipped
}

// Add counts n more, which are skipped because of err.
func (s *Skipped) Add(n int, err error) {
	if s.N += n; n > 0 && s.Err == nil {
		s.Err = err
	}
}

// Report reports what a list has skipped, if anything.
func (s *Store) Report(ctx context.Context, skipped Skipped) {
	if skipped.N > 0 {
		s.OnSkip(ctx, skipped)
	}
}

// Walk returns one page of a listing, and the cursor of the page after it, "" if there is none. item decodes the record of
// an item, and returns false to leave the item out; a record that was deleted or has expired is not Present. Records that
// cannot be read, by the backend or by item, are left out and reported. The page is filled up with further items. It
// returns ErrCursor for a cursor of another listing.
func Walk[T any](
	ctx context.Context, s *Store, of Listing, r Range, item func(backend.Item, *backend.Record) (T, bool, error),
) (items []T, next string, err error) {
	q := of.Query
	if q.After, err = position(&q, r.After); err != nil {
		return nil, "", err
	}
	if of.Keys == nil {
		of.Keys = s.Keys
	}
	var last backend.Item
	var skipped Skipped
	defer func() { s.Report(ctx, skipped) }()
	for {
		q.Size = min(r.Size-len(items)+1, backend.MaxPage)
		found, err := of.Keys(ctx, q)
		if err != nil {
			return nil, "", err
		}
		if len(found.Items) == 0 {
			return items, "", nil
		}
		out, unreadable, err := s.records(ctx, &of, found.Items, r.Now)
		if err != nil {
			return nil, "", err
		}
		for i := range found.Items {
			var decoded T
			wanted, err := false, unreadable[i]
			if err == nil {
				decoded, wanted, err = item(found.Items[i], &out[i])
			}
			switch {
			case err != nil && of.Unreadable != nil:
				of.Unreadable(found.Items[i].Key)
			case err != nil:
				skipped.Add(1, err)
			case !wanted:
			case len(items) == r.Size: // there is more than this page
				return items, cursor(&q, last), nil
			default:
				items, last = append(items, decoded), found.Items[i]
			}
		}
		if !found.More {
			return items, "", nil
		}
		q.After = &found.Items[len(found.Items)-1]
	}
}

// records reads the records of items.
func (s *Store) records(ctx context.Context, of *Listing, items []backend.Item, now int64) ([]backend.Record, Unreadable, error) {
	keys := make([]backend.Key, len(items))
	for i, it := range items {
		if keys[i] = it.Key; of.Record != nil {
			keys[i] = of.Record(it)
		}
	}
	out, unreadable, err := s.readable(ctx, keys)
	for i := range out {
		if layout := out[i].Layout(); layout != schema.BucketLayout && Expired(out[i].Expiry(), now) {
			out[i].Reset(layout)
		}
	}
	return out, unreadable, err
}

// Keys returns q.Size keys, or fewer at the end of the list. It skips and reports keys that this library did not write.
func (s *Store) Keys(ctx context.Context, q backend.Query) (page backend.Keys, err error) {
	var skipped Skipped
	defer func() { s.Report(ctx, skipped) }()
	for size := q.Size; ; {
		q.Size = size - len(page.Items)
		found, err := s.List(ctx, q)
		if err != nil {
			return backend.Keys{}, err
		}
		skipped.Add(found.Foreign, errForeign)
		for _, it := range found.Items {
			if err := checkItem(&q, &it); err != nil {
				skipped.Add(1, err)
				continue
			}
			page.Items = append(page.Items, it)
		}
		last := found.Rest
		if last == nil && len(found.Items) > 0 {
			last = &found.Items[len(found.Items)-1]
		}
		page.More = found.More && last != nil && (q.After == nil || *last != *q.After)
		if !page.More || len(page.Items) >= size {
			return page, nil
		}
		q.After = last
	}
}

// checkItem returns an error unless this library put the item into the listing.
func checkItem(q *backend.Query, it *backend.Item) error {
	if schema.LayoutOf(it.Key) == nil || it.Key.Validate() != nil {
		return ErrKey
	}
	if !q.Index {
		return nil
	}
	if place, ok := schema.Standing(it.Key); !ok || place != (backend.Place{Partition: q.Partition, Sort: it.Sort}) {
		return errForeign
	}
	return nil
}

// List makes one call of the backend's List: it returns as many keys as the backend returns at once, and where the rest begins.
func (s *Store) List(ctx context.Context, q backend.Query) (backend.Keys, error) {
	var found backend.Keys
	err := s.request(ctx, "list", func(ctx context.Context) (err error) {
		found, err = s.Backend.List(ctx, q)
		return err
	})
	if err != nil {
		return backend.Keys{}, err
	}
	return found, nil
}

// cursor encodes the position after an item of a listing. No part of a key can contain the separator.
func cursor(q *backend.Query, it backend.Item) string {
	text := strings.Join([]string{q.Partition, it.Sort, it.Key.Partition, it.Key.Sort}, "\x00")
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// position decodes a cursor: the item before the page, nil for the first page.
func position(q *backend.Query, cursor string) (*backend.Item, error) {
	if cursor == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, ErrCursor
	}
	parts := strings.Split(string(text), "\x00")
	if len(parts) != 4 || parts[0] != q.Partition {
		return nil, ErrCursor
	}
	it := &backend.Item{Sort: parts[1], Key: backend.Key{Namespace: q.Namespace, Partition: parts[2], Sort: parts[3]}}
	outside := it.Sort < q.From || q.To != "" && it.Sort >= q.To
	foreign := !q.Index && (it.Sort != it.Key.Sort || it.Key.Partition != q.Partition)
	if outside || foreign || it.Key.Validate() != nil || schema.LayoutOf(it.Key) == nil {
		return nil, ErrCursor
	}
	return it, nil
}
