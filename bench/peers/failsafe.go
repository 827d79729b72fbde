package peers

import (
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
)

// failsafePair is github.com/failsafe-go/failsafe-go, one limiter per limit.
type failsafePair struct{ a, b ratelimiter.RateLimiter[any] }

func failsafePairs(l limits, one func(limit) ratelimiter.RateLimiter[any]) func() failsafePair {
	return func() failsafePair { return failsafePair{one(l[0]), one(l[1])} }
}

// bursty counts in fixed windows.
func bursty(l limit) ratelimiter.RateLimiter[any] {
	return ratelimiter.NewBursty[any](uint(l.Capacity), l.window())
}

// smooth spaces what it admits. Having no capacity, it stands for a large one by an interval too short to deny.
func smooth(l limit) ratelimiter.RateLimiter[any] {
	if l.Capacity > 1 {
		return ratelimiter.NewSmoothWithMaxRate[any](time.Nanosecond)
	}
	return ratelimiter.NewSmoothWithMaxRate[any](l.Every)
}

type failsafeSharded struct{ keys *sharded[failsafePair] }

func newBurstySharded(l limits) peer { return &failsafeSharded{newSharded(failsafePairs(l, bursty))} }

func newSmooth(l limits) peer { return &failsafeSharded{newSharded(failsafePairs(l, smooth))} }

func (f *failsafeSharded) Allow2(key int) bool {
	p := f.keys.get(key)
	return p.a.TryAcquirePermit() && p.b.TryAcquirePermit()
}

func (*failsafeSharded) Close() {}

type failsafeSyncMap struct{ keys *synced[failsafePair] }

func newBurstySyncMap(l limits) peer { return &failsafeSyncMap{newSynced(failsafePairs(l, bursty))} }

func (f *failsafeSyncMap) Allow2(key int) bool {
	p := f.keys.get(key)
	return p.a.TryAcquirePermit() && p.b.TryAcquirePermit()
}

func (*failsafeSyncMap) Close() {}
