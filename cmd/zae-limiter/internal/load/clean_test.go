package load_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/load"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// A removal that takes effect late does not remove a bucket that was created later under the same name.
func TestCleanCarriedOutLate(t *testing.T) {
	faults := limitertest.NewFault(memory.New(nil), nil)
	process := func() *engine.Limiter {
		l, err := engine.New(faults, &engine.Options{
			Now: func() time.Time { return time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC) }, Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	ask := func(n int64) {
		l := process()
		d, err := l.Allow(t.Context(), engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"n": n}, Limits: []engine.Limit{engine.PerDay("n", 10)}})
		if err != nil || !d.Allowed {
			t.Fatal(d.Allowed, err)
		}
	}
	ask(4)
	faults.SetPlan(limitertest.On(limitertest.OpApply, faults.Calls(limitertest.OpApply), limitertest.Late))
	if err := load.Clean(t.Context(), faults, "default", "r", []string{"e", "never used"}); err == nil {
		t.Fatal("the removal is not late")
	}
	if err := load.Clean(t.Context(), faults, "default", "r", []string{"e", "never used"}); err != nil {
		t.Fatal(err)
	}
	ask(7)
	faults.Release(t.Context())
	s, err := process().Available(t.Context(), "e", "r", engine.PerDay("n", 10))
	if err != nil || s[0].Remaining != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := load.Clean(t.Context(), faults, "default", "r", nil); err != nil {
		t.Error(err)
	}
}
