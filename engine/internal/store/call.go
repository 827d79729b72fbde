package store

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

const (
	maxResends       = 3 // of a request after trouble that passes
	maxParallelCalls = 8 // of an operation that makes many calls
	backoffUnit      = 10 * time.Millisecond
)

// budgeted is a context within the budget of an operation.
type budgeted struct{ context.Context }

// Budget returns a context that bounds one operation on the backend, resends included. If ctx has such a bound already, it
// is kept, so that all calls of an operation share one budget. Backends without I/O get none: a deadline would cost more
// than the call.
func (s *Store) Budget(ctx context.Context) (context.Context, context.CancelFunc) {
	_, within := ctx.(budgeted)
	d := s.allowance(ctx)
	if s.caps.NoIO || within || d == math.MaxInt64 {
		return ctx, func() {}
	}
	inner, cancel := context.WithTimeoutCause(ctx, d, errBudget)
	return budgeted{inner}, cancel
}

// allowance is how long an operation may take: Options.Timeout, and at most four fifths of what ctx has left, so that
// the caller, or the policy, is answered before ctx ends.
func (s *Store) allowance(ctx context.Context) time.Duration {
	d := pause.Left(ctx)
	if d < math.MaxInt64 {
		d = d / 5 * 4
	}
	if s.Timeout > 0 {
		d = min(d, s.Timeout)
	}
	return d
}

// last marks contexts made by Last.
type last struct{}

// Last returns a context for what a limiter that closes still has to write: neither Close stops it, nor the end of ctx.
func Last(ctx context.Context) context.Context {
	return context.WithValue(context.WithoutCancel(ctx), last{}, true)
}

// LastBudget is Budget for what a limiter that closes still has to write. See Last.
func (s *Store) LastBudget(ctx context.Context) (context.Context, context.CancelFunc) {
	return s.Budget(Last(ctx))
}

// stops reports whether Close stops a call with ctx.
func (s *Store) stops(ctx context.Context) bool { return s.closed.Load() && ctx.Value(last{}) == nil }

// call makes one call of the backend and waits for it no longer than ctx lasts, even if the backend does not heed ctx.
// Then it reports abandoned: what was handed to the backend is the backend's, for ever. A backend that is known to heed it
// is called on the caller's own stack, which saves a tenth of the processor time of a call to DynamoDB.
func (s *Store) call(ctx context.Context, name string, f func(context.Context) error) (abandoned bool, err error) {
	if s.stops(ctx) {
		return false, ErrClosed
	}
	if s.caps.NoIO {
		return false, f(ctx)
	}
	if ctx.Err() != nil {
		return false, NotSent(ctx)
	}
	allowed, probe := s.breaker.enter(s.Now)
	if !allowed {
		return false, s.refused.Load()
	}
	var (
		meter backend.Meter
		start int64
	)
	if s.OnCall != nil {
		start = s.Now()
		ctx = backend.WithMeter(ctx, &meter)
	}
	if s.caps.HonorsContext {
		err = s.guarded(ctx, name, f)
	} else {
		abandoned, err = s.watched(ctx, name, f)
	}
	err = overdue(ctx, err)
	s.leave(ctx, probe, err)
	if s.caps.ClockAhead != nil {
		s.compareClocks(ctx)
	}
	if s.OnCall != nil {
		c := Call{Name: name, Latency: time.Duration(s.Now() - start), Err: err}
		if !abandoned {
			c.Requests, c.Units = meter.Requests, meter.Units
		}
		s.OnCall(c)
	}
	return abandoned, err
}

// mostApart is how much the backend's clock and ours may differ in silence.
const mostApart = 2 * time.Second

// compareClocks tells the operator of a clock that is wrong, before limits are: those of all processes are kept by their
// own clocks.
func (s *Store) compareClocks(ctx context.Context) {
	ahead := s.caps.ClockAhead()
	if ahead.Abs() <= mostApart {
		return
	}
	now, last := s.Now(), s.clockReported.Load()
	if now-last < int64(time.Minute) && now >= last || !s.clockReported.CompareAndSwap(last, now) {
		return
	}
	s.OnClockAhead(ctx, ahead)
}

// watched makes a call of a backend that may not heed ctx.
func (s *Store) watched(ctx context.Context, name string, f func(context.Context) error) (abandoned bool, err error) {
	done := make(chan error, 1)
	go func() { done <- s.guarded(ctx, name, f) }()
	select {
	case err := <-done:
		return false, err
	case <-ctx.Done():
		return true, fmt.Errorf("%w: %w", backend.ErrOutcomeUnknown, EndOf(ctx))
	}
}

// guarded makes an error of a panic in the backend. Most calls run beside others or on goroutines of the engine, where a
// panic would end the program, and the caller could not recover from it.
func (s *Store) guarded(ctx context.Context, name string, f func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v}
			s.Logger.ErrorContext(ctx, "limiter: the store panicked", "call", name, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	return f(ctx)
}

// GiveWay lets other writers go first, for the n-th time (from 1) of one operation. It sleeps with full jitter, or, over a
// backend without I/O, it yields the processor. It reports false if ctx ends first.
func (s *Store) GiveWay(ctx context.Context, n int) bool {
	if s.caps.NoIO {
		runtime.Gosched()
		return ctx.Err() == nil
	}
	return s.Sleep(ctx, rand.N(backoffUnit<<min(n, 5))) == nil
}

// Retry calls f until it succeeds, fails for good, or ctx ends. f reports whether its error is final.
func (s *Store) Retry(ctx context.Context, f func() (final bool, err error)) error {
	for try := 1; ; try++ {
		final, err := f()
		if err == nil || final || !s.mayResend(ctx, err, try) {
			return err
		}
	}
}

// mayResend reports, after a pause, whether to send a request again that failed with err. While the breaker is open each
// probe is one call, so nothing is resent.
func (s *Store) mayResend(ctx context.Context, err error, try int) bool {
	return try <= maxResends && isTransient(err) && !s.BreakerIsOpen() && ctx.Err() == nil && s.GiveWay(ctx, try)
}

// request makes one call of the backend within the operation's budget, and resends it after trouble that passes. After an
// error f may still run: what it writes to must not be used.
func (s *Store) request(ctx context.Context, name string, f func(context.Context) error) error {
	inner, cancel := s.Budget(ctx)
	defer cancel()
	return Failure(ctx, s.Retry(inner, func() (final bool, err error) {
		_, err = s.call(inner, name, f)
		return false, err
	}))
}

// Refused returns the error of a call with ctx that the breaker would not let through now, and nil if it would. A caller who asks
// first need not prepare what is not sent. As of a call, the error is ErrClosed after Close, and that of ctx if it has ended.
func (s *Store) Refused(ctx context.Context) error {
	switch {
	case !s.breaker.refuses(s.Now):
		return nil
	case s.stops(ctx):
		return ErrClosed
	case ctx.Err() != nil:
		return NotSent(ctx)
	}
	return s.refused.Load()
}

// leave tells the breaker how a call with ctx ended.
func (s *Store) leave(ctx context.Context, probe bool, err error) {
	if s.breaker.leave(s.Now(), probe, verdict(ctx, err)) {
		s.refused.Store(newRefused(err))
	}
}

// BreakerIsOpen reports whether calls fail at once, except for probes.
func (s *Store) BreakerIsOpen() bool { return s.breaker.isOpen() }

// CloseBreaker lets the next call through, as if a probe had found the backend back.
func (s *Store) CloseBreaker() { s.breaker.leave(s.Now(), false, healthy) }

// Missed counts, for the breaker, a caller whose ctx ended before a call that it shared with others.
func (s *Store) Missed(ctx context.Context, err error) {
	s.leave(ctx, false, err)
}
