package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

const (
	resends     = 3 // of a request whose failure is worth it
	backoffUnit = 10 * time.Millisecond
)

// budget bounds one operation on the store. Stores without I/O need none: a deadline costs more than their answer.
func (l *Limiter) budget(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.noIO || l.opts.Timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, l.opts.Timeout, errBudget)
}

// call makes one call to the store and waits for it no longer than ctx lasts, even if the store does not heed ctx.
// Then it reports abandoned: what was handed to the store is the store's, for ever. A store that is known to heed it is
// called on the caller's own stack, which saves a tenth of the processor time of a call to DynamoDB.
func (l *Limiter) call(ctx context.Context, name string, f func(context.Context) error) (abandoned bool, err error) {
	if l.closed.Load() {
		return false, ErrClosed
	}
	if l.noIO {
		return false, f(ctx)
	}
	allowed, probe := l.breaker.enter()
	if !allowed {
		return false, fmt.Errorf("%w: %w", backend.ErrUnavailable, errBreaker)
	}
	var (
		meter backend.Meter
		start int64
	)
	if l.opts.Observer != nil {
		start = l.clock.now()
		ctx = backend.WithMeter(ctx, &meter)
	}
	if l.prompt {
		err = f(ctx)
	} else {
		abandoned, err = watched(ctx, f)
	}
	l.breaker.leave(probe, verdict(ctx, err))
	if l.dated != nil {
		l.compareClocks(ctx)
	}
	if l.opts.Observer != nil {
		event := Event{Kind: EventStoreCall, Call: name, Latency: time.Duration(l.clock.now() - start), Err: err}
		if !abandoned {
			event.Requests, event.Units = meter.Requests, meter.Units
		}
		l.observe(event)
	}
	return abandoned, err
}

// mostApart is how much the store's clock and ours may differ in silence.
const mostApart = 2 * time.Second

// compareClocks tells the operator of a clock that is wrong, before limits are: those of all processes are kept by their
// own clocks.
func (l *Limiter) compareClocks(ctx context.Context) {
	ahead := l.dated.Ahead()
	if ahead.Abs() <= mostApart {
		return
	}
	now, last := l.clock.now(), l.apart.Load()
	if now-last < int64(time.Minute) && now >= last || !l.apart.CompareAndSwap(last, now) {
		return
	}
	l.observe(Event{Kind: EventStoreClock, Ahead: ahead})
	l.opts.Logger.WarnContext(ctx, "limiter: the store's clock and this machine's differ; set this machine's by a time service", "ahead", ahead)
}

// watched makes a call of a store that may not heed ctx.
func watched(ctx context.Context, f func(context.Context) error) (abandoned bool, err error) {
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	select {
	case err := <-done:
		return false, err
	case <-ctx.Done():
		return true, fmt.Errorf("%w: %w", backend.ErrOutcomeUnknown, context.Cause(ctx))
	}
}

// verdict is what a call says of the store: a caller who gave up says nothing.
func verdict(ctx context.Context, err error) health {
	switch {
	case !unreachable(err):
		return healthy
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errBudget):
		return unknown
	default:
		return failing
	}
}

// unreachable tells trouble reaching the store from answers that mean something.
func unreachable(err error) bool {
	return errors.Is(err, backend.ErrUnavailable) || errors.Is(err, backend.ErrOutcomeUnknown) || errors.Is(err, context.DeadlineExceeded)
}

// failure is what the engine's caller is told of an error from the store. The caller's own context comes first.
func failure(ctx context.Context, err error) error {
	switch {
	case err == nil || errors.Is(err, ErrUnavailable):
		return err
	case errors.Is(err, backend.ErrClosed):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	case errors.Is(err, backend.ErrContention):
		return fmt.Errorf("%w: %w", ErrContention, err)
	case errors.Is(err, schema.ErrFormat):
		return fmt.Errorf("%w: %w", ErrSchema, err)
	case unreachable(err) && ctx.Err() == nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case unreachable(err) && errors.Is(ctx.Err(), context.Canceled):
		return canceled(ctx, err)
	}
	return err
}

// pause waits before try n (from 1), with full jitter. It reports false if ctx ends first.
func (l *Limiter) pause(ctx context.Context, n int) bool {
	most := backoffUnit << min(n, 5)
	return l.opts.Sleep(ctx, rand.N(most)) == nil
}

// read fills out, whose layouts it sets by the keys. Reads that fail are tried again: they change nothing. Only beside a
// *backend.UnreadableError is there something in out.
func (l *Limiter) read(ctx context.Context, keys []backend.Key) ([]backend.Record, error) {
	inner, cancel := l.budget(ctx)
	defer cancel()
	for try := 1; ; try++ {
		out := make([]backend.Record, len(keys))
		for i, k := range keys {
			out[i].Reset(schema.LayoutOf(k))
		}
		_, err := l.call(inner, "read", func(ctx context.Context) error { return l.store.Read(ctx, keys, out) })
		if err == nil || errors.As(err, new(*backend.UnreadableError)) {
			return out, err
		}
		if !unreachable(err) || errors.Is(err, errBreaker) || try > resends || inner.Err() != nil || !l.pause(inner, try) {
			return nil, failure(ctx, err)
		}
	}
}

// readOne is read for one key.
func (l *Limiter) readOne(ctx context.Context, key backend.Key) (*backend.Record, error) {
	out, err := l.read(ctx, []backend.Key{key})
	if err != nil {
		return nil, err
	}
	return &out[0], nil
}
