package engine_test

import (
	"context"
	"errors"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// interrupted interrupts the deletion of an entity with limits and buckets: its record is deleted, the mark is set.
func (w *world) interrupted(id string) {
	w.t.Helper()
	w.furnish(id, 17, 3)
	deleting := w.limiter(w.trouble, nil)
	w.trouble.once("commit", 1, func() { w.trouble.will(broken) })
	err := deleting.DeleteEntity(w.t.Context(), id, nil)
	if !errors.Is(err, errBroken) {
		// The script is read before the hook: the second commit was made, the read after it failed.
		w.t.Fatal(err)
	}
	w.trouble.hook = nil
	w.trouble.will()
}

// A deletion that begins and is interrupted while the entity is created or configured is finished first.
func TestDeletionComesBetween(t *testing.T) {
	limits := []engine.Limit{engine.PerMinute("tpm", 1)}
	for what, f := range map[string]func(context.Context, *engine.Limiter) error{
		"create": func(ctx context.Context, l *engine.Limiter) error {
			return l.CreateEntity(ctx, engine.Entity{ID: "e"}, nil)
		},
		"set": func(ctx context.Context, l *engine.Limiter) error { return l.SetLimits(ctx, "e", "r1", limits) },
	} {
		w, ctx := newWorld(t), t.Context()
		l := w.limiter(&interposed{bare{w.store}, func() { w.interrupted("e") }}, nil)
		must(t, f(ctx, l))
		if left := w.dump(false); len(left) != 1 {
			t.Errorf("%s: %v", what, left)
		}
	}
}

// interposed calls a function before the first commit.
type interposed struct {
	backend.Backend
	f func()
}

func (s *interposed) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	if f := s.f; f != nil {
		s.f = nil
		f()
	}
	return s.Backend.Commit(ctx, token, writes)
}

// Two limiters finish a deletion, and one is late: the entity was created again, and nothing of it may be deleted.
func TestDeletionFinishedByAnother(t *testing.T) {
	for _, c := range []struct {
		call string
		most int
	}{{"list", 4}, {"read", 5}, {"apply", 2}} {
		for n := range c.most {
			w, ctx := newWorld(t), t.Context()
			w.interrupted("e")
			late, came := w.troubled(), false
			w.trouble.once(c.call, n, func() {
				came = true
				must(t, w.CreateEntity(ctx, engine.Entity{ID: "e", Name: "new"}, nil))
				must(t, w.SetLimits(ctx, "e", "r0", []engine.Limit{engine.PerMinute("rpm", 1)}))
				w.use("e", "b0")
			})
			err := late.CreateEntity(ctx, engine.Entity{ID: "e", Name: "late"}, nil)
			if !came {
				t.Fatalf("there is no %s %d", c.call, n)
			}
			wants(t, "late", err, engine.ErrEntityExists)
			if left := w.dump(false); len(left) != 3 {
				t.Errorf("before %s %d: %v", c.call, n, left)
			}
		}
	}
}

// A bucket that the index lists late is deleted, too.
func TestDeleteLateIndex(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.furnish("e", 1, 2)
	must(t, w.limiter(&lagging{w.trouble, 1}, nil).DeleteEntity(ctx, "e", nil))
	equal(t, "left", w.dump(false), map[string]string{})
}

// lagging has an index that is empty at first.
type lagging struct {
	*trouble
	blind int // listings
}

func (s *lagging) List(ctx context.Context, q backend.Query) (backend.Keys, error) {
	if q.Index && s.blind > 0 {
		s.blind--
		return backend.Keys{}, nil
	}
	return s.trouble.List(ctx, q)
}
