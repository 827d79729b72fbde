package peers

import (
	"time"

	"golang.org/x/time/rate"
)

// xtimePair is golang.org/x/time/rate, one limiter per limit.
type xtimePair struct{ a, b *rate.Limiter }

func xtimePairs(l limits) func() xtimePair {
	one := func(l limit) *rate.Limiter { return rate.NewLimiter(rate.Every(l.Every), int(l.Capacity)) }
	return func() xtimePair { return xtimePair{one(l[0]), one(l[1])} }
}

// xtimeSharded calls Allow twice.
type xtimeSharded struct{ keys *sharded[xtimePair] }

func newXtimeSharded(l limits) peer { return &xtimeSharded{newSharded(xtimePairs(l))} }

func (x *xtimeSharded) Allow2(key int) bool {
	p := x.keys.get(key)
	return p.a.Allow() && p.b.Allow()
}

func (*xtimeSharded) Close() {}

// xtimeOneClock reads the clock once for both calls.
type xtimeOneClock struct{ keys *sharded[xtimePair] }

func newXtimeOneClock(l limits) peer { return &xtimeOneClock{newSharded(xtimePairs(l))} }

func (x *xtimeOneClock) Allow2(key int) bool {
	p, at := x.keys.get(key), now()
	return p.a.AllowN(at, 1) && p.b.AllowN(at, 1)
}

func (*xtimeOneClock) Close() {}

// xtimeSyncMap calls Allow twice.
type xtimeSyncMap struct{ keys *synced[xtimePair] }

func newXtimeSyncMap(l limits) peer { return &xtimeSyncMap{newSynced(xtimePairs(l))} }

func (x *xtimeSyncMap) Allow2(key int) bool {
	p := x.keys.get(key)
	return p.a.Allow() && p.b.Allow()
}

func (*xtimeSyncMap) Close() {}

// xtimeReserve reserves both and cancels when one would have to wait: the nearest that the package comes to two limits
// at once. Others see the first reservation before it is cancelled.
type xtimeReserve struct{ keys *sharded[xtimePair] }

func newXtimeReserve(l limits) peer { return &xtimeReserve{newSharded(xtimePairs(l))} }

func (x *xtimeReserve) Allow2(key int) bool {
	p, at := x.keys.get(key), now()
	a := p.a.ReserveN(at, 1)
	if !readyAt(a, at) {
		a.CancelAt(at)
		return false
	}
	b := p.b.ReserveN(at, 1)
	if !readyAt(b, at) {
		b.CancelAt(at)
		a.CancelAt(at)
		return false
	}
	return true
}

func (*xtimeReserve) Close() {}

func readyAt(r *rate.Reservation, at time.Time) bool { return r.OK() && r.DelayFrom(at) == 0 }
