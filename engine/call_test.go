package engine_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// datedStore is a store that tells what time it is there.
type datedStore struct {
	backend.Backend
	ahead time.Duration
}

func (s *datedStore) Capabilities() backend.Capabilities {
	return backend.Capabilities{ClockAhead: func() time.Duration { return s.ahead }}
}

// TestStoreClock: a clock that differs from the store's by more than two seconds is reported, once a minute.
func TestStoreClock(t *testing.T) {
	w, seen, log := newWorld(t), &watcher{}, &strings.Builder{}
	store := &datedStore{Backend: w.store}
	l, err := engine.New(store, &engine.Options{
		Observer: seen, Now: w.now, Logger: slog.New(slog.NewTextHandler(log, nil)),
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	must(t, err)
	defer l.Close()
	told := func(ahead time.Duration, want ...time.Duration) {
		t.Helper()
		store.ahead = ahead
		for range 3 {
			_, err := l.Allow(t.Context(), ask(1, engine.PerMinute("a", 1000)))
			must(t, err)
		}
		var got []time.Duration
		for _, e := range seen.of(engine.EventStoreClock) {
			got = append(got, e.Ahead)
		}
		equal(t, "what was reported", got, want)
		if lines := strings.Count(log.String(), "level=WARN"); lines != len(want) {
			t.Errorf("%d warnings, not %d:\n%s", lines, len(want), log)
		}
	}
	told(2 * time.Second)
	told(-2 * time.Second)
	told(2100*time.Millisecond, 2100*time.Millisecond)
	told(-3*time.Second, 2100*time.Millisecond)
	w.pass(61 * time.Second)
	told(-3*time.Second, 2100*time.Millisecond, -3*time.Second)
}
