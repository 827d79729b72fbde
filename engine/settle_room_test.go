package engine_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// overtaken is a memory store, as remote as DynamoDB, on which another process is always faster: before is called ahead of each
// write.
type overtaken struct {
	backend.Backend
	before func()
}

// Capabilities implements [backend.Backend].
func (overtaken) Capabilities() backend.Capabilities {
	return backend.Capabilities{HonorsContext: true}
}

// Apply implements [backend.Backend].
func (s overtaken) Apply(ctx context.Context, writes []backend.Write, outs []backend.Outcome) error {
	_ = pause.For(ctx, time.Millisecond)
	s.before()
	return s.Backend.Apply(ctx, writes, outs)
}

// TestSettlementIsNotOvertakenForEver: a settlement that another process has overtaken by a charge without the token check takes
// effect with its second write, although it is overtaken again.
func TestSettlementIsNotOvertakenForEver(t *testing.T) {
	for name, prefetch := range map[string]*engine.PrefetchOptions{"Exact": nil, "Prefetch": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { settleOvertaken(t, prefetch) })
		})
	}
}

func settleOvertaken(t *testing.T, prefetch *engine.PrefetchOptions) {
	ctx, store := context.Background(), memory.New(nil)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	other, err := engine.New(store, &engine.Options{Now: shifted})
	must(err)
	before := func() {}
	l, err := engine.New(overtaken{store, func() { before() }}, &engine.Options{Now: shifted, Prefetch: prefetch})
	must(err)
	defer l.Close()
	q := func(n int64) engine.Request {
		return engine.Request{Entity: "tenant", Resource: "api", Limits: []engine.Limit{engine.PerDay("a", 10)}, Consume: engine.Tokens{"a": n}}
	}
	lease, err := l.Acquire(ctx, q(1))
	must(err)
	var others sync.WaitGroup
	for range 2 { // they meet
		others.Go(func() {
			if _, err := l.Allow(ctx, q(1)); err != nil {
				t.Error(err)
			}
		})
	}
	others.Wait()
	faster, err := other.Acquire(ctx, q(7))
	must(err)
	writes := 0
	before = func() {
		writes++
		must(faster.Adjust(engine.Tokens{"a": 4}))
		must(faster.Flush(ctx))
	}
	must(lease.Adjust(engine.Tokens{"a": 5}))
	must(lease.Flush(ctx))
	must(pause.For(ctx, 300*time.Millisecond))
	if writes != 2 {
		t.Errorf("%d writes, not 2", writes)
	}
}
