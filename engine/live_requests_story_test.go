package engine_test

import (
	"context"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// liveOverride: Request.Override replaces the stored limits for that request only.
func liveOverride(r *story) {
	l, other := r.limiter(), r.limiter()
	r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 100), stored("b", 3)}))
	narrow, wide := request(tokens("a", 1)), request(tokens("a", 50))
	narrow.Override, wide.Override = []engine.Limit{stored("a", 10)}, []engine.Limit{stored("a", 200)}
	r.mustAcquire(l, request(tokens("a", 5)))
	if got := r.take(other, narrow); got != 5 {
		r.Errorf("5 of 100 used, overridden by 10: %d were admitted, not 5", got)
	}
	r.mustAcquire(l, request(tokens("a", 80)))
	r.mustAcquire(other, wide)
	if e := r.mustDeny(l, request(tokens("a", 1))); e.NeverFits {
		r.Errorf("140 of 100 used, with the help of an override: %v", e)
	}
	r.mustAcquire(other, wide)
	r.mustDeny(other, wide)
	r.wantLeft(l, "after overrides, by what is stored", "a:-90 b:3")
	r.mustDeny(l, request(tokens("b", 1)))
	r.clock.advance(2 * time.Second)
	narrow.Consume = tokens("b", 1)
	_, err := other.Acquire(r.Context(), narrow)
	r.wantError("a stored name that the override has not", err, engine.ErrUnknownLimit)
}

// liveBroughtThenStored: what was used under the limits of requests stays used when limits are stored.
func liveBroughtThenStored(r *story) {
	l := r.limiter()
	q := request(tokens("a", 60), stored("a", 100))
	r.mustAcquire(l, q)
	r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 100)}))
	r.mustDeny(l, q)
	r.wantLeft(l, "stored what was brought", "a:40")
	q.Resource = "another"
	r.mustAcquire(l, q)
	r.must(l.SetLimits(r.Context(), user, q.Resource, []engine.Limit{stored("a", 50), stored("b", 5)}))
	e := r.mustDeny(l, engine.Request{Entity: user, Resource: q.Resource, Consume: tokens("b", 1)})
	if s := e.Statuses()[0]; s.Remaining != -10 { // nothing is cut: it was not the same limit
		r.Errorf("60 of 100 used, then 50 stored: %d available, not -10", s.Remaining)
	}
}

// liveTooMany: a bucket holds 16 limits, including those that other callers bring while they are not full.
func liveTooMany(r *story) {
	var some, others []engine.Limit
	for i := range 10 {
		some = append(some, engine.PerHour(fmt.Sprintf("some-%d", i), 10))
		others = append(others, engine.PerHour(fmt.Sprintf("others-%d", i), 10))
	}
	all := engine.Tokens{}
	for _, l := range some {
		all[l.Name] = 5
	}
	l, q := r.limiter(), request(tokens("others-1", 1), others...)
	r.mustAcquire(l, request(all, some...))
	_, err := l.Acquire(r.Context(), q)
	r.wantInvalid("20 limits in one bucket", err)
	r.mustAcquire(l, request(tokens("some-1", 5), some...))
	r.clock.advance(time.Hour)
	r.mustAcquire(l, q)
}

// liveAtOnce: setting an entity's limits for a resource converts the bucket at once.
func liveAtOnce(r *story) {
	l, limits := r.limiter(), []engine.Limit{stored("a", 100)}
	r.must(l.SetLimits(r.Context(), user, api, limits))
	r.mustAcquire(l, request(tokens("a", 100)))
	r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 1000)}))
	r.wantRequests("an acquire after the limits were set", 1, 0, func() { r.mustAcquire(l, request(tokens("a", 1))) })
	r.wantRequests("the next one", 1, 0, func() { r.mustAcquire(l, request(tokens("a", 1))) })
}

// configLevel is a place where limits are stored, and how.
type configLevel struct {
	name   string
	set    func(ctx context.Context, l *engine.Limiter, limits ...engine.Limit) error
	remove func(ctx context.Context, l *engine.Limiter) error
}

// configLevels are narrow to wide.
var configLevels = []configLevel{
	{"entity and resource", func(ctx context.Context, l *engine.Limiter, limits ...engine.Limit) error {
		return l.SetLimits(ctx, user, api, limits)
	}, func(ctx context.Context, l *engine.Limiter) error { return l.DeleteLimits(ctx, user, api) }},
	{"entity", func(ctx context.Context, l *engine.Limiter, limits ...engine.Limit) error {
		return l.SetLimits(ctx, user, "", limits)
	}, func(ctx context.Context, l *engine.Limiter) error { return l.DeleteLimits(ctx, user, "") }},
	{"resource", func(ctx context.Context, l *engine.Limiter, limits ...engine.Limit) error {
		return l.SetResourceDefaults(ctx, api, limits)
	}, func(ctx context.Context, l *engine.Limiter) error { return l.DeleteResourceDefaults(ctx, api) }},
	{"system", func(ctx context.Context, l *engine.Limiter, limits ...engine.Limit) error {
		return l.SetSystemDefaults(ctx, limits, nil)
	}, func(ctx context.Context, l *engine.Limiter) error { return l.DeleteSystemDefaults(ctx) }},
}
