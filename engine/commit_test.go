package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// changes has one change of each kind, and what prepares a store for it.
var changes = []struct {
	name  string
	ready func(*world)
	make  func(context.Context, *engine.Limiter) error
}{
	{"create", func(*world) {}, func(ctx context.Context, l *engine.Limiter) error {
		return l.CreateEntity(ctx, engine.Entity{ID: "new", Parent: "old"}, anyParent)
	}},
	{"update", func(w *world) { w.furnish("e", 0, 0) }, func(ctx context.Context, l *engine.Limiter) error {
		parent := "other"
		_, err := l.UpdateEntity(ctx, "e", engine.EntityUpdate{Parent: &parent}, anyParent)
		return err
	}},
	{"delete", func(w *world) { w.furnish("e", 2, 2) }, func(ctx context.Context, l *engine.Limiter) error {
		return l.DeleteEntity(ctx, "e", nil)
	}},
	{"set", func(*world) {}, func(ctx context.Context, l *engine.Limiter) error {
		return l.SetResourceDefaults(ctx, "r", []engine.Limit{engine.PerMinute("rpm", 1)})
	}},
	{"unset", func(w *world) { w.furnish("e", 1, 0) }, func(ctx context.Context, l *engine.Limiter) error {
		return l.DeleteLimits(ctx, "e", "r0")
	}},
	{"reset", func(w *world) { w.use("e", "r") }, func(ctx context.Context, l *engine.Limiter) error {
		return l.ResetBucket(ctx, "e", "r")
	}},
	{"register", func(*world) {}, func(ctx context.Context, l *engine.Limiter) error { return l.RegisterNamespace(ctx, "n") }},
}

// commitAt returns the index of the commit among the calls of a change.
func commitAt(t *testing.T, w *world, f func(context.Context, *engine.Limiter) error) int {
	t.Helper()
	w.trouble.will()
	must(t, f(t.Context(), w.troubled()))
	for i, call := range w.trouble.calls {
		if call == "commit" {
			return i
		}
	}
	t.Fatal("no commit")
	return 0
}

// Every change is made once and has one event, whatever happens to its first two tries.
func TestCommitResent(t *testing.T) {
	for _, c := range changes {
		calm := newWorld(t)
		c.ready(calm)
		at := commitAt(t, calm, c.make)
		for _, first := range []fault{refused, raced, mute, gone} {
			for _, second := range []fault{fine, refused, raced, gone} {
				w := newWorld(t)
				c.ready(w)
				before := len(w.told(1000))
				w.trouble.will(append(make([]fault, at), first, second)...)
				where := fmt.Sprintf("%s with %d and %d", c.name, first, second)
				if err := c.make(t.Context(), w.troubled()); err != nil {
					t.Errorf("%s: %v", where, err)
				}
				equal(t, where+": events", len(w.told(1000)), before+len(calm.told(1000))-before)
				equal(t, where+": records", len(w.dump(false, "n")), len(calm.dump(false, "n")))
			}
		}
	}
}

// The error after lasting trouble says which trouble it was, and whether the change may have been made.
func TestCommitGivesUp(t *testing.T) {
	for _, c := range []struct {
		kinds   []fault
		want    error
		unknown bool
	}{
		{[]fault{refused, refused, refused, refused}, engine.ErrUnavailable, false},
		{[]fault{raced, raced, raced, raced}, engine.ErrContention, false},
		{[]fault{gone, gone, gone, gone}, engine.ErrUnavailable, true},
		{[]fault{mute, refused, refused, refused}, engine.ErrUnavailable, true},
		{[]fault{gone, broken}, errBroken, true},
		{[]fault{broken}, errBroken, false},
	} {
		for _, change := range changes {
			w := newWorld(t)
			change.ready(w)
			at := commitAt(t, w, change.make)
			w = newWorld(t)
			change.ready(w)
			w.trouble.will(append(make([]fault, at), c.kinds...)...)
			err := change.make(t.Context(), w.troubled())
			wants(t, fmt.Sprint(change.name, c.kinds), err, c.want)
			if unknown := errors.Is(err, backend.ErrOutcomeUnknown); unknown != c.unknown {
				t.Errorf("%s %v: unknown outcome is %v: %v", change.name, c.kinds, unknown, err)
			}
		}
	}
}

// After a lost reply, another limiter's change is not mistaken for one's own.
func TestCommitOfAnother(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	l := w.troubled()
	w.trouble.will(fine, fine, fine, gone) // the version of the schema, what is stored, the look, the first commit
	w.trouble.once("commit", 1, func() {
		w.pass(time.Millisecond)
		must(t, w.SetResourceDefaults(ctx, "r", []engine.Limit{engine.PerMinute("rpm", 1)}))
		w.pass(time.Millisecond)
	})
	must(t, l.SetResourceDefaults(ctx, "r", []engine.Limit{engine.PerMinute("rpm", 2)}))
	got, err := w.ResourceDefaults(ctx, "r")
	must(t, err)
	equal(t, "the later one", got, []engine.Limit{engine.PerMinute("rpm", 2)})
	const one, two = `{"limits":[{"name":"rpm","capacity":1,"refill_amount":1,"refill_period_seconds":60}]}`, `{"limits":[{"name":"rpm","capacity":2,"refill_amount":2,"refill_period_seconds":60}]}`
	equal(t, "events", w.told(9), []string{"limits_set  r " + one + " " + two, "limits_set  r - " + one})
}

// A change that always loses to another one ends in ErrContention, not in an endless loop.
func TestCommitContention(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	n := 0
	w.trouble.hook = func(call string) {
		if call == "commit" {
			n++
			must(t, w.SetResourceDefaults(ctx, "r", []engine.Limit{engine.PerMinute("rpm", int64(n))}))
		}
	}
	err := w.troubled().SetResourceDefaults(ctx, "r", []engine.Limit{engine.PerMinute("rpm", 1000)})
	wants(t, "contention", err, engine.ErrContention)
	if n < 10 || n > 100 {
		t.Errorf("%d tries", n)
	}
}

// A store that hangs costs no more than the budget. If the caller's context ends, the error is the context's.
func TestCommitHangs(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	defer close(release)
	w.trouble.hook = func(call string) {
		if call == "commit" {
			<-release
		}
	}
	limits := []engine.Limit{engine.PerMinute("rpm", 1)}
	l := w.limiter(w.trouble, &engine.Options{Timeout: 10 * time.Millisecond})
	err := l.SetResourceDefaults(t.Context(), "r", limits)
	wants(t, "hanging", err, engine.ErrUnavailable)
	wants(t, "hanging", err, backend.ErrOutcomeUnknown)

	w = newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	w.trouble.hook = func(call string) {
		if call == "commit" {
			stop()
			<-release
		}
	}
	err = w.troubled().SetResourceDefaults(ctx, "r", limits)
	wants(t, "cancelled", err, context.Canceled)
	if errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("the caller's end is not the store's trouble: %v", err)
	}
}
