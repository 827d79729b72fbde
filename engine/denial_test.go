package engine_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// watcher collects events.
type watcher struct {
	lock sync.Mutex
	all  []engine.Event
}

func (w *watcher) Observe(e engine.Event) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.all = append(w.all, e)
}

func (w *watcher) of(kind engine.EventKind) (found []engine.Event) {
	w.lock.Lock()
	defer w.lock.Unlock()
	for _, e := range w.all {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

func ask(n int64, limits ...engine.Limit) engine.Request {
	return engine.Request{Entity: "user-1", Resource: "gpt-4", Consume: engine.Tokens{"a": n}, Limits: limits}
}

func mustDeny(t *testing.T, l *engine.Limiter, q engine.Request) *engine.ExceededError {
	t.Helper()
	_, err := l.Acquire(t.Context(), q)
	var exceeded *engine.ExceededError
	if !errors.As(err, &exceeded) {
		t.Fatalf("Acquire of %v should be denied: %v", q.Consume, err)
	}
	return exceeded
}

func mustAcquire(t *testing.T, l *engine.Limiter, q engine.Request) *engine.Lease {
	t.Helper()
	lease, err := l.Acquire(t.Context(), q)
	if err != nil {
		t.Fatalf("Acquire of %v: %v", q.Consume, err)
	}
	return lease
}

// TestDenialIsForgotten: what gives tokens in this process ends denials from memory at once; what does elsewhere, after
// DenialTTL.
func TestDenialIsForgotten(t *testing.T) {
	limit := engine.PerDay("a", 10)
	for name, give := range map[string]func(t *testing.T, l *engine.Limiter, s *engine.Lease) error{
		"Rollback": func(t *testing.T, _ *engine.Limiter, s *engine.Lease) error { return s.Rollback(t.Context()) },
		"Release": func(t *testing.T, _ *engine.Limiter, s *engine.Lease) error {
			return s.Release(t.Context(), engine.Tokens{"a": 5})
		},
		"ResetBucket": func(t *testing.T, l *engine.Limiter, _ *engine.Lease) error {
			return l.ResetBucket(t.Context(), "user-1", "gpt-4")
		},
		"SetLimits": func(t *testing.T, l *engine.Limiter, _ *engine.Lease) error {
			return l.SetLimits(t.Context(), "user-1", "gpt-4", []engine.Limit{engine.PerDay("a", 15)})
		},
		"SetSystemDefaults": func(t *testing.T, l *engine.Limiter, _ *engine.Lease) error {
			return l.SetSystemDefaults(t.Context(), []engine.Limit{engine.PerDay("a", 15)}, nil)
		},
		"DeleteEntity": func(t *testing.T, l *engine.Limiter, _ *engine.Lease) error {
			return l.DeleteEntity(t.Context(), "user-1", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			must(t, w.CreateEntity(t.Context(), engine.Entity{ID: "user-1"}, nil))
			lease := mustAcquire(t, w.Limiter, ask(10, limit))
			other := w.limiter(w.store, nil)
			mustDeny(t, w.Limiter, ask(5, limit))
			mustDeny(t, other, ask(5, limit))
			must(t, give(t, w.Limiter, lease))
			mustAcquire(t, w.Limiter, ask(1, limit))
			mustDeny(t, other, ask(1, limit))
			w.pass(time.Second + 1)
			mustAcquire(t, other, ask(1, limit))
		})
	}
}

// TestDenialTTLOff asks the store each time, and another process's refund counts at once.
func TestDenialTTLOff(t *testing.T) {
	w, limit := newWorld(t), engine.PerDay("a", 10)
	l, other := w.limiter(w.store, &engine.Options{DenialTTL: -1}), w.limiter(w.store, nil)
	lease := mustAcquire(t, other, ask(10, limit))
	mustDeny(t, l, ask(1, limit))
	must(t, lease.Rollback(t.Context()))
	mustAcquire(t, l, ask(1, limit))
}

// TestDenialClockBack: a clock that goes back, or far ahead and back, repeats no denial from another time.
func TestDenialClockBack(t *testing.T) {
	w, limit := newWorld(t), engine.PerDay("a", 10)
	lease := mustAcquire(t, w.Limiter, ask(10, limit))
	other := w.limiter(w.store, nil)
	mustDeny(t, other, ask(1, limit))
	must(t, lease.Rollback(t.Context()))
	w.pass(-2 * time.Second)
	mustAcquire(t, other, ask(1, limit))
}

// TestDenialIsHonest: at the time that a denial states the same request is admitted, and not a nanosecond before; with
// limits of all kinds, more than one in the way.
func TestDenialIsHonest(t *testing.T) {
	const seed = 11
	random := rand.New(rand.NewPCG(seed, seed))
	w := newWorld(t)
	l := w.limiter(w.store, &engine.Options{ConfigTTL: 1 << 62})
	for i := range 300 {
		limits := []engine.Limit{
			engine.Every("a", 1+random.Int64N(1000), time.Duration(1e6+random.Int64N(1e12))).WithBurst(1 + random.Int64N(2000)),
			engine.Every("b", 1+random.Int64N(1000), time.Duration(1e6+random.Int64N(1e12))).WithBurst(1 + random.Int64N(2000)),
		}
		q := ask(1+random.Int64N(limits[0].Capacity), limits...)
		q.Consume["b"] = random.Int64N(limits[1].Capacity + 1)
		q.Entity = "user-" + string(rune('A'+i%26)) + itoa(i)
		for range 50 {
			_, err := l.Acquire(t.Context(), q)
			var exceeded *engine.ExceededError
			if !errors.As(err, &exceeded) {
				must(t, err)
				continue
			}
			left, err := l.TimeUntilAvailable(t.Context(), q)
			if err != nil || left != exceeded.RetryAfter || left <= 0 {
				t.Fatalf("seed %d, %v: TimeUntilAvailable is %v, the denial says %v: %v", seed, limits, left, exceeded.RetryAfter, err)
			}
			w.pass(exceeded.RetryAfter - 1)
			if early := mustDeny(t, l, q); early.RetryAfter != 1 {
				t.Fatalf("seed %d, %v: a nanosecond early: retry after %v", seed, limits, early.RetryAfter)
			}
			w.pass(1)
			mustAcquire(t, l, q)
			break
		}
	}
}

// TestDenialEvents: each decision is told, with the writes that it took.
func TestDenialEvents(t *testing.T) {
	w, seen, limit := newWorld(t), &watcher{}, engine.PerDay("a", 10)
	l := w.limiter(w.store, &engine.Options{Observer: seen})
	mustAcquire(t, l, ask(10, limit))
	mustDeny(t, l, ask(1, limit))
	_, err := l.Allow(t.Context(), ask(1, limit))
	must(t, err)
	_, err = l.Allow(t.Context(), ask(0, limit)) // decided by reading the bucket, so not from memory
	must(t, err)
	other := w.limiter(w.store, &engine.Options{Observer: seen})
	mustDeny(t, other, ask(1, limit))
	var told []string
	for _, e := range seen.of(engine.EventDecision) {
		told = append(told, e.Entity+" "+e.Resource+" "+mark(e.Allowed, "allowed")+mark(e.Cached, "cached")+itoa(e.Attempts))
	}
	equal(t, "decisions", told, []string{"user-1 gpt-4 allowed1", "user-1 gpt-4 cached0", "user-1 gpt-4 cached0", "user-1 gpt-4 allowed0", "user-1 gpt-4 1"})
}

// TestDenialClockAhead: a process whose clock is an hour ahead writes once. Others are told, in the denial's text and by
// the observer; a reset heals.
func TestDenialClockAhead(t *testing.T) {
	w, seen, limit := newWorld(t), &watcher{}, engine.PerMinute("a", 10)
	mustAcquire(t, w.Limiter, ask(1, limit))
	w.pass(time.Hour)
	mustAcquire(t, w.Limiter, ask(1, limit))
	w.pass(-time.Hour)
	l := w.limiter(w.store, &engine.Options{Observer: seen})
	for _, ahead := range []string{"1h0m", "59m58s"} {
		e := mustDeny(t, l, ask(1, limit))
		if e.RetryAfter < 59*time.Minute || !strings.Contains(e.Error(), "clock "+ahead+" ahead") || !strings.Contains(e.Error(), "reset") {
			t.Errorf("a denial by a clock that is ahead: %v", e)
		}
		if strings.Contains(e.Public().Error(), "clock") {
			t.Errorf("what the user is shown: %v", e.Public())
		}
		w.pass(2 * time.Second)
	}
	ahead := seen.of(engine.EventClockAhead)
	if len(ahead) == 0 || ahead[0].Ahead != time.Hour || ahead[0].Entity != "user-1" {
		t.Errorf("what the observer was told: %+v", ahead)
	}
	must(t, l.ResetBucket(t.Context(), "user-1", "gpt-4"))
	mustAcquire(t, l, ask(10, limit))
	w.pass(6 * time.Second)
	if text := mustDeny(t, l, ask(10, limit)).Error(); strings.Contains(text, "clock") {
		t.Errorf("a denial after the reset: %s", text)
	}
}
