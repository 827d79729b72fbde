package engine

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// sweepEvery is how many writes lie between two sweeps of a store that does not drop expired records by itself. For each
// write since the last one a sweep drops up to sweepShare records. A write makes up to four: a bucket and its usage by the
// hour, day and month. So they do not become more and more, and a backlog is worked off.
const (
	sweepEvery = 4096
	sweepShare = 8
)

// sweeper asks such a store to drop them, by the slowest clock it has seen since it last did.
type sweeper struct {
	writes  atomic.Int64 // since the last sweep began
	slowest atomic.Int64 // ns since the Unix epoch; 0: none seen
	running atomic.Bool
}

// sweepBatch is how many writes an attempt counts by itself, so that the shared counter is touched rarely. An attempt begins with any
// number: the pool drops attempts at any time, and what those have counted must not be missing on average.
const sweepBatch = 64

// countWrites counts the writes that an attempt has counted, and sweeps when it is time to.
func (l *Limiter) countWrites(a *attempt) {
	s, writes := &l.sweeps, int64(a.writes)
	a.writes = 0
	if l.store.Capabilities().Sweep == nil {
		return
	}
	if slowest := s.slowest.Load(); slowest == 0 || a.Now < slowest {
		s.slowest.Store(a.Now)
	}
	if s.writes.Add(writes) < sweepEvery || !s.running.CompareAndSwap(false, true) {
		return
	}
	most, before := sweepShare*s.writes.Swap(0), s.slowest.Swap(math.MaxInt64)
	l.background(func(ctx context.Context) {
		defer s.running.Store(false)
		if err := l.store.Sweep(ctx, before/int64(time.Second), most); err != nil && ctx.Err() == nil {
			l.warn(ctx, before, "limiter: dropping expired records failed", "error", err)
		}
	})
}
