package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

func TestStatus(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	l := w.limiter(&slow{w.trouble, w}, nil)
	status := func() engine.Status {
		t.Helper()
		s, err := l.Status(ctx)
		must(t, err)
		return s
	}
	equal(t, "of an empty store", status(), engine.Status{Reachable: true, Latency: 7 * time.Millisecond, Schema: "1", Namespace: "default", Records: -1})
	must(t, l.Ping(ctx))

	var out [1]backend.Outcome
	must(t, w.store.Apply(ctx, []backend.Write{{Key: schema.Version(), Layout: schema.VersionLayout, Effects: []backend.Effect{
		{Slot: schema.VersionNumber, Op: backend.Set, Num: backend.Int(42)},
	}}}, out[:]))
	equal(t, "of a newer store", status().Schema, "42")
	wants(t, "use of a newer store", l.CreateEntity(ctx, engine.Entity{ID: "e"}, nil), engine.ErrSchema)
	wants(t, "registry of a newer store", l.RegisterNamespace(ctx, "n"), engine.ErrSchema)

	w.trouble.will(refused, refused, refused, refused)
	equal(t, "out of reach", status(), engine.Status{Latency: 28 * time.Millisecond, Schema: "1", Namespace: "default", Records: -1})
	w.trouble.will(gone, gone, gone, gone)
	wants(t, "ping", l.Ping(ctx), engine.ErrUnavailable)
	w.pass(10 * time.Second) // the breaker is open
	w.trouble.will(broken)
	_, err := l.Status(ctx)
	wants(t, "broken", err, errBroken)
	must(t, l.Close())
	_, err = l.Status(ctx)
	wants(t, "closed", err, engine.ErrClosed)
	wants(t, "closed", l.Ping(ctx), engine.ErrClosed)
}

// slow takes 7 ms by the test's clock for each read.
type slow struct {
	*trouble
	w *world
}

func (s *slow) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	s.w.pass(7 * time.Millisecond)
	return s.trouble.Read(ctx, keys, out)
}
