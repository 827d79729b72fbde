package engine_test

import (
	"context"
	"fmt"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// parentMissing: a parent must exist, unless AllowMissingParent is set, and there is a warning of a cascade to one without
// limits.
func parentMissing(r *story) {
	l, ctx, ghost := r.limiter(), r.Context(), "ghosst"
	r.wantError("an entity below nobody", l.CreateEntity(ctx, engine.Entity{ID: user, Parent: ghost, Cascade: true}, nil), engine.ErrEntityNotFound)
	_, err := l.Entity(ctx, user)
	r.wantError("it", err, engine.ErrEntityNotFound)
	r.must(l.CreateEntity(ctx, engine.Entity{ID: user}, nil))
	_, err = l.UpdateEntity(ctx, user, engine.EntityUpdate{Parent: &ghost}, nil)
	r.wantError("moved below nobody", err, engine.ErrEntityNotFound)
	cascade := true
	_, err = l.UpdateEntity(ctx, user, engine.EntityUpdate{Parent: &ghost, Cascade: &cascade}, unborn)
	r.must(err)
	x, err := l.Explain(ctx, user, api)
	r.must(err)
	warnings, err := l.CascadeWarnings(ctx, user)
	r.must(err)
	if len(x.Warnings) != 1 || len(warnings) != 1 {
		r.Errorf("warnings of a cascade to nobody: %q, %q", x.Warnings, warnings)
	}
	r.must(l.SetLimits(ctx, ghost, api, []engine.Limit{stored("a", 10)}))
	r.mustAcquire(l, request(tokens("a", 4), stored("a", 100)))
	r.wantLeft(r.limiter(), "below a parent without a record", "a:96 ghosst a:6", stored("a", 100))
}

// parentRaces: if a parent is deleted while it gets a child, one of the changes is refused, so that no child has a missing
// parent.
func parentRaces(r *story) {
	l, ctx, org := r.limiter(), r.Context(), "org"
	adopt := map[string]func(id string) error{
		"create": func(id string) error {
			return l.CreateEntity(ctx, engine.Entity{ID: id, Parent: org}, nil)
		},
		"move": func(id string) error {
			r.must(l.CreateEntity(ctx, engine.Entity{ID: id}, nil))
			_, err := l.UpdateEntity(ctx, id, engine.EntityUpdate{Parent: &org}, nil)
			return err
		},
	}
	last := func(what string, commits int, between func()) {
		seen := 0
		r.faults.SetHooks(func(_ context.Context, c limitertest.Call) {
			if c.Op != limitertest.OpCommit {
				return
			}
			if seen++; seen == commits {
				between()
			}
		}, nil)
		r.Cleanup(func() {
			if seen < commits {
				r.Errorf("%s: nothing came between", what)
			}
		})
	}
	for what, f := range adopt {
		r.must(l.CreateEntity(ctx, engine.Entity{ID: org}, nil))
		commits := map[string]int{"create": 1, "move": 2}[what]
		last(what, commits, func() { r.must(r.limiter().DeleteEntity(ctx, org, nil)) })
		r.wantError(what+" while the parent is deleted", f("late-"+what), engine.ErrEntityNotFound)
		r.faults.SetHooks(nil, nil)

		r.must(l.CreateEntity(ctx, engine.Entity{ID: org}, nil))
		last("delete", 1, func() { r.must(f("child-" + what)) })
		r.wantError("deleted while it gets a child, "+what, r.limiter().DeleteEntity(ctx, org, nil), engine.ErrHasChildren)
		r.faults.SetHooks(nil, nil)
		children, err := l.Children(ctx, org, engine.Page{})
		r.must(err)
		if got := fmt.Sprint(len(children.Items)); got != "1" {
			r.Errorf("%s: %s children", what, got)
		}
		r.must(l.DeleteEntity(ctx, org, &engine.DeleteOptions{Force: true}))
	}
}
