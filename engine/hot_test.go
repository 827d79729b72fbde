package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

// TestHotBucketIsNoOutage: no policy lets through what the store throttles because one bucket is too hot, and the breaker
// does not open.
func TestHotBucketIsNoOutage(t *testing.T) {
	for _, prefetch := range []*engine.PrefetchOptions{nil, {}} {
		store := hot{Backend: memory.New(nil), on: new(atomic.Bool), asked: new(atomic.Int64)}
		l, err := engine.New(store, &engine.Options{
			OnUnavailable: engine.PolicyAllow, Prefetch: prefetch, Sleep: func(context.Context, time.Duration) error { return nil },
		})
		must(t, err)
		defer l.Close()
		q := engine.Request{Entity: "e", Resource: "r", Limits: []engine.Limit{engine.PerSecond("a", 5)}, Consume: tokens("a", 1)}
		for _, known := range []bool{false, true} {
			store.on.Store(true)
			for range 20 {
				lease, err := l.Acquire(t.Context(), q)
				var exceeded *engine.ExceededError
				if !errors.As(err, &exceeded) || exceeded.RetryAfter <= 0 || exceeded.RetryAfter > time.Second || len(exceeded.Statuses()) != 1 {
					t.Errorf("a hot bucket, known is %v: %v, %v", known, lease, err)
				}
			}
			store.on.Store(false)
			if lease, err := l.Acquire(t.Context(), q); prefetch == nil && (err != nil || lease.Degraded()) {
				t.Errorf("the breaker is open: %v, %v", lease, err)
			}
		}
	}
}

// TestHotBucketTeachesNothing: a first write that is throttled has seen no record, least of all that of another bucket.
func TestHotBucketTeachesNothing(t *testing.T) {
	store := hot{Backend: memory.New(nil), on: new(atomic.Bool), asked: new(atomic.Int64)}
	l, err := engine.New(store, &engine.Options{
		Prefetch: &engine.PrefetchOptions{}, Now: func() time.Time { return time.Unix(2_000_000_000, 0) },
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	must(t, err)
	defer l.Close()
	q := engine.Request{Entity: "empty", Resource: "r", Limits: []engine.Limit{engine.PerDay("a", 5)}, Consume: tokens("a", 5)}
	allow := func(entity string, want bool) {
		t.Helper()
		q.Entity = entity
		if d, err := l.Allow(t.Context(), q); err != nil || d.Allowed != want {
			t.Errorf("%s: %v, %v", entity, d.Allowed, err)
		}
	}
	allow("empty", true)
	allow("empty", false)
	store.on.Store(true)
	allow("full", false)
	store.on.Store(false)
	allow("full", true)
}

// TestWaitOnHotBucket: who waits for a bucket that is throttled is admitted when it is not any more, whatever the policy. Until
// then it asks now and then, since each try heats the bucket.
func TestWaitOnHotBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := hot{Backend: memory.New(nil), on: new(atomic.Bool), asked: new(atomic.Int64)}
		l, err := engine.New(store, &engine.Options{OnUnavailable: engine.PolicyAllow, Now: shifted, FollowInterval: -1})
		must(t, err)
		defer l.Close()
		q := engine.Request{Entity: "e", Resource: "r", Limits: []engine.Limit{engine.PerSecond("a", 5)}, Consume: tokens("a", 5)}
		for range 3 { // the first one empties the bucket, so that the others reserve
			begin := time.Now()
			time.AfterFunc(3*time.Second, func() { store.on.Store(false) })
			lease, err := l.Wait(t.Context(), q)
			if err != nil || lease.Degraded() {
				t.Errorf("Wait after %v: degraded is %v, %v", time.Since(begin), lease.Degraded(), err)
			}
			store.on.Store(true)
		}
		if n := store.asked.Load(); n > 20 {
			t.Errorf("%d writes, for three admissions and six seconds in which the bucket was hot", n)
		}
	})
}

// hot is a store that throttles every write while it is on.
type hot struct {
	backend.Backend
	on    *atomic.Bool
	asked *atomic.Int64 // writes
}

// Capabilities implements [backend.Backend].
func (s hot) Capabilities() backend.Capabilities {
	c := s.Backend.Capabilities()
	c.NoIO, c.HonorsContext = false, true
	return c
}

// Apply implements [backend.Backend].
func (s hot) Apply(ctx context.Context, writes []backend.Write, outs []backend.Outcome) error {
	s.asked.Add(1)
	if s.on.Load() {
		return backend.ErrThrottled
	}
	return s.Backend.Apply(ctx, writes, outs)
}
