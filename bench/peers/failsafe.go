package peers

import (
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
)

// bursty is github.com/failsafe-go/failsafe-go, counting in fixed windows.
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

// failsafeSharded calls TryAcquirePermit twice.
type failsafeSharded struct {
	a, b *sharded[ratelimiter.RateLimiter[any]]
}

func newBurstySharded(l limits) peer { return failsafeIn(l, bursty) }

func newSmooth(l limits) peer { return failsafeIn(l, smooth) }

func failsafeIn(l limits, one func(limit) ratelimiter.RateLimiter[any]) *failsafeSharded {
	fresh := func(l limit) func() ratelimiter.RateLimiter[any] {
		return func() ratelimiter.RateLimiter[any] { return one(l) }
	}
	return &failsafeSharded{newSharded(fresh(l[0])), newSharded(fresh(l[1]))}
}

func (f *failsafeSharded) Allow2(key int) bool {
	return f.a.get(key).TryAcquirePermit() && f.b.get(key).TryAcquirePermit()
}

func (*failsafeSharded) Close() {}

// failsafeSyncMap calls TryAcquirePermit twice.
type failsafeSyncMap struct {
	a, b *synced[*ratelimiter.RateLimiter[any]]
}

func newBurstySyncMap(l limits) peer {
	fresh := func(l limit) func() *ratelimiter.RateLimiter[any] {
		return func() *ratelimiter.RateLimiter[any] { return new(bursty(l)) }
	}
	return &failsafeSyncMap{newSynced(fresh(l[0])), newSynced(fresh(l[1]))}
}

func (f *failsafeSyncMap) Allow2(key int) bool {
	return (*f.a.get(key)).TryAcquirePermit() && (*f.b.get(key)).TryAcquirePermit()
}

func (*failsafeSyncMap) Close() {}

// failsafePair is both limiters of a key behind one look-up.
type failsafePair struct{ a, b ratelimiter.RateLimiter[any] }

type failsafePaired struct{ keys *synced[*failsafePair] }

func newBurstyPaired(l limits) peer {
	return &failsafePaired{newSynced(func() *failsafePair { return &failsafePair{bursty(l[0]), bursty(l[1])} })}
}

func (f *failsafePaired) Allow2(key int) bool {
	p := f.keys.get(key)
	return p.a.TryAcquirePermit() && p.b.TryAcquirePermit()
}

func (*failsafePaired) Close() {}
