package backend

import (
	"context"
	"errors"
)

// Call is a call of a wrapped store on its way. Its slices belong to the caller: an Around function neither changes nor
// keeps them.
type Call struct {
	Method string  // "Read", "Apply", "Commit", "List", "Feed", "Sweep" or "Scan"
	Keys   []Key   // of Read
	Writes []Write // of Apply and Commit
	Query  *Query  // of List
}

// WrapOptions say what [Wrap] adds to a store. A nil *WrapOptions is valid.
type WrapOptions struct {
	// Around is called for every call except Capabilities and Close. It makes the call by next, at most once, and
	// returns the error of next, an error that wraps it, or another error, which then is that of the whole call. It
	// returns an error if it does not call next: [ErrUnavailable] if the caller may try again. It must not return before
	// next has returned, since next writes to what the caller then reads. Default: the call is made.
	Around func(ctx context.Context, c Call, next func(context.Context) error) error

	// NoIO sets [Capabilities].NoIO: neither the inner store nor Around waits for anything. Default: false.
	NoIO bool

	// HonorsContext sets [Capabilities].HonorsContext: both the inner store and Around return as soon as the context is
	// done. Default: false.
	HonorsContext bool
}

// Wrap returns a store that passes all calls on to inner, with Around in between, for metrics, tracing or faults:
//
//	timed := backend.Wrap(store, &backend.WrapOptions{
//		Around: func(ctx context.Context, c backend.Call, next func(context.Context) error) error {
//			start := time.Now()
//			err := next(ctx)
//			latency.With(c.Method).Observe(time.Since(start))
//			return err
//		},
//		HonorsContext: store.Capabilities().HonorsContext,
//	})
//
// The store that it returns has the powers of inner: Max, Feed, Sweep, Scan and ClockAhead. It has none of the
// properties, unless the options set them: a wrapper that waits turns a store without I/O into one with I/O, and the
// limiter then needs deadlines. Closing it closes inner.
func Wrap(inner Backend, o *WrapOptions) Backend {
	w := &wrapped{inner: inner}
	if o != nil {
		w.WrapOptions = *o
	}
	if w.Around == nil {
		w.Around = func(ctx context.Context, _ Call, next func(context.Context) error) error { return next(ctx) }
	}
	return w
}

type wrapped struct {
	inner Backend
	WrapOptions
}

// Capabilities implements [Backend].
func (w *wrapped) Capabilities() Capabilities {
	c := w.inner.Capabilities()
	c.NoIO, c.HonorsContext = w.NoIO, w.HonorsContext
	if c.Feed != nil {
		c.Feed = w.feed(c.Feed)
	}
	if c.Sweep != nil {
		c.Sweep = w.sweep(c.Sweep)
	}
	if c.Scan != nil {
		c.Scan = w.scan(c.Scan)
	}
	return c
}

// Read implements [Backend].
func (w *wrapped) Read(ctx context.Context, keys []Key, out []Record) error {
	return w.Around(ctx, Call{Method: "Read", Keys: keys}, func(ctx context.Context) error {
		return w.inner.Read(ctx, keys, out)
	})
}

// Apply implements [Backend].
func (w *wrapped) Apply(ctx context.Context, writes []Write, out []Outcome) error {
	var inner error
	err := w.Around(ctx, Call{Method: "Apply", Writes: writes}, func(ctx context.Context) error {
		inner = w.inner.Apply(ctx, writes, out)
		return inner
	})
	if err != nil && (inner == nil || !errors.Is(err, inner)) { // an error of Around: it stands in every outcome
		for i := range out {
			out[i].Applied, out[i].Err = false, err
		}
	}
	return err
}

// Commit implements [Backend].
func (w *wrapped) Commit(ctx context.Context, token [16]byte, writes []Write) error {
	return w.Around(ctx, Call{Method: "Commit", Writes: writes}, func(ctx context.Context) error {
		return w.inner.Commit(ctx, token, writes)
	})
}

// List implements [Backend].
func (w *wrapped) List(ctx context.Context, q Query) (page Keys, err error) {
	err = w.Around(ctx, Call{Method: "List", Query: &q}, func(ctx context.Context) error {
		page, err = w.inner.List(ctx, q)
		return err
	})
	if err != nil {
		page = Keys{}
	}
	return page, err
}

// Close implements [Backend].
func (w *wrapped) Close() error { return w.inner.Close() }

func (w *wrapped) feed(inner FeedFunc) FeedFunc {
	return func(ctx context.Context, layouts Layouts, size int, take func([]Change) error) (n int, err error) {
		err = w.Around(ctx, Call{Method: "Feed"}, func(ctx context.Context) error {
			n, err = inner(ctx, layouts, size, take)
			return err
		})
		return n, err
	}
}

func (w *wrapped) sweep(inner SweepFunc) SweepFunc {
	return func(ctx context.Context, now int64) (n int, err error) {
		err = w.Around(ctx, Call{Method: "Sweep"}, func(ctx context.Context) error {
			n, err = inner(ctx, now)
			return err
		})
		return n, err
	}
}

func (w *wrapped) scan(inner ScanFunc) ScanFunc {
	return func(ctx context.Context, namespace, after string, size int) (keys []Key, next string, err error) {
		err = w.Around(ctx, Call{Method: "Scan"}, func(ctx context.Context) error {
			keys, next, err = inner(ctx, namespace, after, size)
			return err
		})
		if err != nil {
			keys, next = nil, ""
		}
		return keys, next, err
	}
}
