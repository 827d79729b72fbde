package follow_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/internal/follow"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

type plainStore struct{ *memory.Store }

func (s plainStore) Read(ctx context.Context, keys []backend.Key) ([]backend.Record, error) {
	out := make([]backend.Record, len(keys))
	for i, k := range keys {
		out[i].Reset(schema.LayoutOf(k))
	}
	return out, s.Store.Read(ctx, keys, out)
}

// TestEngine checks that a Follower understands the events of everything that a limiter can change.
func TestEngine(t *testing.T) {
	s := plainStore{memory.New(nil)}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l, err := engine.New(s.Store, &engine.Options{Now: func() time.Time { return at }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var found []follow.Change
	f := follow.New(follow.Options{
		Store: s, Namespace: engine.DefaultNamespace, Interval: time.Second, TTL: time.Minute, Size: 100, Patience: time.Minute,
		Go:       func(f func(context.Context)) bool { f(t.Context()); return true },
		OnChange: func(c follow.Change) { found = append(found, c) },
	})
	f.Look(t.Context(), at.UnixNano(), 0)
	ctx, limits := t.Context(), []engine.Limit{engine.PerMinute("rpm", 10)}
	entity := func(name string) follow.Change { return follow.Change{Kind: follow.EntityChanged, Name: name} }
	resource, system := follow.Change{Kind: follow.ResourceChanged, Name: "r"}, follow.Change{Kind: follow.SystemChanged}
	parent, noParent := "p", ""
	for _, c := range []struct {
		name string
		do   func() error
		want []follow.Change
	}{
		{"system", func() error { return l.SetSystemDefaults(ctx, limits, nil) }, []follow.Change{system}},
		{"policy", func() error {
			return l.SetSystemDefaults(ctx, nil, &engine.SystemOptions{OnUnavailable: engine.PolicyAllow})
		}, []follow.Change{system}},
		{"no system", func() error { return l.DeleteSystemDefaults(ctx) }, []follow.Change{system}},
		{"resource", func() error { return l.SetResourceDefaults(ctx, "r", limits) }, []follow.Change{resource}},
		{"no resource", func() error { return l.DeleteResourceDefaults(ctx, "r") }, []follow.Change{resource}},
		{"entity", func() error { return l.CreateEntity(ctx, engine.Entity{ID: "a|%"}, nil) }, []follow.Change{entity("a|%")}},
		{"parent", func() error { return l.CreateEntity(ctx, engine.Entity{ID: "p"}, nil) }, []follow.Change{entity("p")}},
		{"move", func() error {
			_, err := l.UpdateEntity(ctx, "a|%", engine.EntityUpdate{Parent: &parent}, nil)
			return err
		}, []follow.Change{entity("a|%")}},
		{"move back", func() error {
			_, err := l.UpdateEntity(ctx, "a|%", engine.EntityUpdate{Parent: &noParent}, nil)
			return err
		}, []follow.Change{entity("a|%")}},
		{"limits", func() error { return l.SetLimits(ctx, "a|%", "r", limits) }, []follow.Change{entity("a|%")}},
		{"default", func() error { return l.SetLimits(ctx, "a|%", "", limits) }, []follow.Change{entity("a|%")}},
		{"no default", func() error { return l.DeleteLimits(ctx, "a|%", "") }, []follow.Change{entity("a|%")}},
		{"no entity", func() error { return l.DeleteEntity(ctx, "a|%", nil) }, []follow.Change{entity("a|%")}},
		{"namespace", func() error { return l.RegisterNamespace(ctx, "other") }, nil},
		{"no namespace", func() error { return l.DeleteNamespace(ctx, "other") }, nil},
		{"recorded", func() error { return l.RecordEvent(ctx, engine.Recorded{Action: "stack_updated"}) }, nil},
		{"recorded resource", func() error { return l.RecordEvent(ctx, engine.Recorded{Action: "x", Resource: "r"}) }, nil},
	} {
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		at, found = at.Add(time.Second), nil
		if f.Look(ctx, at.UnixNano(), time.Second); !slices.Equal(found, c.want) {
			t.Errorf("%s: %v, want %v", c.name, found, c.want)
		}
	}
	got, _, _, err := f.Fetch(ctx, "p", "r", at.UnixNano())
	if want := (follow.Config{Entity: follow.Entity{Exists: true, Version: got.Entity.Version}}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}
