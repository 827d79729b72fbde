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

// Page asks for a part of a list. The zero Page asks for its beginning.
type Page struct {
	Size  int    // at most this many items, 1 to 1,000; 0: 100
	After string // Next of the page before; "": the first page
}

// List is one page of a list, in the store's key order. What comes or goes while somebody walks through the pages may or
// may not be among them; everything else is, once.
type List[T any] struct {
	Items []T    // empty only where the list ends
	Next  string // for Page.After; "": this is the last page
}

// listing is what a list is made of: the keys of a partition, and the record that each stands for.
type listing struct {
	query backend.Query
	keys  func(context.Context, backend.Query) (backend.Keys, error) // nil: the store's
	of    func(backend.Item) backend.Key                             // whose record is read; nil: the item's own
	odd   func(backend.Key)                                          // is called for each record that cannot be read; nil: they are skipped
}

// skipped counts what a list leaves out since it cannot be read or was written by somebody else.
type skipped struct {
	n   int
	err error // why, of the first
}

func (s *skipped) add(n int, err error) {
	if s.n += n; n > 0 && s.err == nil {
		s.err = err
	}
}

// report tells the observer and the log, if there was anything.
func (l *Limiter) report(ctx context.Context, s skipped) {
	if s.n == 0 {
		return
	}
	l.observe(Event{Kind: EventSkipped, Call: "list", Skipped: s.n, Err: s.err})
	l.warn(ctx, l.clock.now(), "limiter: a list skips what it cannot read", "namespace", l.opts.Namespace, "skipped", s.n, "error", s.err)
}

// walk makes a page: items that item does not want, with records that are gone or expired among them (not present then),
// are skipped and the page filled up. So are records that cannot be read, by the store or by item, which are reported.
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
		out, odd, err := l.records(ctx, &s, found.Items, now)
		if err != nil {
			return List[T]{}, err
		}
		for i := range found.Items {
			var one T
			wanted, err := false, odd[i]
			if err == nil {
				one, wanted, err = item(found.Items[i], &out[i])
			}
			switch {
			case err != nil && s.odd != nil:
				s.odd(found.Items[i].Key)
			case err != nil:
				skip.add(1, err)
			case !wanted:
			case len(list.Items) == size: // there is more than this page
				list.Next = cursor(&q, last)
				return list, nil
			default:
				list.Items, last = append(list.Items, one), found.Items[i]
			}
		}
		if !found.More {
			return list, nil
		}
		q.After = &found.Items[len(found.Items)-1]
	}
}

// records reads what the items stand for. odd has why some of them cannot be read, by index.
func (l *Limiter) records(ctx context.Context, s *listing, items []backend.Item, now int64) (out []backend.Record, odd map[int]error, err error) {
	keys := make([]backend.Key, len(items))
	for i, it := range items {
		if keys[i] = it.Key; s.of != nil {
			keys[i] = s.of(it)
		}
	}
	out, odd, err = l.readable(ctx, keys)
	for i := range out {
		if layout := out[i].Layout(); layout != schema.BucketLayout && expired(out[i].Expiry(), now) {
			out[i].Reset(layout)
		}
	}
	return out, odd, err
}

// readable is read for lists: records that cannot be read keep no others back. odd has why, by index.
func (l *Limiter) readable(ctx context.Context, keys []backend.Key) (out []backend.Record, odd map[int]error, err error) {
	out, err = l.read(ctx, keys)
	var unreadable *backend.UnreadableError
	if !errors.As(err, &unreadable) {
		return out, nil, err
	}
	odd = make(map[int]error, len(unreadable.Indexes))
	for _, i := range unreadable.Indexes {
		odd[i] = unreadable.Err
	}
	return out, odd, nil
}

// expired reports whether a record with that expiry may be dropped, and so counts as gone.
func expired(e backend.Expiry, now int64) bool {
	return e != backend.NoExpiry && int64(e) <= now/int64(time.Second)
}

// keys gives a full page of a listing, or its end. What is in it that this library does not put there is skipped.
func (l *Limiter) keys(ctx context.Context, q backend.Query) (page backend.Keys, err error) {
	var skip skipped
	defer func() { l.report(ctx, skip) }()
	for size := q.Size; ; {
		q.Size = size - len(page.Items)
		found, err := l.list(ctx, q)
		if err != nil {
			return backend.Keys{}, err
		}
		skip.add(found.Foreign, errForeign)
		for _, it := range found.Items {
			if err := genuine(&q, &it); err != nil {
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

// genuine tells why an item is not one that this library has put into the listing; nil if it is.
func genuine(q *backend.Query, it *backend.Item) error {
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

// list asks for keys once, again if that fails.
func (l *Limiter) list(ctx context.Context, q backend.Query) (backend.Keys, error) {
	inner, cancel := l.budget(ctx)
	defer cancel()
	for try := 1; ; try++ {
		var found backend.Keys
		_, err := l.call(inner, "list", func(ctx context.Context) (err error) {
			found, err = l.store.List(ctx, q)
			return err
		})
		if err == nil {
			return found, nil
		}
		if !l.resend(inner, err, try) {
			return backend.Keys{}, failure(ctx, err)
		}
	}
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

// cursor is the position behind an item of a listing; no part of any key holds the separator.
func cursor(q *backend.Query, it backend.Item) string {
	text := strings.Join([]string{q.Partition, it.Sort, it.Key.Partition, it.Key.Sort}, "\x00")
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// position is the item that the cursor in After stands behind, nil for the first page.
func (p *Page) position(q *backend.Query) (*backend.Item, error) {
	if p.After == "" {
		return nil, nil
	}
	bad := &ValidationError{"Page.After", p.After, "must be Next of the page before, of the same list"}
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
