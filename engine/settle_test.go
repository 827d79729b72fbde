package engine_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// TestSettleNothingSentNothingLost: a refund for which no time is left is not sent, so it is not lost.
func TestSettleNothingSentNothingLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, seen := newWorld(t), &watcher{}
		l, err := engine.New(w.trouble, &engine.Options{
			Now: w.now, Timeout: time.Second, Observer: seen,
			Sleep: func(ctx context.Context, _ time.Duration) error { <-ctx.Done(); return nil }, // until the budget is used up
		})
		must(t, err)
		defer l.Close()
		limit := engine.PerDay("a", 10)
		for i := range 20 {
			q := ask(5, limit)
			q.Entity = fmt.Sprintf("user-%d", i)
			lease := mustAcquire(t, l, q)
			w.trouble.will(refused)
			wants(t, "Rollback", lease.Rollback(t.Context()), engine.ErrUnavailable)
			must(t, lease.Rollback(t.Context()))
			q.Consume["a"] = 10
			mustAcquire(t, l, q)
		}
		equal(t, "lost", len(seen.of(engine.EventRefundLost)), 0)
	})
}

// TestRefundsAddToAStretch: what docs/limits.md says of how much a stretch of time admits if tokens are refunded in it
// that were charged before, and what a small MaxHold does.
func TestRefundsAddToAStretch(t *testing.T) {
	for _, c := range []struct {
		hold time.Duration
		want int
	}{{time.Hour, 309}, {time.Second, 20}} {
		w := newWorld(t)
		l := w.limiter(w.store, &engine.Options{MaxHold: c.hold})
		limit := engine.PerSecond("a", 10)
		var held []*engine.Lease
		for range 300 {
			w.pass(100 * time.Millisecond)
			held = append(held, mustAcquire(t, l, ask(1, limit)))
		}
		admitted := 0
		for all := true; all; admitted++ { // what there is without refunds
			d, err := l.Allow(t.Context(), ask(1, limit))
			must(t, err)
			all = d.Allowed
		}
		admitted--
		for _, lease := range held {
			must(t, lease.Rollback(t.Context()))
			d, err := l.Allow(t.Context(), ask(1, limit))
			must(t, err)
			if d.Allowed {
				admitted++
			}
		}
		equal(t, "admitted in zero time", admitted, c.want)
	}
}

// TestLoweredLimitKeepsWhatWasUsed: what docs/limits.md says of limits that are lowered.
func TestLoweredLimitKeepsWhatWasUsed(t *testing.T) {
	for _, c := range []struct{ used, left int64 }{{900, 0}, {100, 0}, {40, 60}, {0, 100}} {
		w := newWorld(t)
		must(t, w.SetLimits(t.Context(), "user-1", "gpt-4", []engine.Limit{engine.PerDay("a", 1000)}))
		mustAcquire(t, w.Limiter, ask(c.used))
		must(t, w.SetLimits(t.Context(), "user-1", "gpt-4", []engine.Limit{engine.PerDay("a", 100)}))
		equal(t, "left", w.left("user-1"), c.left)
	}
}
