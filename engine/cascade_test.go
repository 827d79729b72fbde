package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// family makes a parent of 50 a day and children below it.
func (w *world) family(children int) {
	w.t.Helper()
	ctx := w.t.Context()
	must(w.t, w.SetLimits(ctx, "parent", "gpt-4", []engine.Limit{engine.PerDay("a", 50)}))
	for i := range children {
		must(w.t, w.CreateEntity(ctx, engine.Entity{ID: fmt.Sprintf("child-%d", i), Parent: "parent", Cascade: true}, anyParent))
	}
	must(w.t, w.SetSystemDefaults(ctx, []engine.Limit{engine.PerDay("a", 1000)}, nil))
}

func below(i int) engine.Request {
	return engine.Request{Entity: fmt.Sprintf("child-%d", i), Resource: "gpt-4", Consume: engine.Tokens{"a": 1}}
}

// TestCascadeAtOnce charges the buckets of a path at the same time, and refunds at the same time, under the race
// detector: 4 children share 50 with leases that come and go.
func TestCascadeAtOnce(t *testing.T) {
	w := newWorld(t)
	w.family(4)
	l := w.troubled()
	ctx := context.WithoutCancel(t.Context())
	var all sync.WaitGroup
	var lock sync.Mutex
	kept := int64(0)
	for i := range 8 {
		all.Go(func() {
			for j := range 25 {
				lease, err := l.Acquire(ctx, below(i%4))
				var exceeded *engine.ExceededError
				if errors.As(err, &exceeded) || errors.Is(err, engine.ErrContention) {
					continue
				}
				if err != nil {
					t.Errorf("Acquire: %v", err)
					return
				}
				if j%3 == 0 {
					err = lease.Commit(ctx)
					lock.Lock()
					kept++
					lock.Unlock()
				} else {
					err = lease.Rollback(ctx)
				}
				if err != nil {
					t.Errorf("ending a lease: %v", err)
				}
			}
		})
	}
	all.Wait()
	if kept > 50 {
		t.Errorf("%d were admitted and kept, of 50", kept)
	}
	used := int64(0)
	for i := range 4 {
		used += 1000 - w.left(fmt.Sprintf("child-%d", i))
	}
	equal(t, "the children's", used, kept)
	equal(t, "the parent's", 50-w.left("parent"), kept)
}

// TestCascadeChildUnreachable: where one bucket of a path cannot be written, the other gets back what it gave.
func TestCascadeChildUnreachable(t *testing.T) {
	for nth := range 2 {
		w := newWorld(t)
		w.family(1)
		l := w.troubled()
		mustAcquire(t, l, below(0))
		w.trouble.will(make([]fault, nth)...)
		w.trouble.script = append(w.trouble.script, broken)
		_, err := l.Acquire(t.Context(), below(0))
		wants(t, "Acquire", err, errBroken)
		equal(t, "the child's", w.left("child-0"), 999)
		equal(t, "the parent's", w.left("parent"), 49)
	}
}

// TestCascadeConfigurationChanges: an acquire whose path changes while its buckets are being charged pays along the old
// one or the new one, and gets back what it paid on the other. Which one depends on which bucket was reached first.
func TestCascadeConfigurationChanges(t *testing.T) {
	w := newWorld(t)
	w.family(2)
	must(t, w.SetLimits(t.Context(), "other", "gpt-4", []engine.Limit{engine.PerDay("a", 70)}))
	l := w.troubled()
	mustAcquire(t, l, below(0))
	var first sync.Once // both buckets are charged at once: neither is before the path has changed
	w.trouble.hook = func(string) {
		first.Do(func() {
			_, err := w.UpdateEntity(t.Context(), "child-0", engine.EntityUpdate{Parent: ptr("other")}, anyParent)
			must(t, err)
			mustAcquire(t, w.Limiter, below(0))
		})
	}
	mustAcquire(t, l, below(0))
	equal(t, "the child's", w.left("child-0"), 997)
	if paid := [2]int64{50 - w.left("parent"), 70 - w.left("other")}; paid != [2]int64{1, 2} && paid != [2]int64{2, 1} {
		t.Errorf("the old parent and the new one paid %v", paid)
	}
}

// TestCascadeCallerGone: a caller who gives up while one bucket of the path is being charged gets back what another one
// was charged before.
func TestCascadeCallerGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.family(1)
		store := limitertest.NewFault(w.store, nil)
		l := w.limiter(store, nil)
		mustAcquire(t, l, below(0))
		ctx, cancel := context.WithCancel(t.Context())
		store.SetHooks(func(_ context.Context, c limitertest.Call) {
			if c.Op == limitertest.OpApply && strings.Contains(c.Keys[0].Partition, "parent") {
				synctest.Wait() // until the child's reply has come
				cancel()
			}
		}, nil)
		_, err := l.Acquire(ctx, below(0))
		wants(t, "Acquire", err, context.Canceled)
		synctest.Wait()
		equal(t, "the child's", w.left("child-0"), 999)
	})
}
