package aggregator

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Counted is the store of one process with aggregated usage; see [Count].
type Counted interface {
	backend.Backend

	// Drain processes all changes that were acknowledged before the call. If one fails, it and all later changes remain in
	// the store.
	Drain(ctx context.Context) error
}

const (
	drainThreshold = 1000    // number of waiting changes that starts a drain
	waitThreshold  = 8000    // further changes after which writers wait for the drain
	drainPageSize  = 1000    // changes in one batch
	maxExtraDrain  = 100_000 // further changes that a drain processes, since others keep writing
)

// Count returns a store that aggregates the usage of store, which must be used by this process only: memory or bbolt, opened with
// Options.Feed. It aggregates every thousand changes in the background, and all acknowledged changes, including those of an
// earlier process that crashed, when usage is listed and in Close. Close also closes store. Use the result in place of store;
// nothing else may consume the changes of store. Count returns [ErrNoFeed] if store does not keep its changes, and [ErrOptions] if an
// option is invalid.
func Count(store backend.Backend, o *Options) (Counted, error) {
	if store == nil {
		return nil, invalidOption("the store must not be nil")
	}
	c := &counted{Backend: store, caps: store.Capabilities(), drainToken: make(chan struct{}, 1)}
	if c.caps.Feed == nil {
		return nil, ErrNoFeed
	}
	c.drainFrom.Store(drainThreshold)
	c.drainToken <- struct{}{}
	var err error
	if c.aggregator, err = New(aggregatorStore{store, c}, o); err != nil {
		return nil, err
	}
	return c, nil
}

// counted implements [Counted].
type counted struct {
	backend.Backend
	caps       backend.Capabilities // of the underlying store
	aggregator *Aggregator

	undrained   atomic.Int64  // number of changes that wait, or a few more
	drainFrom   atomic.Int64  // number of waiting changes that starts a drain
	drainToken  chan struct{} // holds the token while nobody drains
	drainedOnce bool          // a drain has reached the end before; guarded by the token

	lock   sync.Mutex
	closed bool
	work   sync.WaitGroup // drains in the background
}

// Capabilities implements [backend.Backend]. It returns those of the underlying store, without Feed.
func (c *counted) Capabilities() backend.Capabilities {
	caps := c.caps
	caps.Feed = nil
	if caps.Sweep != nil {
		caps.Sweep = c.sweep
	}
	return caps
}

// aggregatorStore is the store that the aggregator writes to. It counts the aggregator's own changes as waiting, but does not
// start a drain because of them.
type aggregatorStore struct {
	backend.Backend
	c *counted
}

// Apply implements [backend.Backend].
func (o aggregatorStore) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	err := o.Backend.Apply(ctx, writes, out)
	o.c.undrained.Add(appliedCount(out))
	return err
}

// Apply implements [backend.Backend].
func (c *counted) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	err := c.Backend.Apply(ctx, writes, out)
	c.noteWrites(ctx, appliedCount(out))
	return err
}

// Commit implements [backend.Backend].
func (c *counted) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	err := c.Backend.Commit(ctx, token, writes)
	if err == nil {
		c.noteWrites(ctx, int64(len(writes)))
	}
	return err
}

// List implements [backend.Backend]. It drains before it lists usage.
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
	c.noteWrites(ctx, int64(n))
	return n, err
}

// Close implements [backend.Backend]. It drains first.
func (c *counted) Close() error {
	c.lock.Lock()
	closed := c.closed
	c.closed = true
	c.lock.Unlock()
	if closed {
		return nil
	}
	c.work.Wait()
	err := c.Drain(context.Background())
	if errors.Is(err, backend.ErrClosed) {
		err = nil
	}
	return errors.Join(err, c.Backend.Close())
}

func appliedCount(out []backend.Outcome) (n int64) {
	for i := range out {
		if out[i].Applied && out[i].Err == nil {
			n++
		}
	}
	return n
}

// noteWrites counts n changes, and starts a drain in the background if many wait. If writers are faster than the drain, it
// drains before it returns.
func (c *counted) noteWrites(ctx context.Context, n int64) {
	waiting, from := c.undrained.Add(n), c.drainFrom.Load()
	if n == 0 || waiting < from {
		return
	}
	if waiting >= from+waitThreshold {
		_ = c.Drain(ctx) // listing usage and Close report the error
		return
	}
	select {
	case <-c.drainToken:
	default:
		return
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.closed {
		c.drainToken <- struct{}{}
		return
	}
	c.work.Go(func() {
		defer func() { c.drainToken <- struct{}{} }()
		_ = c.drain(context.Background())
	})
}

// Drain implements [Counted].
func (c *counted) Drain(ctx context.Context) error {
	select {
	case <-c.drainToken:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { c.drainToken <- struct{}{} }()
	return c.drain(ctx)
}

// drain must not be called concurrently: the caller holds the token.
func (c *counted) drain(ctx context.Context) error {
	enough := c.undrained.Load() + maxExtraDrain
	for taken := int64(0); ; {
		before := c.undrained.Load()
		n, err := c.caps.Feed(ctx, Layouts, drainPageSize, func(changes []backend.Change) error { return c.process(ctx, changes) })
		if err != nil {
			c.drainFrom.Store(c.undrained.Load() + drainThreshold)
			return err
		}
		c.drainFrom.Store(drainThreshold)
		if n < drainPageSize { // all changes counted in before have been processed
			c.undrained.Add(-before)
			c.drainedOnce = true
			return nil
		}
		if taken += int64(n); c.drainedOnce {
			c.undrained.Add(-int64(n))
			if taken >= enough {
				return nil
			}
		}
	}
}

// process processes a batch. If one change fails, it fails as a whole: the store then delivers all changes again, and the
// snapshots skip those that they include.
func (c *counted) process(ctx context.Context, changes []backend.Change) error {
	report := c.aggregator.Process(ctx, changes, c.aggregator.Now())
	if n := len(report.Failed); n > 0 {
		return notProcessed(report.Failed[0], n)
	}
	return nil
}
