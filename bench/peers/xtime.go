package peers

import (
	"time"

	"golang.org/x/time/rate"
)

// xtime makes golang.org/x/time/rate's limiters of one limit.
func xtime(l limit) func() *rate.Limiter {
	return func() *rate.Limiter { return rate.NewLimiter(rate.Every(l.Every), int(l.Capacity)) }
}

// xtimeSharded calls Allow twice.
type xtimeSharded struct{ a, b *sharded[*rate.Limiter] }

func newXtimeSharded(l limits) peer {
	return &xtimeSharded{newSharded(xtime(l[0])), newSharded(xtime(l[1]))}
}

func (x *xtimeSharded) Allow2(key int) bool { return x.a.get(key).Allow() && x.b.get(key).Allow() }

func (*xtimeSharded) Close() {}

// xtimeOneClock reads the clock once for both calls.
type xtimeOneClock struct{ xtimeSharded }

func newXtimeOneClock(l limits) peer {
	return &xtimeOneClock{xtimeSharded{newSharded(xtime(l[0])), newSharded(xtime(l[1]))}}
}

func (x *xtimeOneClock) Allow2(key int) bool {
	at := now()
	return x.a.get(key).AllowN(at, 1) && x.b.get(key).AllowN(at, 1)
}

// xtimeSyncMap calls Allow twice.
type xtimeSyncMap struct{ a, b *synced[*rate.Limiter] }

func newXtimeSyncMap(l limits) peer {
	return &xtimeSyncMap{newSynced(xtime(l[0])), newSynced(xtime(l[1]))}
}

func (x *xtimeSyncMap) Allow2(key int) bool {
	return x.a.get(key).Allow() && x.b.get(key).Allow()
}

func (*xtimeSyncMap) Close() {}

// xtimePair is both limiters of a key behind one look-up.
type xtimePair struct{ a, b *rate.Limiter }

func xtimePairs(l limits) func() xtimePair {
	one, two := xtime(l[0]), xtime(l[1])
	return func() xtimePair { return xtimePair{one(), two()} }
}

// xtimePaired reads the clock once for both calls.
type xtimePaired struct{ keys *sharded[xtimePair] }

func newXtimePaired(l limits) peer { return &xtimePaired{newSharded(xtimePairs(l))} }

func (x *xtimePaired) Allow2(key int) bool {
	p, at := x.keys.get(key), now()
	return p.a.AllowN(at, 1) && p.b.AllowN(at, 1)
}

func (*xtimePaired) Close() {}

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
