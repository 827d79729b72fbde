package engine_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// localOthersBring: callers bring different limits of one bucket. What is owed of those that the last one has not brought is written
// back, too, whether or not limits are stored.
func localOthersBring(r *story) {
	a, b, c := stored("a", 100), stored("b", 100), stored("c", 100)
	l := r.limiter(locally(.5))
	r.down()
	r.mustAcquire(l, request(tokens("a", 2), a))
	r.mustAcquire(l, request(tokens("b", 3), b))
	r.up()
	r.must(l.Close())
	r.wantCounted("after the outage", "a:2 b:3", 2)
	r.must(r.limiter().SetLimits(r.Context(), user, api, []engine.Limit{a}))
	l = r.limiter(locally(.5))
	r.mustAcquire(l, request(tokens("a", 1)))
	r.down()
	override := request(tokens("c", 4))
	override.Override = []engine.Limit{c}
	r.mustAcquire(l, override)
	r.mustAcquire(l, request(tokens("a", 1)))
	r.up()
	r.must(l.Close())
	r.wantCounted("beside stored limits", "a:4 b:3 c:4", 5)
}

// localAcquiresOfParents: an acquire counts in all buckets of its path, as in the store, also in one of which it takes nothing.
func localAcquiresOfParents(r *story) {
	l := r.limiter(locally(.5))
	r.family(l, 2)
	r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("b", 100)}))
	q := request(tokens("b", 1))
	r.mustAcquire(l, q)
	r.down()
	r.mustAcquire(l, q)
	r.mustAcquire(l, request(tokens("b", 0)))
	r.up()
	r.must(l.Close())
	for _, entity := range []string{user, "parent-1"} {
		all, err := r.limiter().BucketStates(r.Context(), []engine.BucketName{{Entity: entity, Resource: api}})
		if r.must(err); len(all) != 1 || all[0].Acquires != 2 {
			r.Errorf("%s: %+v, not 2 acquires", entity, all)
		}
	}
}

// TestLocalMeetsAnother: while a process writes back to a bucket that has no record, another one makes the record, under limits of its
// own.
func TestLocalMeetsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, down, met := newWorld(t), true, false
		q, other := ask(2, engine.PerDay("a", 100)), ask(0, engine.PerDay("b", 100))
		other.Consume = engine.Tokens{"b": 3}
		around := func(ctx context.Context, c backend.Call, next func(context.Context) error) error {
			switch {
			case down:
				return backend.ErrUnavailable
			case c.Method == "Apply" && !met:
				met = true
				mustAcquire(t, w.Limiter, other)
			}
			return next(ctx)
		}
		l := w.limiter(backend.Wrap(w.store, &backend.WrapOptions{Around: around}), &engine.Options{OnUnavailable: engine.PolicyLocal, LocalShare: .5})
		mustAcquire(t, l, q)
		synctest.Wait()
		down = false
		must(t, l.Close())
		left, err := w.Available(t.Context(), q.Entity, q.Resource, q.Limits[0], other.Limits[0])
		must(t, err)
		equal(t, "left", []int64{left[0].Remaining, left[1].Remaining}, []int64{98, 97})
	})
}

// TestLocalLimitGone: usage is owed of a limit that is not stored any more, and the bucket has no record. What is owed of the other
// limits is written nonetheless.
func TestLocalLimitGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, down := newWorld(t), true
		a, b := engine.PerDay("a", 100), engine.PerDay("b", 100)
		around := func(ctx context.Context, c backend.Call, next func(context.Context) error) error {
			if down && c.Method == "Apply" {
				return backend.ErrUnavailable
			}
			return next(ctx)
		}
		l := w.limiter(backend.Wrap(w.store, &backend.WrapOptions{Around: around}), &engine.Options{OnUnavailable: engine.PolicyLocal, LocalShare: .5})
		q := engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"a": 1, "b": 3}}
		must(t, w.SetLimits(t.Context(), q.Entity, q.Resource, []engine.Limit{a, b}))
		mustAcquire(t, l, q)
		must(t, w.SetLimits(t.Context(), q.Entity, q.Resource, []engine.Limit{a}))
		must(t, l.Refresh(t.Context()))
		q.Consume = engine.Tokens{"a": 1}
		mustAcquire(t, l, q)
		synctest.Wait()
		down = false
		must(t, l.Close())
		left, err := w.Available(t.Context(), q.Entity, q.Resource)
		must(t, err)
		equal(t, "left", left[0].Remaining, 98)
	})
}
