package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// sweptStore counts sweeps.
type sweptStore struct {
	*memory.Store
	sweeps atomic.Int64
}

func (s *sweptStore) Capabilities() backend.Capabilities {
	c := s.Store.Capabilities()
	c.Sweep = func(ctx context.Context, now int64) (int, error) {
		s.sweeps.Add(1)
		return s.Store.Sweep(ctx, now)
	}
	return c
}

// TestSweepOfASlowWriter has the collector run after every few writes, as it does in a program that writes rarely: the writes
// are counted all the same.
func TestSweepOfASlowWriter(t *testing.T) {
	alltests.Only(t)
	w := newWorld(t)
	store := &sweptStore{Store: w.store}
	l := w.limiter(store, nil)
	for i := range 2 * 4096 {
		q := ask(1, engine.PerMinute("a", 1_000_000))
		q.Entity = fmt.Sprintf("user-%d", i%100)
		_, err := l.Allow(t.Context(), q)
		must(t, err)
		if i%32 == 31 {
			runtime.GC()
			runtime.GC() // what a pool holds survives one
		}
	}
	must(t, l.Close())
	if store.sweeps.Load() == 0 {
		t.Error("nothing was swept in 8,192 writes")
	}
}
