package store

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

// Sweeper asks a store that does not drop expired records by itself to drop them, by the slowest clock it has seen since it last
// did. Its exported fields are set before its first use. Safe for concurrent use.
type Sweeper struct {
	Store     *Store
	Go        func(func(context.Context)) bool                // runs a function in the background; false if it does not
	OnFailure func(ctx context.Context, now int64, err error) // called when a sweep fails, with the time of the sweep

	writes  atomic.Int64 // since the last sweep began
	slowest atomic.Int64 // ns since the Unix epoch; 0: none seen
	running atomic.Bool
}

// Count counts writes that were made, of which the last one was made at now, and sweeps when it is time to.
func (s *Sweeper) Count(writes, now int64) {
	if s.Store.Capabilities().Sweep == nil {
		return
	}
	if slowest := s.slowest.Load(); slowest == 0 || now < slowest {
		s.slowest.Store(now)
	}
	if s.writes.Add(writes) < sweepEvery || !s.running.CompareAndSwap(false, true) {
		return
	}
	most, before := sweepShare*s.writes.Swap(0), s.slowest.Swap(math.MaxInt64)
	s.Go(func(ctx context.Context) {
		defer s.running.Store(false)
		if err := s.Store.sweep(ctx, before/int64(time.Second), most); err != nil && ctx.Err() == nil {
			s.OnFailure(ctx, before, err)
		}
	})
}
