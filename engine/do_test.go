package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
)

// doing is a request of one of ten a day, and a limiter whose store may have trouble.
func doing(t *testing.T) (*world, *engine.Limiter, engine.Request) {
	w := newWorld(t)
	must(t, w.SetLimits(t.Context(), "user-1", "gpt-4", []engine.Limit{engine.PerDay("rpd", 10)}))
	l := w.troubled()
	return w, l, engine.Request{Entity: "user-1", Resource: "gpt-4", Consume: engine.Tokens{"rpd": 1}}
}

func (w *world) left(entity string) int64 {
	w.t.Helper()
	all, err := w.Available(w.t.Context(), entity, "gpt-4")
	must(w.t, err)
	return all[0].Remaining
}

func TestDoCommits(t *testing.T) {
	w, l, q := doing(t)
	var lease *engine.Lease
	must(t, l.Do(t.Context(), q, func(_ context.Context, s *engine.Lease) error {
		lease = s
		return s.Adjust(engine.Tokens{"rpd": 3})
	}))
	equal(t, "left", w.left("user-1"), 6)
	wants(t, "the lease afterwards", lease.Commit(t.Context()), engine.ErrLeaseClosed)
}

func TestDoRollsBack(t *testing.T) {
	w, l, q := doing(t)
	err := l.Do(t.Context(), q, func(_ context.Context, s *engine.Lease) error {
		must(t, s.Adjust(engine.Tokens{"rpd": 3}))
		must(t, s.Flush(t.Context()))
		return errBroken
	})
	if err != errBroken { //nolint:errorlint // it is the function's own, as it was
		t.Errorf("Do: %v", err)
	}
	equal(t, "left", w.left("user-1"), 10)
}

// TestDoRollsBackWhenCancelled: the caller who gives up in the middle still refunds.
func TestDoRollsBackWhenCancelled(t *testing.T) {
	w, l, q := doing(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := l.Do(ctx, q, func(ctx context.Context, _ *engine.Lease) error {
		cancel()
		return ctx.Err()
	})
	wants(t, "Do", err, context.Canceled)
	equal(t, "left", w.left("user-1"), 10)
}

func TestDoPanics(t *testing.T) {
	w, l, q := doing(t)
	defer func() {
		equal(t, "the panic that goes on", recover(), any("oh"))
		equal(t, "left", w.left("user-1"), 10)
	}()
	_ = l.Do(t.Context(), q, func(context.Context, *engine.Lease) error { panic("oh") })
	t.Error("the panic did not go on")
}

func TestDoDenied(t *testing.T) {
	w, l, q := doing(t)
	q.Consume["rpd"] = 11
	wants(t, "Do", l.Do(t.Context(), q, func(context.Context, *engine.Lease) error {
		t.Error("the function was called")
		return nil
	}), engine.ErrNeverFits)
	equal(t, "left", w.left("user-1"), 10)
}

// TestDoCommitError: the work was done, its settlement failed; the charge of the acquire stands.
func TestDoCommitError(t *testing.T) {
	w, l, q := doing(t)
	err := l.Do(t.Context(), q, func(_ context.Context, s *engine.Lease) error {
		w.trouble.will(refused, refused, refused, refused)
		return s.Adjust(engine.Tokens{"rpd": 3})
	})
	var failed *engine.CommitError
	if !errors.As(err, &failed) || !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("Do: %v", err)
	}
	equal(t, "left", w.left("user-1"), 9)
}

// TestDoBothFail: neither the function's error nor that of the rollback is lost.
func TestDoBothFail(t *testing.T) {
	w, l, q := doing(t)
	err := l.Do(t.Context(), q, func(context.Context, *engine.Lease) error {
		w.trouble.will(refused, refused, refused, refused)
		return errBroken
	})
	wants(t, "Do", err, errBroken)
	wants(t, "Do", err, engine.ErrUnavailable)
	var failed *engine.CommitError
	if errors.As(err, &failed) {
		t.Errorf("%v is a CommitError, and nothing was done", err)
	}
}

// TestDoEndsLease: a function may end its lease itself, and also while Do ends it.
func TestDoEndsLease(t *testing.T) {
	w, l, q := doing(t)
	must(t, l.Do(t.Context(), q, func(ctx context.Context, s *engine.Lease) error { return s.Release(ctx, q.Consume) }))
	equal(t, "left", w.left("user-1"), 10)
	must(t, l.Do(t.Context(), q, func(ctx context.Context, s *engine.Lease) error { return s.Commit(ctx) }))
	equal(t, "left by a function that commits", w.left("user-1"), 9)
	must(t, l.Do(t.Context(), q, func(ctx context.Context, s *engine.Lease) error { return s.Rollback(ctx) }))
	equal(t, "left by a function that rolls back", w.left("user-1"), 9)
	wants(t, "Do of a function that commits and fails", l.Do(t.Context(), q, func(ctx context.Context, s *engine.Lease) error {
		must(t, s.Commit(ctx))
		return errBroken
	}), errBroken)
	equal(t, "left by it", w.left("user-1"), 8)
	for i, end := range []func(context.Context, *engine.Lease) error{
		func(ctx context.Context, s *engine.Lease) error { return s.Commit(ctx) },
		func(ctx context.Context, s *engine.Lease) error { return s.Rollback(ctx) },
	} {
		q.Entity = fmt.Sprintf("racer-%d", i)
		must(t, w.SetLimits(t.Context(), q.Entity, "gpt-4", []engine.Limit{engine.PerDay("rpd", 1000)}))
		for range 100 {
			var other sync.WaitGroup
			must(t, l.Do(t.Context(), q, func(ctx context.Context, s *engine.Lease) error {
				must(t, s.Adjust(engine.Tokens{"rpd": 1}))
				other.Go(func() { _ = end(ctx, s) })
				return nil
			}))
			other.Wait()
		}
	}
	equal(t, "left by those that two commit", w.left("racer-0"), 800)
}

// TestDoCommitsAgain: Do settles what the function's own commit or rollback has failed to.
func TestDoCommitsAgain(t *testing.T) {
	w, l, q := doing(t)
	must(t, l.Do(t.Context(), q, func(ctx context.Context, s *engine.Lease) error {
		must(t, s.Adjust(engine.Tokens{"rpd": 3}))
		w.trouble.will(refused, refused, refused, refused)
		wants(t, "Commit", s.Commit(ctx), engine.ErrUnavailable)
		return nil
	}))
	equal(t, "left", w.left("user-1"), 6)
	must(t, l.Do(t.Context(), q, func(ctx context.Context, s *engine.Lease) error {
		w.trouble.will(refused, refused, refused, refused)
		wants(t, "Rollback", s.Rollback(ctx), engine.ErrUnavailable)
		return nil
	}))
	equal(t, "left", w.left("user-1"), 6)
}
