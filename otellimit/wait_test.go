package otellimit_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
	"github.com/zeroae/zae-limiter-go/otellimit"
)

// Waits are measured where callers wait, with their outcome.
func TestWaits(t *testing.T) {
	observer, read := observe(t, nil)
	l := limitertest.New(t, &engine.Options{Observer: observer})
	r := request("a", engine.Tokens{"rpm": 1})
	r.Limits = []engine.Limit{engine.PerMinute("rpm", 1)}
	for range 3 {
		if _, err := l.Wait(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Allow(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	got := read()
	if got["wait.duration{outcome=admitted,resource=api}"] != 2 || got["decisions{outcome=admitted,resource=api,source=store}"] != 3 {
		t.Error(got)
	}
	observer.Observe(engine.Event{Kind: engine.EventDecision, Resource: "api", Waited: time.Second, Limit: "rpm"})
	if got := read(); got["wait.duration{outcome=denied,resource=api}"] != 1 {
		t.Error(got)
	}
}

// Leases are measured until they end, by how they end.
func TestLeases(t *testing.T) {
	observer, read := observe(t, nil)
	l := limitertest.New(t, &engine.Options{Observer: observer})
	r := request("a", engine.Tokens{"rpm": 1})
	r.Limits = []engine.Limit{engine.PerMinute("rpm", 10)}
	for n := range 3 {
		lease, err := l.Acquire(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		end := lease.Commit
		if n == 2 {
			end = lease.Rollback
		}
		if err := end(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Allow(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := l.Wait(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(); got["active_leases{resource=api}"] != 2 {
		t.Error(got)
	}
	if got := read(); got["lease.duration{resource=api,result=committed}"] != 2 || got["lease.duration{resource=api,result=rolled_back}"] != 1 {
		t.Error(got)
	}
}

// Admissions that tokens bought in advance pay for are from memory, and so the share of those is how well prefetch works.
func TestPrefetch(t *testing.T) {
	observer, read := observe(t, nil)
	l := limitertest.New(t, &engine.Options{Observer: observer, Prefetch: &engine.PrefetchOptions{}})
	r := request("a", engine.Tokens{"rpm": 1})
	r.Limits = []engine.Limit{engine.PerSecond("rpm", 100_000)}
	calls, fromMemory, fromStore := 0.0, 0.0, 0.0
	for fromMemory == 0 && t.Context().Err() == nil { // until the first tokens are bought in the background
		for range 100 {
			l.Clock.Advance(10 * time.Microsecond)
			if _, err := l.Allow(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			calls++
		}
		got := read()
		fromMemory, fromStore = got["decisions{outcome=admitted,resource=api,source=memory}"], got["decisions{outcome=admitted,resource=api,source=store}"]
	}
	if fromMemory+fromStore != calls || fromStore == 0 {
		t.Errorf("%v calls, %v from memory and %v from the store", calls, fromMemory, fromStore)
	}
}

// BenchmarkAdmission tells what metrics add to an admission on memory. It alternates between limiters with and without them, since other
// programs on the machine disturb both alike, and reports the fastest of all batches.
func BenchmarkAdmission(b *testing.B) {
	observer, err := otellimit.New(metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())), nil)
	if err != nil {
		b.Fatal(err)
	}
	limits := []engine.Limit{engine.PerSecond("rpm", 1e9), engine.PerSecond("tpm", 1e12)}
	for name, consume := range map[string]engine.Tokens{"one": {"rpm": 1}, "two": {"rpm": 1, "tpm": 500}} {
		b.Run(name, func(b *testing.B) {
			const batch = 200
			off, on := allows(b, nil, consume, limits), allows(b, observer, consume, limits)
			fastest := [2]time.Duration{math.MaxInt64, math.MaxInt64}
			for b.Loop() {
				for i, allow := range []func(){off, on} {
					began := time.Now()
					for range batch {
						allow()
					}
					fastest[i] = min(fastest[i], time.Since(began))
				}
			}
			b.ReportMetric(float64(fastest[0].Nanoseconds())/batch, "off-ns")
			b.ReportMetric(float64((fastest[1]-fastest[0]).Nanoseconds())/batch, "added-ns")
		})
	}
}

// allows returns an admission on a limiter of its own.
func allows(b *testing.B, o engine.Observer, consume engine.Tokens, limits []engine.Limit) func() {
	b.Helper()
	l, err := engine.New(memory.New(nil), &engine.Options{Observer: o})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	r, ctx := engine.Request{Entity: "key-1", Resource: "api", Consume: consume, Limits: slices.Clone(limits)}, context.Background()
	return func() {
		if _, err := l.Allow(ctx, r); err != nil {
			b.Fatal(err)
		}
	}
}
