package engine_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

// caller is the context's key of the number of the caller whose calls wait for their turn.
type caller struct{}

// turns lets the calls of several callers through one at a time, in an order that rng chooses.
type turns struct {
	rng   *rand.Rand
	asks  chan int // the number of a caller who wants to make a call
	grant []chan struct{}
}

func (s *turns) around(ctx context.Context, _ backend.Call, next func(context.Context) error) error {
	if n, waits := ctx.Value(caller{}).(int); waits {
		s.asks <- n
		<-s.grant[n]
	}
	return next(ctx)
}

// run runs all functions, and returns when they have ended.
func (s *turns) run(ctx context.Context, all ...func(context.Context)) {
	s.asks, s.grant = make(chan int), make([]chan struct{}, len(all))
	ended := make(chan struct{})
	for n, f := range all {
		s.grant[n] = make(chan struct{})
		go func() {
			f(context.WithValue(ctx, caller{}, n))
			ended <- struct{}{}
		}()
	}
	var waiting []int
	for running := len(all); running > 0 || len(waiting) > 0; {
		if running > 0 {
			select {
			case n := <-s.asks:
				waiting = append(waiting, n)
			case <-ended:
			}
			running--
			continue
		}
		i := s.rng.IntN(len(waiting))
		n := waiting[i]
		waiting = append(waiting[:i], waiting[i+1:]...)
		s.grant[n] <- struct{}{}
		running++
	}
}

// TestParentsCross: two changes of parents at the same time, by single calls and by manifests, close no cycle. And an
// entity that is deleted while a child comes to it leaves no child behind.
func TestParentsCross(t *testing.T) {
	t.Parallel()
	const seed = 7
	s := &turns{rng: rand.New(rand.NewPCG(seed, 0))}
	l, err := engine.New(backend.Wrap(memory.New(nil), &backend.WrapOptions{Around: s.around, NoIO: true}), nil)
	must(t, err)
	for _, id := range []string{"a", "b", "m"} {
		must(t, l.CreateEntity(t.Context(), engine.Entity{ID: id}, nil))
	}
	move := func(ctx context.Context, id, parent string) error {
		_, err := l.UpdateEntity(ctx, id, engine.EntityUpdate{Parent: &parent}, nil)
		return err
	}
	declare := func(ctx context.Context, id, parent string) error {
		read, err := l.Settings(ctx, []engine.SettingID{{Kind: engine.SettingEntity, Entity: id}})
		if err != nil {
			return err
		}
		after := read[0]
		after.Record.Parent = parent
		return l.ApplyManifest(ctx, "m", []engine.SettingChange{{Before: read[0], After: after}}, nil)
	}
	parentOf := func(id string) string {
		e, err := l.Entity(t.Context(), id)
		must(t, err)
		return e.Parent
	}
	reset := func() {
		must(t, move(t.Context(), "a", ""))
		must(t, move(t.Context(), "b", ""))
		must(t, move(t.Context(), "m", "a"))
	}
	ways := []func(ctx context.Context, id, parent string) error{move, declare}
	for i := range 400 {
		first, second := ways[i%2], ways[i/2%2]
		reset()
		s.run(t.Context(), // one of the two may fail
			func(ctx context.Context) { _ = first(ctx, "a", "b") },
			func(ctx context.Context) { _ = second(ctx, "b", "m") })
		if parentOf("a") == "b" && parentOf("b") == "m" {
			t.Fatalf("round %d: a is below b, b below m, and m below a", i)
		}
		reset()
		_ = l.CreateEntity(t.Context(), engine.Entity{ID: "z"}, nil) // it may be there still
		s.run(t.Context(),
			func(ctx context.Context) {
				_ = l.DeleteEntity(ctx, "z", &engine.DeleteOptions{Force: i%2 == 0})
			},
			func(ctx context.Context) { _ = second(ctx, "b", "z") })
		if _, err := l.Entity(t.Context(), "z"); err != nil && parentOf("b") == "z" {
			t.Fatalf("round %d: b is the child of an entity that was deleted", i)
		}
	}
}
