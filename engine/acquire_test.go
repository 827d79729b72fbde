package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// TestAcquireKeepsNothingOfTheCaller: maps and slices are the caller's again once Acquire has returned.
func TestAcquireKeepsNothingOfTheCaller(t *testing.T) {
	w := newWorld(t)
	limits := []engine.Limit{engine.PerDay("a", 10), engine.PerDay("b", 10)}
	q := engine.Request{Entity: "user-1", Resource: "gpt-4", Consume: engine.Tokens{"a": 1, "b": 2}, Limits: limits}
	lease := mustAcquire(t, w.Limiter, q)
	q.Consume["a"], limits[0] = 9, engine.PerDay("x", 1)
	equal(t, "Consumed", lease.Consumed(), engine.Tokens{"a": 1, "b": 2})
	must(t, lease.Adjust(engine.Tokens{"a": 1}))
	must(t, lease.Rollback(t.Context()))
	all, err := w.Available(t.Context(), "user-1", "gpt-4", engine.PerDay("a", 10), engine.PerDay("b", 10))
	must(t, err)
	equal(t, "left", []int64{all[0].Remaining, all[1].Remaining}, []int64{10, 10})
	got := lease.Consumed()
	got["a"] = 99
	equal(t, "Consumed after the caller changed it", lease.Consumed()["a"], 0)
}

// TestAcquireAnyOrder: limits in another order, or given again by another caller, are the same limits.
func TestAcquireAnyOrder(t *testing.T) {
	w, seen := newWorld(t), &watcher{}
	l := w.limiter(w.store, &engine.Options{Observer: seen})
	a, b := engine.PerDay("a", 10), engine.PerDay("b", 10)
	for range 3 {
		mustAcquire(t, l, ask(1, a, b))
		mustAcquire(t, l, ask(1, b, a))
	}
	for i, e := range seen.of(engine.EventDecision) {
		if e.Attempts != 1 {
			t.Errorf("acquire %d took %d writes", i, e.Attempts)
		}
	}
	mustDeny(t, l, ask(5, b, a))
}

func TestAllow(t *testing.T) {
	w, limit := newWorld(t), engine.PerMinute("a", 2)
	for left := int64(1); left >= 0; left-- {
		d, err := w.Allow(t.Context(), ask(1, limit))
		must(t, err)
		equal(t, "allowed", d.Allowed && !d.Degraded && d.RetryAfter == 0, true)
		equal(t, "the statuses of an admission", d.Statuses(), []engine.LimitStatus{{
			Entity: "user-1", Resource: "gpt-4", Limit: limit, Remaining: left, Requested: 1, ResetAfter: time.Duration(2-left) * 30 * time.Second,
		}})
	}
	d, err := w.Allow(t.Context(), ask(1, limit))
	must(t, err)
	equal(t, "denied", !d.Allowed && d.RetryAfter == 30*time.Second, true)
	equal(t, "the statuses of a denial", d.Statuses(), []engine.LimitStatus{{
		Entity: "user-1", Resource: "gpt-4", Limit: limit, Requested: 1, Exceeded: true, ResetAfter: time.Minute, RetryAfter: 30 * time.Second,
	}})
}

// TestAcquireLargeRecord: a bucket that costs more than one unit is told once for each of its lists of limits.
func TestAcquireLargeRecord(t *testing.T) {
	w, seen := newWorld(t), &watcher{}
	l := w.limiter(w.store, &engine.Options{Observer: seen})
	var limits []engine.Limit
	for i := range 16 {
		limits = append(limits, engine.PerDay(strings.Repeat("n", 62)+string(rune('a'+i)), 1000))
	}
	q := engine.Request{Entity: strings.Repeat("e", 256), Resource: strings.Repeat("r", 128), Consume: engine.Tokens{limits[3].Name: 1}, Limits: limits}
	for range 5 {
		mustAcquire(t, l, q)
	}
	mustAcquire(t, l, ask(1, engine.PerDay("a", 10)))
	large := seen.of(engine.EventLargeRecord)
	if len(large) != 1 || large[0].Entity != q.Entity || large[0].Bytes <= 1024 {
		t.Errorf("large records that were told: %+v", large)
	}
}

// TestAcquireManyBuckets uses more buckets than are remembered, from many goroutines.
func TestAcquireManyBuckets(t *testing.T) {
	w := newWorld(t)
	for _, size := range []int{-1, 10} {
		l, err := engine.New(w.store, &engine.Options{CacheSize: size, Now: w.now})
		must(t, err)
		defer l.Close()
		var all sync.WaitGroup
		for worker := range 8 {
			all.Go(func() {
				for i := range 200 {
					q := ask(1, engine.PerDay("a", 100))
					q.Entity = fmt.Sprintf("user-%d-%d", size+1, (i*7+worker)%50)
					if _, err := l.Acquire(context.WithoutCancel(t.Context()), q); err != nil {
						t.Errorf("Acquire: %v", err)
						return
					}
				}
			})
		}
		all.Wait()
		used := int64(0)
		for i := range 50 {
			st, err := l.Available(t.Context(), fmt.Sprintf("user-%d-%d", size+1, i), "gpt-4", engine.PerDay("a", 100))
			must(t, err)
			used += 100 - st[0].Remaining
		}
		equal(t, fmt.Sprintf("used with a cache of %d", size), used, 1600)
	}
}

// TestAcquireContention: a bucket that others change before each write ends with ErrContention, not with an admission,
// and not for ever.
func TestAcquireContention(t *testing.T) {
	w, limit := newWorld(t), engine.PerDay("a", 100_000)
	other := w.limiter(w.store, nil)
	l := w.troubled()
	must(t, mustAcquire(t, other, ask(1, limit)).Rollback(t.Context()))
	var held *engine.Lease
	writes := 0
	w.trouble.hook = func(call string) {
		if call != "apply" {
			return
		}
		if writes++; held == nil {
			held = mustAcquire(t, other, ask(1, limit))
		} else {
			must(t, held.Rollback(t.Context()))
			held = nil
		}
	}
	_, err := l.Acquire(t.Context(), ask(1, limit))
	wants(t, "Acquire of a bucket that is never as it was", err, engine.ErrContention)
	if writes < 10 || writes > 40 {
		t.Errorf("%d writes were tried", writes)
	}
	if errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("%v would be let through by a policy", err)
	}
	w.trouble.hook = nil
	mustAcquire(t, l, ask(1, limit))
}
