package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// deaf is a store that does not heed contexts. Its Apply first calls held, if that is set.
type deaf struct {
	backend.Backend
	held atomic.Pointer[func([]backend.Write, []backend.Outcome)]
}

func (d *deaf) Capabilities() backend.Capabilities { return backend.Capabilities{} }

func (d *deaf) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	if held := d.held.Load(); held != nil {
		(*held)(writes, out)
	}
	return d.Backend.Apply(context.WithoutCancel(ctx), writes, out)
}

func (d *deaf) limiter(w *world) *engine.Limiter {
	return w.limiter(d, &engine.Options{Timeout: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
}

// TestAbandonedThenRestarted: the write to a parent's bucket hangs beyond the budget, while the entity's bucket shows that
// the entity has another parent. The acquire must not begin again with buffers that the store still has: when the store
// wakes up it would charge another bucket.
func TestAbandonedThenRestarted(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	must(t, w.SetSystemDefaults(ctx, []engine.Limit{engine.PerHour("a", 100)}, nil))
	for _, e := range []engine.Entity{{ID: "p"}, {ID: "q"}, {ID: "user-1", Parent: "p", Cascade: true}} {
		must(t, w.CreateEntity(ctx, e, nil))
	}
	d := &deaf{Backend: w.store}
	l := d.limiter(w)
	mustAcquire(t, l, ask(1))
	other := ask(1)
	other.Entity = "q"
	mustAcquire(t, l, other)
	to := "q"
	_, err := w.UpdateEntity(ctx, "user-1", engine.EntityUpdate{Parent: &to}, nil)
	must(t, err)
	mustAcquire(t, w.Limiter, ask(1)) // the bucket has the entity's new version now
	parent, _ := schema.Bucket("default", "p", "gpt-4")
	release, woken := make(chan struct{}), make(chan backend.Key, 1)
	held := func(writes []backend.Write, _ []backend.Outcome) {
		if writes[0].Key == parent {
			<-release
			woken <- writes[0].Key
		}
	}
	d.held.Store(&held)
	if _, err := l.Acquire(ctx, ask(1)); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("the acquire returns %v", err)
	}
	close(release)
	if key := <-woken; key != parent {
		t.Errorf("the store has a write to %v, and was given one to %v", key, parent)
	}
}

// TestAbandonedConversion: a request for no tokens is denied, and the conversion of its bucket hangs beyond the budget. The
// denial must not be told by an outcome that the store still writes to.
func TestAbandonedConversion(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	must(t, w.SetSystemDefaults(ctx, []engine.Limit{engine.PerHour("a", 100)}, nil))
	lease := mustAcquire(t, w.Limiter, ask(100))
	must(t, lease.Adjust(engine.Tokens{"a": 50}))
	must(t, lease.Commit(ctx))
	must(t, w.SetSystemDefaults(ctx, []engine.Limit{engine.PerHour("a", 90)}, nil))
	d, release, ended := &deaf{Backend: w.store}, make(chan struct{}), make(chan struct{})
	held := func(_ []backend.Write, out []backend.Outcome) {
		defer close(ended)
		for open := true; open; {
			out[0].Record.Reset(schema.BucketLayout)
			out[0].Record.SetText(schema.L, "half a record")
			select {
			case <-release:
				open = false
			default:
			}
		}
	}
	d.held.Store(&held)
	if _, err := d.limiter(w).Allow(ctx, ask(0)); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("the acquire returns %v", err)
	}
	close(release)
	<-ended
}

// TestOwnRefundEndsOwnDenial: what a lease refunds counts for the next acquire of this process, even if the cache has
// dropped the state of the lease's bucket and has another one since.
func TestOwnRefundEndsOwnDenial(t *testing.T) {
	w, limit := newWorld(t), engine.PerHour("a", 10)
	l, err := engine.New(w.store, &engine.Options{CacheSize: 1, Now: w.now})
	must(t, err)
	lease := mustAcquire(t, l, ask(10, limit))
	other := ask(10, limit)
	other.Entity = "user-2"
	mustAcquire(t, l, other)
	mustDeny(t, l, ask(10, limit))
	must(t, lease.Rollback(t.Context()))
	mustAcquire(t, l, ask(10, limit))
}
