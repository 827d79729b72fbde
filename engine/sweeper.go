package engine

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
)

// sweepEvery is how many writes lie between two sweeps of a store that does not drop expired records by itself.
const sweepEvery = 4096

// sweeper asks such a store to drop them, by the slowest clock it has seen since it last did.
type sweeper struct {
	store   backend.Sweeper
	writes  atomic.Int64
	slowest atomic.Int64 // ns since the Unix epoch; 0: none seen
	running atomic.Bool
}

// sweepBatch is how many writes an op counts by itself, so that the shared counter is touched rarely.
const sweepBatch = 64

// wrote counts an op's writes, and sweeps when it is time to.
func (l *Limiter) wrote(o *op) {
	s := &l.sweeps
	if o.writes += o.n; s.store == nil || o.writes < sweepBatch {
		return
	}
	writes := int64(o.writes)
	o.writes = 0
	if slowest := s.slowest.Load(); slowest == 0 || o.now < slowest {
		s.slowest.Store(o.now)
	}
	if s.writes.Add(writes)%sweepEvery >= writes || !s.running.CompareAndSwap(false, true) {
		return
	}
	before := s.slowest.Swap(math.MaxInt64)
	l.background(func(ctx context.Context) {
		defer s.running.Store(false)
		_, err := l.call(ctx, "sweep", func(ctx context.Context) error {
			_, err := s.store.Sweep(ctx, before/int64(time.Second))
			return err
		})
		if err != nil && ctx.Err() == nil {
			l.warn(ctx, before, "limiter: dropping expired records failed", "error", err)
		}
	})
}
