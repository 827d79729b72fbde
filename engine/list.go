package engine

import (
	"context"
	"errors"
	"strconv"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

const defaultPage = 100

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

// walk returns one page of a listing, see [store.Walk].
func walk[T any](
	ctx context.Context, l *Limiter, p Page, of store.Listing, item func(backend.Item, *backend.Record) (T, bool, error),
) (list List[T], err error) {
	size, err := p.size()
	if err != nil {
		return list, err
	}
	now, err := l.now()
	if err != nil {
		return list, err
	}
	list.Items, list.Next, err = store.Walk(ctx, l.store, of, store.Range{Size: size, After: p.After, Now: now}, item)
	if errors.Is(err, store.ErrCursor) {
		return List[T]{}, p.badCursor()
	}
	return list, err
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

func (p *Page) badCursor() error {
	return &ValidationError{"Page.After", p.After, "must be Next of the page before, of the same list"}
}

// converted are items of an internal package as their public type.
func converted[T, U any](all []T, convert func(T) U) []U {
	if all == nil {
		return nil
	}
	public := make([]U, len(all))
	for i := range all {
		public[i] = convert(all[i])
	}
	return public
}
