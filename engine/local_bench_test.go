package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// away returns a limiter with an open breaker over a store that fails, and the requests of a fleet of users. What a user has is known
// if known is true; else each request brings its limits.
func away(t testing.TB, users int, known bool) (*engine.Limiter, *limitertest.Fault, []engine.Request) {
	t.Helper()
	store := limitertest.NewFault(memory.New(nil), nil)
	l, err := engine.New(store, &engine.Options{
		OnUnavailable: engine.PolicyLocal, LocalShare: .1, Logger: slog.New(slog.DiscardHandler), Now: newClock(0).Now,
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	all := make([]engine.Request, users)
	for i := range all {
		all[i] = engine.Request{
			Entity: fmt.Sprint("user-", i), Resource: api, Consume: engine.Tokens{"rpm": 1, "tpm": 500},
			Limits: []engine.Limit{engine.PerMinute("rpm", 1_000_000), engine.PerMinute("tpm", 1_000_000_000)},
		}
		if known {
			if _, err := l.Allow(context.Background(), all[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	store.SetPlan(limitertest.Always(limitertest.Fail))
	blocked := all[0]
	blocked.OnUnavailable = engine.PolicyBlock
	for range 10 {
		if _, err := l.Allow(context.Background(), blocked); !errors.Is(err, engine.ErrUnavailable) {
			t.Fatalf("the store is away: %v", err)
		}
	}
	return l, store, all
}

// TestFirstLocalAnswer: once the breaker is open, a first local answer calls nothing and allocates little, so that it takes
// microseconds. BenchmarkFirstLocalAnswer says how many.
func TestFirstLocalAnswer(t *testing.T) {
	for _, known := range []bool{true, false} {
		const runs = 100
		l, store, all := away(t, runs+2, known)
		asked := func() int {
			return store.Calls(limitertest.OpRead) + store.Calls(limitertest.OpApply) + store.Calls(limitertest.OpList)
		}
		calls := asked()
		i := 0
		allocs := testing.AllocsPerRun(runs, func() {
			d, err := l.Allow(context.Background(), all[i])
			if err != nil || !d.Allowed || !d.Degraded {
				t.Errorf("user %d: %+v, %v", i, d, err)
			}
			i++
		})
		if allocs > 20 {
			t.Errorf("a first local answer, known is %v: %.0f allocations", known, allocs)
		}
		if n := asked() - calls; n != 0 {
			t.Errorf("%d calls for %d local answers", n, runs)
		}
	}
}

// BenchmarkFirstLocalAnswer measures the first local answer for a bucket after the breaker has opened, and the ones that follow.
func BenchmarkFirstLocalAnswer(b *testing.B) {
	for _, known := range []bool{true, false} {
		b.Run(fmt.Sprint("known=", known), func(b *testing.B) {
			const users = 10_000
			l, all, i := (*engine.Limiter)(nil), []engine.Request(nil), users
			for b.Loop() {
				if i == users {
					b.StopTimer()
					if l != nil {
						_ = l.Close()
					}
					l, _, all = away(b, users, known)
					i = 0
					b.StartTimer()
				}
				if d, err := l.Allow(context.Background(), all[i]); err != nil || !d.Degraded {
					b.Fatalf("%+v, %v", d, err)
				}
				i++
			}
		})
	}
	b.Run("again", func(b *testing.B) {
		l, _, all := away(b, 1, true)
		for b.Loop() {
			_, _ = l.Allow(context.Background(), all[0])
		}
	})
}
