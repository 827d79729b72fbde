package engine_test

import (
	"errors"
	"math"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// leaseDebt: an adjustment may lead to debt, which denies every request of the bucket until it has refilled.
func leaseDebt(r *story) {
	l, limits := r.limiter(), []engine.Limit{engine.PerHour("a", 60), engine.PerHour("b", 60)}
	lease := r.mustAcquire(l, request(tokens("a", 1), limits...))
	r.must(lease.Adjust(tokens("a", 89)))
	r.must(lease.Commit(r.Context()))
	r.wantLeft(l, "90 of 60 used", "a:-30 b:60", limits...)
	e := r.mustDeny(l, request(tokens("b", 1), limits...))
	r.wantWait(e, "a", 30*time.Minute)
	r.wantWait(e, "b", 0)
	if len(e.Violations()) != 1 || e.Primary().Limit.Name != "a" || e.Primary().Requested != 0 {
		r.Errorf("the denial of a request that does not name the debt: %+v", e.Violations())
	}
	r.wantWait(r.mustDeny(l, request(tokens("a", 1), limits...)), "a", 31*time.Minute)
	r.mustDeny(l, request(tokens("b", 0), limits...))
	r.clock.advance(30*time.Minute - 1)
	r.mustDeny(l, request(tokens("b", 1), limits...))
	r.clock.advance(1)
	r.mustAcquire(l, request(tokens("b", 1), limits...))
	more := r.mustAcquire(l, request(tokens("b", 1), limits...))
	r.must(more.Adjust(tokens("b", 58)))
	r.must(more.Adjust(tokens("a", 30)))
	r.must(more.Commit(r.Context()))
	r.wantLeft(l, "in debt again", "a:-30 b:0", limits...)
}

// leaseGate: Consume charges what fits, and nothing else.
func leaseGate(r *story) {
	l, limits := r.limiter(), []engine.Limit{stored("a", 10), stored("b", 10)}
	lease := r.mustAcquire(l, request(tokens("a", 4), limits...))
	r.must(lease.Consume(r.Context(), engine.Tokens{"a": 6, "b": 1}))
	err := lease.Consume(r.Context(), engine.Tokens{"a": 1, "b": 1})
	var e *engine.ExceededError
	if !errors.As(err, &e) || len(e.Violations()) != 1 || e.RetryAfter != aDay/10 {
		r.Errorf("Consume of what is not there: %v", err)
	}
	err = lease.Consume(r.Context(), tokens("b", 11))
	r.wantError("Consume of what never fits", err, engine.ErrNeverFits)
	if got := amounts(lease.Consumed()); got != "a:10 b:1" {
		r.Errorf("Consumed is %s, not a:10 b:1", got)
	}
	r.wantLeft(l, "after denials", "a:0 b:9", limits...)
	r.must(lease.Rollback(r.Context()))
	r.wantLeft(l, "after Rollback", "a:10 b:10", limits...)
}

// leaseBelowZero: a lease refunds no more than it holds; what asks for more is refused whole.
func leaseBelowZero(r *story) {
	l, limits := r.limiter(), []engine.Limit{stored("a", 100), stored("b", 100)}
	r.mustAcquire(l, request(engine.Tokens{"a": 50, "b": 50}, limits...)) // somebody else's
	lease := r.mustAcquire(l, request(tokens("a", 10), limits...))
	r.wantInvalid("Adjust below zero", lease.Adjust(engine.Tokens{"b": 5, "a": -11}))
	r.wantInvalid("Adjust of a limit of which it holds nothing", lease.Adjust(tokens("b", -1)))
	r.wantInvalid("Release of more than it holds", lease.Release(r.Context(), tokens("a", 11)))
	r.wantInvalid("Release of a limit of which it holds nothing", lease.Release(r.Context(), tokens("b", 1)))
	r.wantInvalid("Release of a negative amount", lease.Release(r.Context(), tokens("a", -1)))
	r.wantInvalid("Adjust by the smallest number", lease.Adjust(tokens("a", math.MinInt64)))
	r.wantInvalid("Release of the largest number", lease.Release(r.Context(), tokens("a", math.MaxInt64)))
	r.must(lease.Adjust(tokens("a", -6)))
	r.wantInvalid("Adjust below zero in two steps", lease.Adjust(tokens("a", -5)))
	r.wantInvalid("Release of what is pending to go back", lease.Release(r.Context(), tokens("a", 5)))
	r.must(lease.Commit(r.Context()))
	r.wantLeft(l, "after all that", "a:46 b:50", limits...)
	if got := amounts(lease.Consumed()); got != "a:4" {
		r.Errorf("Consumed is %s, not a:4", got)
	}
}

// leaseRange: debt beyond 10^16 tokens is refused, locally or when it meets the bucket, and changes nothing.
func leaseRange(r *story) {
	const most = 10_000_000_000_000_000
	l, limit := r.limiter(), stored("a", 1000)
	lease, other := r.mustAcquire(l, request(tokens("a", 1), limit)), r.mustAcquire(r.limiter(), request(tokens("a", 1), limit))
	r.wantError("Adjust above 10^16", lease.Adjust(tokens("a", most+1)), engine.ErrOutOfRange)
	r.wantError("Adjust by the largest number", lease.Adjust(tokens("a", math.MaxInt64)), engine.ErrOutOfRange)
	r.must(lease.Adjust(tokens("a", most-1)))
	r.wantError("Adjust above 10^16 in two steps", lease.Adjust(tokens("a", 2)), engine.ErrOutOfRange)
	r.must(lease.Flush(r.Context()))
	r.wantLeft(l, "10^16 in debt, nearly", "a:-9999999999999001", limit)
	r.must(other.Adjust(tokens("a", most/2)))
	r.wantError("more debt than the range holds", other.Flush(r.Context()), engine.ErrOutOfRange)
	r.wantLeft(l, "more was refused", "a:-9999999999999001", limit)
	r.must(other.Adjust(tokens("a", -most/2)))
	r.must(other.Commit(r.Context()))
	r.must(lease.Rollback(r.Context()))
	r.wantLeft(l, "refunded", "a:999", limit)
}

func leaseUnknown(r *story) {
	l := r.limiter()
	lease := r.mustAcquire(l, request(tokens("a", 1), stored("a", 10)))
	r.wantError("Adjust", lease.Adjust(engine.Tokens{"a": 1, "x": 1}), engine.ErrUnknownLimit)
	r.wantError("Consume", lease.Consume(r.Context(), engine.Tokens{"a": 1, "x": 1}), engine.ErrUnknownLimit)
	r.wantError("Release", lease.Release(r.Context(), engine.Tokens{"a": 1, "x": 0}), engine.ErrUnknownLimit)
	r.must(lease.Commit(r.Context()))
	r.wantLeft(l, "after unknown names", "a:9", stored("a", 10))
}

func leaseClosed(r *story) {
	l, limit := r.limiter(), stored("a", 100)
	for _, end := range []func(*engine.Lease) error{
		func(s *engine.Lease) error { return s.Commit(r.Context()) },
		func(s *engine.Lease) error { return s.Rollback(r.Context()) },
	} {
		lease := r.mustAcquire(l, request(tokens("a", 10), limit))
		r.must(end(lease))
		r.wantError("Adjust", lease.Adjust(tokens("a", 1)), engine.ErrLeaseClosed)
		r.wantError("Consume", lease.Consume(r.Context(), tokens("a", 1)), engine.ErrLeaseClosed)
		r.wantError("Release", lease.Release(r.Context(), tokens("a", 1)), engine.ErrLeaseClosed)
		r.wantError("Flush", lease.Flush(r.Context()), engine.ErrLeaseClosed)
		r.wantError("Commit", lease.Commit(r.Context()), engine.ErrLeaseClosed)
		r.must(lease.Rollback(r.Context()))
		r.wantLeft(l, "after the end", "a:90", limit)
	}
}

// leaseNil: calls on a nil lease and on a degraded one do nothing.
func leaseNil(r *story) {
	r.slow().faults.SetPlan(limitertest.Always(limitertest.Fail))
	degraded := r.mustAcquire(r.limiter(func(o *engine.Options) { o.OnUnavailable = engine.PolicyAllow }), request(tokens("a", 1), stored("a", 10)))
	for _, lease := range []*engine.Lease{nil, degraded} {
		r.must(lease.Adjust(tokens("x", -5)))
		r.must(lease.Consume(r.Context(), tokens("x", 5)))
		r.must(lease.Release(r.Context(), tokens("x", 5)))
		r.must(lease.Flush(r.Context()))
		r.must(lease.Commit(r.Context()))
		r.must(lease.Commit(r.Context()))
		r.must(lease.Rollback(r.Context()))
		if len(lease.Consumed()) != 0 || lease.Statuses() != nil {
			r.Errorf("a lease of nothing has consumed %v: %v", lease.Consumed(), lease.Statuses())
		}
		if lease.Degraded() != (lease != nil) {
			r.Errorf("Degraded is %v", lease.Degraded())
		}
	}
}

// leaseLimitsChanged: a refund is computed by the present limits, and is void for a limit that was removed.
func leaseLimitsChanged(r *story) {
	l := r.limiter()
	set := func(limits ...engine.Limit) { r.must(l.SetLimits(r.Context(), user, api, limits)) }
	set(stored("a", 100), stored("b", 100))
	lease := r.mustAcquire(l, request(engine.Tokens{"a": 40, "b": 40}))
	set(engine.PerHour("a", 1000), stored("c", 10))
	r.wantLeft(l, "changed under a lease", "a:960 c:10")
	r.must(lease.Adjust(engine.Tokens{"a": 10, "b": 10}))
	r.must(lease.Flush(r.Context()))
	r.wantLeft(l, "10 more", "a:950 c:10")
	if got := amounts(lease.Consumed()); got != "a:50 b:40" {
		r.Errorf("Consumed is %s, not a:50 b:40", got)
	}
	r.must(lease.Consume(r.Context(), tokens("c", 4)))
	r.must(lease.Adjust(tokens("c", -1)))
	r.must(lease.Rollback(r.Context()))
	r.wantLeft(l, "rolled back", "a:1000 c:10")
	set(stored("b", 100))
	r.wantLeft(l, "the limit that was gone", "b:100")
}

// leaseLimitComesBack: a limit was removed when this process last saw the bucket, and is back.
func leaseLimitComesBack(r *story) {
	l, other := r.limiter(), r.limiter()
	set := func(limits ...engine.Limit) { r.must(other.SetLimits(r.Context(), user, api, limits)) }
	set(stored("a", 100), stored("b", 100))
	lease := r.mustAcquire(l, request(tokens("a", 10)))
	set(stored("a", 100))
	r.mustAcquire(l, request(tokens("a", 1)))
	set(stored("a", 100), stored("b", 100))
	r.must(lease.Adjust(engine.Tokens{"a": -10, "b": 30}))
	r.must(lease.Commit(r.Context()))
	r.wantLeft(other, "adjusted when the limit was back", "a:99 b:70")
}

// leaseZeros: a lease of zero tokens is decided without a write, and can be adjusted like any other.
func leaseZeros(r *story) {
	l, limits := r.limiter(), []engine.Limit{stored("a", 10), stored("b", 10)}
	var lease *engine.Lease
	r.wantRequests("an acquire of zeros", 0, 3, func() { lease = r.mustAcquire(l, request(engine.Tokens{"a": 0, "b": 0}, limits...)) })
	r.must(lease.Adjust(tokens("b", 3)))
	r.must(lease.Consume(r.Context(), tokens("a", 2)))
	r.must(lease.Flush(r.Context()))
	r.wantLeft(l, "a lease of zeros, adjusted", "a:8 b:7", limits...)
	r.must(lease.Rollback(r.Context()))
	r.wantLeft(l, "a lease of zeros, rolled back", "a:10 b:10", limits...)
}
