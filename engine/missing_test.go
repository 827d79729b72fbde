package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
)

// wantMissing fails the test unless the error names the entity and its missing parent.
func wantMissing(t *testing.T, what string, err error, entity, parent string) {
	t.Helper()
	var missing *engine.MissingParentError
	if !errors.Is(err, engine.ErrEntityNotFound) || !errors.As(err, &missing) || missing.Entity != entity || missing.Parent != parent {
		t.Errorf("%s: %v", what, err)
	}
}

// A named parent must exist, unless the options allow that it does not; otherwise nothing is stored.
func TestMissingParent(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	ghost, name, cascade := "ghosst", "N", true
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "u1"}, nil))
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "org"}, &engine.EntityOptions{}))
	before := w.dump(true)
	wantMissing(t, "create", w.CreateEntity(ctx, engine.Entity{ID: "u2", Parent: ghost}, nil), "u2", ghost)
	wantMissing(t, "create", w.CreateEntity(ctx, engine.Entity{ID: "u2", Parent: ghost}, &engine.EntityOptions{}), "u2", ghost)
	_, err := w.UpdateEntity(ctx, "u1", engine.EntityUpdate{Parent: &ghost}, nil)
	wantMissing(t, "update", err, "u1", ghost)
	_, err = w.UpdateEntity(ctx, ghost, engine.EntityUpdate{Name: &name}, nil)
	var missing *engine.MissingParentError
	if !errors.Is(err, engine.ErrEntityNotFound) || errors.As(err, &missing) {
		t.Errorf("an entity that is not there: %v", err)
	}
	equal(t, "store", w.dump(true), before)

	_, err = w.UpdateEntity(ctx, "u1", engine.EntityUpdate{Parent: &ghost}, anyParent)
	must(t, err)
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "u2", Parent: ghost, Cascade: true}, anyParent))
	_, err = w.UpdateEntity(ctx, "u1", engine.EntityUpdate{Name: &name, Cascade: &cascade}, nil) // does not name it
	must(t, err)
	_, err = w.UpdateEntity(ctx, "u1", engine.EntityUpdate{Parent: &ghost}, nil)
	wantMissing(t, "named again", err, "u1", ghost)
	org, none := "org", ""
	for _, parent := range []string{org, none, org} {
		_, err = w.UpdateEntity(ctx, "u1", engine.EntityUpdate{Parent: &parent}, nil)
		must(t, err)
	}
}

// A parent that is deleted between the reads and the commit of a change is reported as missing.
func TestParentDeletedMeanwhile(t *testing.T) {
	org := "org"
	for what, change := range map[string]func(*engine.Limiter) error{
		"create": func(l *engine.Limiter) error {
			return l.CreateEntity(t.Context(), engine.Entity{ID: "u2", Parent: org}, nil)
		},
		"update": func(l *engine.Limiter) error {
			_, err := l.UpdateEntity(t.Context(), "u1", engine.EntityUpdate{Parent: &org}, nil)
			return err
		},
	} {
		w, ctx := newWorld(t), t.Context()
		must(t, w.CreateEntity(ctx, engine.Entity{ID: "u1"}, nil))
		must(t, w.CreateEntity(ctx, engine.Entity{ID: org}, nil))
		w.trouble.once("commit", 0, func() { must(t, w.DeleteEntity(ctx, org, nil)) })
		wantMissing(t, what, change(w.troubled()), map[string]string{"create": "u2", "update": "u1"}[what], org)
		children, err := w.Children(ctx, org, engine.Page{})
		must(t, err)
		equal(t, what+": children", len(children.Items), 0)
	}
}

// An entity may get a child between the listing of its children and the commit of its deletion. Then it is not deleted, or,
// with Force, that child loses its parent, too.
func TestChildAdoptedMeanwhile(t *testing.T) {
	for _, force := range []bool{false, true} {
		for commit := range 2 {
			for _, moves := range []bool{false, true} {
				w, ctx := newWorld(t), t.Context()
				must(t, w.CreateEntity(ctx, engine.Entity{ID: "u1"}, nil))
				w.furnish("org", 1, 1)
				if commit == 1 && !force { // then there is only one commit
					continue
				}
				if commit == 1 {
					must(t, w.CreateEntity(ctx, engine.Entity{ID: "first", Parent: "org"}, nil))
				}
				org := "org"
				w.trouble.once("commit", commit, func() {
					if moves {
						_, err := w.UpdateEntity(ctx, "u1", engine.EntityUpdate{Parent: &org}, nil)
						must(t, err)
					} else {
						must(t, w.CreateEntity(ctx, engine.Entity{ID: "u2", Parent: org}, nil))
					}
				})
				what := fmt.Sprint("force ", force, ", moves ", moves, ", before commit ", commit)
				err := w.troubled().DeleteEntity(ctx, org, &engine.DeleteOptions{Force: force})
				_, gone := w.Entity(ctx, org)
				children, listed := w.Children(ctx, org, engine.Page{})
				must(t, listed)
				if !force {
					wants(t, what, err, engine.ErrHasChildren)
					must(t, gone)
					equal(t, what+": children", len(children.Items), 1)
					continue
				}
				must(t, err)
				wants(t, what, gone, engine.ErrEntityNotFound)
				equal(t, what+": children", len(children.Items), 0)
			}
		}
	}
}

// A manifest may have a parent and its children in any order. The error names every parent that does not exist and that the
// manifest does not create.
func TestManifestMissingParent(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.apply(nil, record("a", "z"), record("z", "m"), record("m", "")))
	before := w.dump(true)
	err := w.apply(nil, record("u1", "ghosst"), record("u2", "m"), record("u3", "nobody"))
	for _, pair := range []string{`"ghosst", which would be the parent of "u1"`, `"nobody", which would be the parent of "u3"`} {
		if !errors.Is(err, engine.ErrEntityNotFound) || !strings.Contains(fmt.Sprint(err), pair) {
			t.Errorf("%v does not name %s", err, pair)
		}
	}
	equal(t, "store", w.dump(true), before)
	wants(t, "dry", w.apply(&engine.ManifestOptions{DryRun: true}, record("u1", "ghosst")), engine.ErrEntityNotFound)
	must(t, w.apply(&engine.ManifestOptions{AllowMissingParent: true}, record("u1", "ghosst"), record("u2", "m")))
	u1 := record("u1", "ghosst")
	u1.Record.Name = "its parent stays as it is"
	must(t, w.apply(nil, u1, record("u2", "m")))

	// The parent is deleted after the changes were computed.
	all, err := changesTo(ctx, w.Limiter, record("u1", "ghosst"), record("u2", "m"), record("late", "org"))
	must(t, err)
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "org"}, nil))
	w.trouble.once("commit", 0, func() { must(t, w.DeleteEntity(ctx, "org", nil)) })
	wants(t, "deleted meanwhile", w.troubled().ApplyManifest(ctx, "m", all, nil), engine.ErrStale)
	_, err = w.Entity(ctx, "late")
	wants(t, "its child", err, engine.ErrEntityNotFound)
}

// An entity that a manifest deletes stays if somebody gives it a child meanwhile.
func TestManifestChildAdoptedMeanwhile(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.apply(nil, record("org", "")))
	all, err := changesTo(ctx, w.Limiter, absent(record("org", "")))
	must(t, err)
	w.trouble.once("commit", 0, func() { must(t, w.CreateEntity(ctx, engine.Entity{ID: "u1", Parent: "org"}, nil)) })
	wants(t, "removal", w.troubled().ApplyManifest(ctx, "m", all, nil), engine.ErrStale)
	_, err = w.Entity(ctx, "org")
	must(t, err)
}

func TestCascadeWarnings(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	rpm := []engine.Limit{engine.PerMinute("rpm", 10)}
	both := func(what string, warnings, of []string) {
		t.Helper()
		x, err := w.Explain(ctx, "u1", "gpt-4")
		must(t, err)
		equal(t, what+", on gpt-4", fmt.Sprintf("%q", x.Warnings), fmt.Sprintf("%q", of))
		all, err := w.CascadeWarnings(ctx, "u1")
		must(t, err)
		equal(t, what, fmt.Sprintf("%q", all), fmt.Sprintf("%q", warnings))
	}
	const (
		none   = `parent "org" has no limits of its own: cascading to it limits nothing, except on resources with default limits; set limits for it`
		here   = `parent "org" has no limits on gpt-4: cascading to it limits nothing there; set limits for it`
		system = `parent "org" has no limits of its own: the system's default limits cap it, so all of its children share them; set limits for it`
		above  = `parent "corp" has no limits of its own: the system's default limits cap it, so all of its children share them; set limits for it`
	)
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "u1", Parent: "org"}, anyParent))
	both("no cascade", nil, nil)
	cascade := true
	_, err := w.UpdateEntity(ctx, "u1", engine.EntityUpdate{Cascade: &cascade}, nil)
	must(t, err)
	both("a parent without limits", []string{none}, []string{here})
	must(t, w.SetSystemDefaults(ctx, rpm, nil))
	both("a system default", []string{system}, []string{system})
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "org", Parent: "corp", Cascade: true}, anyParent))
	both("two parents", []string{system, above}, []string{system, above})
	must(t, w.SetLimits(ctx, "corp", "", rpm))
	must(t, w.SetLimits(ctx, "org", "gpt-4", rpm))
	both("limits of their own", nil, nil)
	must(t, w.DeleteLimits(ctx, "org", "gpt-4"))
	must(t, w.SetResourceDefaults(ctx, "gpt-4", rpm))
	both("a default of the resource", []string{system}, nil)
	must(t, w.DeleteSystemDefaults(ctx))
	both("no system default", []string{none}, nil)
	_, err = w.CascadeWarnings(ctx, "nobody")
	wants(t, "nobody", err, engine.ErrEntityNotFound)
	_, err = w.CascadeWarnings(ctx, "")
	wants(t, "no id", err, invalid("Entity"))
}
