package engine

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

const defaultPage = 100

// badCursor is the reason of an invalid Page.After.
const badCursor = "must be Next of the page before, of the same list"

// Page asks for one page of a list. The zero Page asks for the first one.
type Page struct {
	Size  int    // the most items, 1 to 1,000; 0 means 100
	After string // List.Next of the page before; "" for the first page
}

// List is one page of a list, in the store's key order. Over all pages each item is there once, except that items which are
// created or deleted meanwhile may or may not be there.
type List[T any] struct {
	Items []T    // empty only at the end of the list
	Next  string // for Page.After; "" on the last page
}

// listing is the source of a list: keys that match a query, and the record to read for each.
type listing struct {
	query      backend.Query
	keys       func(context.Context, backend.Query) (backend.Keys, error) // nil: the store's
	record     func(backend.Item) backend.Key                             // the record to read; nil: the item's own
	unreadable func(backend.Key)                                          // called for each record that cannot be read; nil: they are skipped and reported
}

// skipped counts what a list leaves out because it cannot be read or this library did not write it.
type skipped struct {
	n   int
	err error // why the first was skipped
}

func (s *skipped) add(n int, err error) {
	if s.n += n; n > 0 && s.err == nil {
		s.err = err
	}
}

// report reports to the observer and the log what a list has skipped, if anything.
func (l *Limiter) report(ctx context.Context, s skipped) {
	if s.n == 0 {
		return
	}
	l.observe(Event{Kind: EventSkipped, Call: "list", Skipped: s.n, Err: s.err})
	l.warn(ctx, l.clock.now(), "limiter: a list skips records that it cannot read", "namespace", l.opts.Namespace, "skipped", s.n, "error", s.err)
}

// walk returns one page of a listing. item decodes the record of an item, and returns false to leave the item out; a record
// that was deleted or has expired is not Present. Records that cannot be read, by the store or by item, are left out and
// reported. The page is filled up with further items.
func walk[T any](ctx context.Context, l *Limiter, p Page, s listing, item func(backend.Item, *backend.Record) (T, bool, error)) (list List[T], err error) {
	q := s.query
	size, err := p.size()
	if err != nil {
		return list, err
	}
	if q.After, err = p.position(&q); err != nil {
		return list, err
	}
	now, err := l.now()
	if err != nil {
		return list, err
	}
	if s.keys == nil {
		s.keys = l.keys
	}
	var last backend.Item
	var skip skipped
	defer func() { l.report(ctx, skip) }()
	for {
		q.Size = min(size-len(list.Items)+1, backend.MaxPage)
		found, err := s.keys(ctx, q)
		if err != nil {
			return List[T]{}, err
		}
		if len(found.Items) == 0 {
			return list, nil
		}
		out, unreadable, err := l.records(ctx, &s, found.Items, now)
		if err != nil {
			return List[T]{}, err
		}
		for i := range found.Items {
			var decoded T
			wanted, err := false, unreadable[i]
			if err == nil {
				decoded, wanted, err = item(found.Items[i], &out[i])
			}
			switch {
			case err != nil && s.unreadable != nil:
				s.unreadable(found.Items[i].Key)
			case err != nil:
				skip.add(1, err)
			case !wanted:
			case len(list.Items) == size: // there is more than this page
				list.Next = cursor(&q, last)
				return list, nil
			default:
				list.Items, last = append(list.Items, decoded), found.Items[i]
			}
		}
		if !found.More {
			return list, nil
		}
		q.After = &found.Items[len(found.Items)-1]
	}
}

// records reads the records of items. unreadable has the reason for each that cannot be read, by index.
func (l *Limiter) records(ctx context.Context, s *listing, items []backend.Item, now int64) (out []backend.Record, unreadable map[int]error, err error) {
	keys := make([]backend.Key, len(items))
	for i, it := range items {
		if keys[i] = it.Key; s.record != nil {
			keys[i] = s.record(it)
		}
	}
	out, unreadable, err = l.readable(ctx, keys)
	for i := range out {
		if layout := out[i].Layout(); layout != schema.BucketLayout && expired(out[i].Expiry(), now) {
			out[i].Reset(layout)
		}
	}
	return out, unreadable, err
}

// readable reads records, of which some may be unreadable: unreadable has the reason for each of these, by index.
func (l *Limiter) readable(ctx context.Context, keys []backend.Key) (out []backend.Record, unreadable map[int]error, err error) {
	out, err = l.read(ctx, keys)
	var failed *backend.UnreadableError
	if !errors.As(err, &failed) {
		return out, nil, err
	}
	unreadable = make(map[int]error, len(failed.Indexes))
	for _, i := range failed.Indexes {
		unreadable[i] = failed.Err
	}
	return out, unreadable, nil
}

// expired reports whether the store may drop a record with that expiry, so that it counts as deleted.
func expired(e backend.Expiry, now int64) bool {
	return e != backend.NoExpiry && int64(e) <= now/int64(time.Second)
}

// keys returns q.Size keys, or fewer at the end of the list. It skips and reports keys that this library did not write.
func (l *Limiter) keys(ctx context.Context, q backend.Query) (page backend.Keys, err error) {
	var skip skipped
	defer func() { l.report(ctx, skip) }()
	for size := q.Size; ; {
		q.Size = size - len(page.Items)
		found, err := l.listOnce(ctx, q)
		if err != nil {
			return backend.Keys{}, err
		}
		skip.add(found.Foreign, errForeign)
		for _, it := range found.Items {
			if err := checkItem(&q, &it); err != nil {
				skip.add(1, err)
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
		return errKey
	}
	if !q.Index {
		return nil
	}
	if place, ok := schema.Standing(it.Key); !ok || place != (backend.Place{Partition: q.Partition, Sort: it.Sort}) {
		return errForeign
	}
	return nil
}

// listOnce lists as many keys as the store returns at once, and how to go on.
func (l *Limiter) listOnce(ctx context.Context, q backend.Query) (backend.Keys, error) {
	var found backend.Keys
	err := l.request(ctx, "list", func(ctx context.Context) (err error) {
		found, err = l.store.List(ctx, q)
		return err
	})
	if err != nil {
		return backend.Keys{}, err
	}
	return found, nil
}

func (p *Page) size() (int, error) {
	switch {
	case p.Size == 0:
		return defaultPage, nil
	case p.Size < 0 || p.Size > backend.MaxPage:
		return 0, &ValidationError{"Page.Size", p.Size, "must be 1 to " + strconv.Itoa(backend.MaxPage) + ", or 0 for " + strconv.Itoa(defaultPage)}
	}
	return p.Size, nil
}

// cursor encodes the position after an item of a listing. No part of a key can contain the separator.
func cursor(q *backend.Query, it backend.Item) string {
	text := strings.Join([]string{q.Partition, it.Sort, it.Key.Partition, it.Key.Sort}, "\x00")
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// position decodes the cursor in After: the item before the page, nil for the first page.
func (p *Page) position(q *backend.Query) (*backend.Item, error) {
	if p.After == "" {
		return nil, nil
	}
	bad := &ValidationError{"Page.After", p.After, badCursor}
	text, err := base64.RawURLEncoding.DecodeString(p.After)
	if err != nil {
		return nil, bad
	}
	parts := strings.Split(string(text), "\x00")
	if len(parts) != 4 || parts[0] != q.Partition {
		return nil, bad
	}
	it := &backend.Item{Sort: parts[1], Key: backend.Key{Namespace: q.Namespace, Partition: parts[2], Sort: parts[3]}}
	outside := it.Sort < q.From || q.To != "" && it.Sort >= q.To
	foreign := !q.Index && (it.Sort != it.Key.Sort || it.Key.Partition != q.Partition)
	if outside || foreign || it.Key.Validate() != nil || schema.LayoutOf(it.Key) == nil {
		return nil, bad
	}
	return it, nil
}
