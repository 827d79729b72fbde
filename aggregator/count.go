package aggregator

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Counted is a store of one process in which usage is added up.
type Counted interface {
	backend.Backend

	// Drain takes in all changes that were acknowledged before the call. Where one cannot be taken in, it and all behind
	// it stay in the store.
	Drain(ctx context.Context) error
}

const (
	drainAt   = 1000    // changes that wait, from which on somebody drains
	waitAt    = 8000    // from which on a writer waits for that
	drainPage = 1000    // changes at once
	drainMore = 100_000 // beyond those known when a drain began: others go on writing meanwhile
)

// Count makes store, which must be opened with Options.Feed, add up its own usage: every thousand changes, beside the
// caller; when usage is listed, all that was acknowledged before, also by an earlier process that crashed; and by Close,
// which closes store as well. It is to be used in place of store, which nobody else may take changes from. The store is
// one of this process alone: memory or bbolt. ErrNoFeed if it was not opened with Options.Feed; ErrOptions.
func Count(store backend.Backend, o *Options) (Counted, error) {
	if store == nil {
		return nil, badOption("the store must not be nil")
	}
	c := &counted{Backend: store, caps: store.Capabilities(), free: make(chan struct{}, 1)}
	if c.caps.Feed == nil {
		return nil, ErrNoFeed
	}
	c.drainFrom.Store(drainAt)
	c.free <- struct{}{}
	var err error
	if c.aggregator, err = New(own{store, c}, o); err != nil {
		return nil, err
	}
	return c, nil
}

// counted is what Count gives.
type counted struct {
	backend.Backend
	caps       backend.Capabilities // of the store beneath
	aggregator *Aggregator

	waiting   atomic.Int64  // changes that were written and not taken in, or a few more
	drainFrom atomic.Int64  // how many of them somebody drains at
	free      chan struct{} // holds one thing while nobody drains
	drained   bool          // to the end, once; held by who drains

	lock   sync.Mutex
	closed bool
	work   sync.WaitGroup // drains beside callers
}

// Capabilities implements [backend.Backend]: those of the store beneath, except that nobody else may take its changes.
func (c *counted) Capabilities() backend.Capabilities {
	caps := c.caps
	caps.Feed = nil
	if caps.Sweep != nil {
		caps.Sweep = c.sweep
	}
	return caps
}

// own is the store as the aggregator writes to it: its changes wait as all others do, and are of no interest.
type own struct {
	backend.Backend
	c *counted
}

// Apply implements [backend.Backend].
func (o own) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	err := o.Backend.Apply(ctx, writes, out)
	o.c.waiting.Add(applied(out))
	return err
}

// Apply implements [backend.Backend].
func (c *counted) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	err := c.Backend.Apply(ctx, writes, out)
	c.wrote(ctx, applied(out))
	return err
}

// Commit implements [backend.Backend].
func (c *counted) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	err := c.Backend.Commit(ctx, token, writes)
	if err == nil {
		c.wrote(ctx, int64(len(writes)))
	}
	return err
}

// List implements [backend.Backend]: usage is up to date.
func (c *counted) List(ctx context.Context, q backend.Query) (backend.Keys, error) {
	if schema.ListsUsage(q.Partition) {
		if err := c.Drain(ctx); err != nil {
			return backend.Keys{}, err
		}
	}
	return c.Backend.List(ctx, q)
}

// sweep is a [backend.SweepFunc].
func (c *counted) sweep(ctx context.Context, now int64) (int, error) {
	n, err := c.caps.Sweep(ctx, now)
	c.wrote(ctx, int64(n))
	return n, err
}

// Close implements [backend.Backend]: it drains first.
func (c *counted) Close() error {
	c.lock.Lock()
	again := c.closed
	c.closed = true
	c.lock.Unlock()
	if again {
		return nil
	}
	c.work.Wait()
	err := c.Drain(context.Background())
	if errors.Is(err, backend.ErrClosed) {
		err = nil
	}
	return errors.Join(err, c.Backend.Close())
}

func applied(out []backend.Outcome) (n int64) {
	for i := range out {
		if out[i].Applied && out[i].Err == nil {
			n++
		}
	}
	return n
}

// wrote has somebody drain where much waits. Who writes faster than that waits for it.
func (c *counted) wrote(ctx context.Context, n int64) {
	waiting, from := c.waiting.Add(n), c.drainFrom.Load()
	if n == 0 || waiting < from {
		return
	}
	if waiting >= from+waitAt {
		_ = c.Drain(ctx) // whoever lists usage, or closes the store, gets the error
		return
	}
	select {
	case <-c.free:
	default:
		return
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.closed {
		c.free <- struct{}{}
		return
	}
	c.work.Go(func() {
		defer func() { c.free <- struct{}{} }()
		_ = c.drain(context.Background())
	})
}

// Drain implements [Counted].
func (c *counted) Drain(ctx context.Context) error {
	select {
	case <-c.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { c.free <- struct{}{} }()
	return c.drain(ctx)
}

// drain is for one caller at a time.
func (c *counted) drain(ctx context.Context) error {
	enough := c.waiting.Load() + drainMore
	for taken := int64(0); ; {
		before := c.waiting.Load()
		n, err := c.caps.Feed(ctx, Layouts, drainPage, func(changes []backend.Change) error { return c.take(ctx, changes) })
		if err != nil {
			c.drainFrom.Store(c.waiting.Load() + drainAt)
			return err
		}
		c.drainFrom.Store(drainAt)
		if n < drainPage { // what was noted before is among what has been taken
			c.waiting.Add(-before)
			c.drained = true
			return nil
		}
		if taken += int64(n); c.drained {
			c.waiting.Add(-int64(n))
			if taken >= enough {
				return nil
			}
		}
	}
}

// take fails where one change does: the store then hands all out again, and what was taken in is skipped.
func (c *counted) take(ctx context.Context, changes []backend.Change) error {
	report := c.aggregator.Process(ctx, changes, c.aggregator.Now())
	if n := len(report.Failed); n > 0 {
		return notTakenIn(report.Failed[0], n)
	}
	return nil
}
