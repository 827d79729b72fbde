package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

func TestEntityLife(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	born := w.now()
	must(t, w.CreateEntity(ctx, engine.Entity{
		ID: "user", Name: "Ü <b>", Parent: "org", Cascade: true, CreatedAt: born.AddDate(-1, 0, 0),
		Metadata: map[string]string{"b": "2", "a": "<1>"},
	}, anyParent))
	wants(t, "created twice", w.CreateEntity(ctx, engine.Entity{ID: "user"}, nil), engine.ErrEntityExists)
	e, err := w.Entity(ctx, "user")
	must(t, err)
	equal(t, "as created", e, engine.Entity{
		ID: "user", Name: "Ü <b>", Parent: "org", Cascade: true, CreatedAt: born, Metadata: map[string]string{"a": "<1>", "b": "2"},
	})

	w.pass(time.Hour)
	name, none, no := "New", "", false
	e, err = w.UpdateEntity(ctx, "user", engine.EntityUpdate{Name: &name}, nil)
	must(t, err)
	equal(t, "renamed", e, engine.Entity{
		ID: "user", Name: "New", Parent: "org", Cascade: true, CreatedAt: born, Metadata: map[string]string{"a": "<1>", "b": "2"},
	})
	e, err = w.UpdateEntity(ctx, "user", engine.EntityUpdate{Name: &none, Parent: &none, Cascade: &no, Metadata: map[string]string{}}, anyParent)
	must(t, err)
	equal(t, "emptied", e, engine.Entity{ID: "user", CreatedAt: born})
	again, err := w.Entity(ctx, "user")
	must(t, err)
	equal(t, "emptied, as read", again, e)
	must(t, w.DeleteEntity(ctx, "user", nil))
	_, err = w.Entity(ctx, "user")
	wants(t, "deleted", err, engine.ErrEntityNotFound)
	equal(t, "left", w.dump(false), map[string]string{})

	const at = `"created_at":"2026-03-01T12:00:00Z"}`
	first := `{"id":"user","name":"Ü <b>","parent":"org","cascade":true,"metadata":{"a":"<1>","b":"2"},` + at
	second := `{"id":"user","name":"New","parent":"org","cascade":true,"metadata":{"a":"<1>","b":"2"},` + at
	third := `{"id":"user","name":"","parent":"","cascade":false,` + at
	equal(t, "audit", strings.Join(w.told(9), "\n"), strings.Join([]string{
		"entity_deleted user  " + third + " -",
		"entity_updated user  " + second + " " + third,
		"entity_updated user  " + first + " " + second,
		"entity_created user  - " + first,
	}, "\n"))
}

func TestEntityAbsent(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	name := "x"
	_, err := w.Entity(ctx, "none")
	wants(t, "read", err, engine.ErrEntityNotFound)
	_, err = w.UpdateEntity(ctx, "none", engine.EntityUpdate{Name: &name}, nil)
	wants(t, "updated", err, engine.ErrEntityNotFound)
	wants(t, "deleted", w.DeleteEntity(ctx, "none", &engine.DeleteOptions{Force: true}), engine.ErrEntityNotFound)
	equal(t, "left", w.dump(true), map[string]string{})
}

func TestEntityValidation(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "there"}, nil))
	before := w.dump(true)
	cases := []struct {
		what string
		e    engine.Entity
		want error
	}{
		{"no id", engine.Entity{}, invalid("Entity")},
		{"bad id", engine.Entity{ID: "a\nb"}, invalid("Entity")},
		{"long id", engine.Entity{ID: strings.Repeat("a", 257)}, invalid("Entity")},
		{"long name", engine.Entity{ID: "there", Name: strings.Repeat("a", 257)}, invalid("Name")},
		{"name not UTF-8", engine.Entity{ID: "there", Name: "\xff"}, invalid("Name")},
		{"bad parent", engine.Entity{ID: "there", Parent: "\n"}, invalid("Parent")},
		{"own parent", engine.Entity{ID: "there", Parent: "there"}, engine.ErrCycle},
		{"empty key", engine.Entity{ID: "there", Metadata: map[string]string{"": ""}}, invalid("Metadata[]")},
		{"long key", engine.Entity{ID: "there", Metadata: map[string]string{strings.Repeat("k", 129): ""}}, invalid("Metadata[" + strings.Repeat("k", 129) + "]")},
		{"value not UTF-8", engine.Entity{ID: "there", Metadata: map[string]string{"k": "\xff"}}, invalid("Metadata[k]")},
		{"too much", engine.Entity{ID: "there", Metadata: map[string]string{"k": strings.Repeat("v", 64<<10-7)}}, invalid("Metadata")},
	}
	for _, c := range cases {
		wants(t, c.what, w.CreateEntity(ctx, c.e, nil), c.want)
		if c.e.ID != "there" {
			continue
		}
		_, err := w.UpdateEntity(ctx, c.e.ID, engine.EntityUpdate{Name: &c.e.Name, Parent: &c.e.Parent, Metadata: c.e.Metadata}, anyParent)
		wants(t, c.what+", updated", err, c.want)
	}
	equal(t, "store", w.dump(true), before)

	largest := engine.Entity{ID: strings.Repeat("a", 256), Name: strings.Repeat("<", 256), Metadata: map[string]string{strings.Repeat("k", 128): strings.Repeat("<", 64<<10-7-128)}}
	must(t, w.CreateEntity(ctx, largest, nil))
	name := "small"
	e, err := w.UpdateEntity(ctx, largest.ID, engine.EntityUpdate{Name: &name}, nil)
	must(t, err)
	equal(t, "metadata", len(e.Metadata[strings.Repeat("k", 128)]), 64<<10-7-128)
}

// An update that changes nothing writes nothing. Versions increase even if the clock goes back.
func TestEntityVersions(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "e", Name: "n", Metadata: map[string]string{"k": "v"}}, nil))
	before := w.dump(true)
	name := "n"
	for _, u := range []engine.EntityUpdate{{}, {Name: &name}, {Metadata: map[string]string{"k": "v"}}} {
		_, err := w.UpdateEntity(ctx, "e", u, nil)
		must(t, err)
	}
	equal(t, "store", w.dump(true), before)
	w.pass(-time.Hour)
	seen := map[string]bool{}
	for i := range 5 {
		name := fmt.Sprint(i)
		_, err := w.UpdateEntity(ctx, "e", engine.EntityUpdate{Name: &name}, nil)
		must(t, err)
		for _, record := range w.dump(false) {
			_, ver, _ := strings.Cut(record, " ver=")
			ver, _, _ = strings.Cut(ver, " ")
			if ver <= "1772366400000000000" || seen[ver] {
				t.Errorf("version %s after %v", ver, seen)
			}
			seen[ver] = true
		}
	}
}

func TestEntities(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	var want []string
	for i := range 23 {
		id := fmt.Sprintf("e%02d", i)
		must(t, w.CreateEntity(ctx, engine.Entity{ID: id}, nil))
		if i%5 == 4 {
			must(t, w.DeleteEntity(ctx, id, nil))
		} else {
			want = append(want, id)
		}
	}
	must(t, w.SetLimits(ctx, "no-entity", "", []engine.Limit{engine.PerMinute("rpm", 1)}))
	for _, size := range []int{1, 2, 3, 18, 19, 20, 1000} {
		var got []string
		for _, e := range pages(t, size, func(p engine.Page) (engine.List[engine.Entity], error) { return w.Entities(ctx, p) }) {
			got = append(got, e.ID)
		}
		equal(t, fmt.Sprint("pages of ", size), got, want)
	}
}

// A limiter's own change of an entity is in force from its next acquire on.
func TestEntityAtOnce(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.use("user", "r")
	must(t, w.SetLimits(ctx, "org", "", []engine.Limit{engine.PerMinute("rpm", 10)}))
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "user", Parent: "org", Cascade: true}, anyParent))
	w.use("user", "r")
	no := false
	_, err := w.UpdateEntity(ctx, "user", engine.EntityUpdate{Cascade: &no}, nil)
	must(t, err)
	w.use("user", "r")
	equal(t, "used of the parent's", part(w.bucket("org", "r"), "u0"), "1")
	must(t, w.DeleteEntity(ctx, "org", &engine.DeleteOptions{Force: true}))
	w.use("user", "r")
	equal(t, "used", part(w.bucket("user", "r"), "u0"), "4")
}
