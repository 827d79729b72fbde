package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

const (
	resends     = 3 // how often a request is sent again after trouble that passes
	backoffUnit = 10 * time.Millisecond
)

// budgeted is a context within the budget of an operation.
type budgeted struct{ context.Context }

// budget returns a context that bounds one operation on the store, resends included. If ctx has such a bound already, it is
// kept, so that all calls of an operation share one budget. Stores without I/O get none: a deadline would cost more than
// the call.
func (l *Limiter) budget(ctx context.Context) (context.Context, context.CancelFunc) {
	_, within := ctx.(budgeted)
	d := l.allowance(ctx)
	if l.noIO || within || d == math.MaxInt64 {
		return ctx, func() {}
	}
	inner, cancel := context.WithTimeoutCause(ctx, d, errBudget)
	return budgeted{inner}, cancel
}

// allowance is how long an operation may take: Options.Timeout, and at most four fifths of what ctx has left, so that
// the caller, or the policy, is answered before ctx ends.
func (l *Limiter) allowance(ctx context.Context) time.Duration {
	d := remaining(ctx)
	if d < math.MaxInt64 {
		d = d / 5 * 4
	}
	if l.opts.Timeout > 0 {
		d = min(d, l.opts.Timeout)
	}
	return d
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
	if ctx.Err() != nil {
		return false, notSent(ctx)
	}
	allowed, probe := l.breaker.enter(&l.clock)
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
		err = l.guarded(ctx, name, f)
	} else {
		abandoned, err = l.watched(ctx, name, f)
	}
	err = overdue(ctx, err)
	l.breaker.leave(&l.clock, probe, verdict(ctx, err))
	if l.caps.ClockAhead != nil {
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
	ahead := l.caps.ClockAhead()
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
func (l *Limiter) watched(ctx context.Context, name string, f func(context.Context) error) (abandoned bool, err error) {
	done := make(chan error, 1)
	go func() { done <- l.guarded(ctx, name, f) }()
	select {
	case err := <-done:
		return false, err
	case <-ctx.Done():
		return true, fmt.Errorf("%w: %w", backend.ErrOutcomeUnknown, context.Cause(ctx))
	}
}

// guarded makes an error of a panic in the store. Most calls run beside others or on goroutines of the engine, where a
// panic would end the program, and the caller could not recover from it.
func (l *Limiter) guarded(ctx context.Context, name string, f func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v}
			l.opts.Logger.ErrorContext(ctx, "limiter: the store panicked", "call", name, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	return f(ctx)
}

// notSent is the error of a call that ctx left no time for.
func notSent(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, errBudget) {
		return fmt.Errorf("%w: %w", backend.ErrUnavailable, cause)
	}
	return ctx.Err()
}

// overdue adds to an error that the budget has run out, if that is why the call failed.
func overdue(ctx context.Context, err error) error {
	if err == nil || !unreachable(err) || errors.Is(err, errBudget) || !errors.Is(context.Cause(ctx), errBudget) {
		return err
	}
	return fmt.Errorf("%w: %w", err, errBudget)
}

// aside marks the context of calls that no caller waits for and whose failure changes nothing: the breaker does not count
// them, so that writes go on while only configuration cannot be read.
type aside struct{}

// verdict is what a call says of the store. Deadlines count, the caller's own included; a caller who gave up says nothing.
func verdict(ctx context.Context, err error) health {
	var bug *panicError
	switch {
	case errors.As(err, &bug):
		return panicking
	case !unreachable(err):
		return healthy
	case errors.Is(ctx.Err(), context.Canceled), ctx.Value(aside{}) != nil:
		return unknown
	default:
		return failing
	}
}

// unreachable tells trouble reaching the store from answers that mean something.
func unreachable(err error) bool {
	trouble := errors.Is(err, backend.ErrUnavailable) || errors.Is(err, backend.ErrOutcomeUnknown) || errors.Is(err, context.DeadlineExceeded)
	return trouble && !errors.Is(err, backend.ErrCorrupt)
}

// failure is the error that the engine's caller gets for one from the store. Only trouble reaching the store becomes
// ErrUnavailable, which a policy may let through. The caller's own context comes first, unless the budget ended before it.
func failure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var bug *panicError
	switch {
	case errors.Is(err, ErrUnavailable) || errors.As(err, &bug):
		return err
	case errors.Is(err, backend.ErrClosed):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	case errors.Is(err, backend.ErrContention):
		return fmt.Errorf("%w: %w", ErrContention, err)
	case errors.Is(err, schema.ErrFormat):
		return fmt.Errorf("%w: %w", ErrSchema, err)
	case errors.Is(err, backend.ErrCorrupt):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case unreachable(err) && (ctx.Err() == nil || errors.Is(err, errBudget)):
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

// retry calls f until it succeeds, fails for good, or ctx ends. f reports whether its error is final.
func (l *Limiter) retry(ctx context.Context, f func() (final bool, err error)) error {
	for try := 1; ; try++ {
		final, err := f()
		if err == nil || final || !l.mayResend(ctx, err, try) {
			return err
		}
	}
}

// request makes one call to the store within the operation's budget, and resends it after trouble that passes. After an
// error f may still run: what it writes to must not be used.
func (l *Limiter) request(ctx context.Context, name string, f func(context.Context) error) error {
	inner, cancel := l.budget(ctx)
	defer cancel()
	return failure(ctx, l.retry(inner, func() (final bool, err error) {
		_, err = l.call(inner, name, f)
		return false, err
	}))
}

// read returns the records of keys. Beside a *backend.UnreadableError it returns those that can be read.
func (l *Limiter) read(ctx context.Context, keys []backend.Key) (out []backend.Record, err error) {
	inner, cancel := l.budget(ctx)
	defer cancel()
	err = l.retry(inner, func() (final bool, err error) {
		records := make([]backend.Record, len(keys)) // an abandoned call may still write to those of an earlier try
		for i, k := range keys {
			records[i].Reset(schema.LayoutOf(k))
		}
		_, err = l.call(inner, "read", func(ctx context.Context) error { return l.store.Read(ctx, keys, records) })
		if final = errors.As(err, new(*backend.UnreadableError)); final || err == nil {
			out = records
		}
		return final, err
	})
	if out != nil {
		return out, err
	}
	return nil, failure(ctx, err)
}

// readOne is read for one key.
func (l *Limiter) readOne(ctx context.Context, key backend.Key) (*backend.Record, error) {
	out, err := l.read(ctx, []backend.Key{key})
	if err != nil {
		return nil, err
	}
	return &out[0], nil
}
