package engine

import (
	"context"
	"encoding/base64"
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
}

// walk makes a page: items that item does not want, with records that are gone or expired among them (not present then),
// are skipped and the page filled up.
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
	for {
		q.Size = min(size-len(list.Items)+1, backend.MaxPage)
		found, err := s.keys(ctx, q)
		if err != nil {
			return List[T]{}, err
		}
		if len(found.Items) == 0 {
			return list, nil
		}
		out, err := l.records(ctx, &s, found.Items, now)
		if err != nil {
			return List[T]{}, err
		}
		for i := range found.Items {
			one, wanted, err := item(found.Items[i], &out[i])
			switch {
			case err != nil:
				return List[T]{}, err
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

// records reads what the items stand for.
func (l *Limiter) records(ctx context.Context, s *listing, items []backend.Item, now int64) ([]backend.Record, error) {
	keys := make([]backend.Key, len(items))
	for i, it := range items {
		if keys[i] = it.Key; s.of != nil {
			keys[i] = s.of(it)
		}
	}
	out, err := l.read(ctx, keys)
	for i := range out {
		if layout := out[i].Layout(); layout != schema.BucketLayout && expired(out[i].Expiry(), now) {
			out[i].Reset(layout)
		}
	}
	return out, err
}

// expired reports whether a record with that expiry may be dropped, and so counts as gone.
func expired(e backend.Expiry, now int64) bool {
	return e != backend.NoExpiry && int64(e) <= now/int64(time.Second)
}

// keys lists once, again where that fails.
func (l *Limiter) keys(ctx context.Context, q backend.Query) (backend.Keys, error) {
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
