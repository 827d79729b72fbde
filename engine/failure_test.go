package engine_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestFailureIsLogged: what policy lets through is told to the observer each time, and logged at most once a second.
func TestFailureIsLogged(t *testing.T) {
	w, seen, log := newWorld(t), &watcher{}, &bytes.Buffer{}
	l, err := engine.New(w.trouble, &engine.Options{
		OnUnavailable: engine.PolicyAllow, Observer: seen, Logger: slog.New(slog.NewTextHandler(log, nil)), Now: w.now,
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	must(t, err)
	defer l.Close()
	w.trouble.will(slices.Repeat([]fault{refused}, 100)...)
	for i := range 10 {
		lease := mustAcquire(t, l, ask(1, engine.PerDay("a", 10)))
		if !lease.Degraded() {
			t.Fatalf("acquire %d was not degraded", i)
		}
		w.pass(300 * time.Millisecond)
	}
	must(t, l.Close()) // ends what it does in the background
	equal(t, "degraded", len(seen.of(engine.EventDegraded)), 10)
	if n := strings.Count(log.String(), "admitted without the store"); n < 2 || n > 4 {
		t.Errorf("%d lines in 3 s:\n%s", n, log)
	}
	for _, e := range seen.of(engine.EventDegraded) {
		if e.Entity != "user-1" || e.Resource != "gpt-4" || !errors.Is(e.Err, engine.ErrUnavailable) {
			t.Errorf("degraded: %+v", e)
		}
	}
}

// TestFailureRetries: what is worth it is tried again, three times; what is not, is not.
func TestFailureRetries(t *testing.T) {
	for _, c := range []struct {
		kind  fault
		calls int
		want  error
	}{{refused, 4, engine.ErrUnavailable}, {gone, 4, engine.ErrUnavailable}, {raced, 4, engine.ErrContention}, {broken, 1, errBroken}} {
		w := newWorld(t)
		l := w.troubled()
		mustAcquire(t, l, ask(1, engine.PerDay("a", 10)))
		w.trouble.will(slices.Repeat([]fault{c.kind}, 10)...)
		_, err := l.Acquire(t.Context(), ask(1, engine.PerDay("a", 10)))
		wants(t, "Acquire", err, c.want)
		equal(t, "calls", len(w.trouble.calls), c.calls)
		if c.kind == broken && errors.Is(err, engine.ErrUnavailable) || c.kind == raced && errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("%v would be let through by a policy", err)
		}
	}
}

// TestFailureSaysWhy: the text names the cause, also while the breaker is open and the store is not called.
func TestFailureSaysWhy(t *testing.T) {
	w := newWorld(t)
	l := w.troubled()
	w.trouble.will(slices.Repeat([]fault{refused}, 20)...)
	for i := range 4 {
		calls := len(w.trouble.calls)
		_, err := l.Acquire(t.Context(), ask(1, engine.PerDay("a", 10)))
		if !errors.Is(err, backend.ErrUnavailable) {
			t.Errorf("Acquire %d: %v", i, err)
		}
		if text := err.Error(); !strings.Contains(text, "refused") || strings.Count(text, "store unavailable") != 1 {
			t.Errorf("Acquire %d: %v does not name the cause, or says something twice", i, err)
		}
		if open := len(w.trouble.calls) == calls; open != strings.Contains(err.Error(), "is probed again after a pause") {
			t.Errorf("Acquire %d, without a call %v: %v", i, open, err)
		}
	}
}

// TestFailureHangInTransit: a store that does not heed its context is left behind; what it does to the buffers of the
// call that was given up harms nobody, under the race detector.
func TestFailureHangInTransit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l, err := engine.New(w.trouble, &engine.Options{Now: w.now, Timeout: time.Second})
		must(t, err)
		defer l.Close()
		limit := engine.PerDay("a", 1000)
		mustAcquire(t, l, ask(1, limit))
		release := make(chan struct{})
		w.trouble.hook = func(call string) {
			if call == "apply" {
				<-release
			}
		}
		for range 4 { // one more would open the breaker
			_, err := l.Acquire(context.Background(), ask(1, limit))
			wants(t, "Acquire", err, engine.ErrUnavailable)
			wants(t, "Acquire", err, context.DeadlineExceeded)
		}
		w.trouble.lock.Lock()
		w.trouble.hook = nil
		w.trouble.lock.Unlock()
		close(release) // the four are carried out now, while others use their ops again
		for range 20 {
			mustAcquire(t, l, ask(1, limit))
		}
		synctest.Wait()
		st, err := l.Available(t.Context(), "user-1", "gpt-4", limit)
		must(t, err)
		if used := 1000 - st[0].Remaining; used < 21 || used > 25 {
			t.Errorf("%d are used: 21 were admitted, 4 given up", used)
		}
	})
}

// TestFailureRefresh: changes of the configuration are looked for behind the caller's back. If that fails for
// long, what the acquire needs is read behind its back. If that fails, too, the old configuration stays in use, and the
// observer is told of both.
func TestFailureRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, seen := newWorld(t), &watcher{}
		store := limitertest.NewFault(w.store, nil)
		l := w.limiter(store, &engine.Options{Observer: seen})
		must(t, w.SetSystemDefaults(t.Context(), []engine.Limit{engine.PerDay("a", 10)}, nil))
		mustAcquire(t, l, ask(1))
		must(t, w.SetSystemDefaults(t.Context(), []engine.Limit{engine.PerDay("a", 5)}, nil))
		w.pass(50 * time.Second)
		mustAcquire(t, l, ask(1))
		synctest.Wait()
		mustDeny(t, l, ask(4))
		store.SetPlan(limitertest.Always(limitertest.Fail, limitertest.OpList, limitertest.OpRead))
		w.pass(50 * time.Second)
		mustAcquire(t, l, ask(1))
		synctest.Wait()
		if told := seen.of(engine.EventRefresh); len(told) != 2 || told[0].Entity+told[1].Entity != "user-1" || // in any order
			!errors.Is(told[0].Err, engine.ErrUnavailable) || !errors.Is(told[1].Err, engine.ErrUnavailable) {
			t.Errorf("what the observer was told: %+v", told)
		}
		w.pass(time.Hour)
		mustAcquire(t, l, ask(1))
	})
}
