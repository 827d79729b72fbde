package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// furnish creates an entity below a parent, with limits and buckets.
func (w *world) furnish(id string, limits, buckets int) {
	w.t.Helper()
	ctx := w.t.Context()
	must(w.t, w.CreateEntity(ctx, engine.Entity{ID: id, Parent: "parent"}, anyParent))
	for i := range limits {
		must(w.t, w.SetLimits(ctx, id, fmt.Sprint("r", i), []engine.Limit{engine.PerMinute("rpm", 10)}))
	}
	for i := range buckets {
		w.use(id, fmt.Sprint("b", i))
	}
}

func (w *world) use(id, resource string) {
	w.t.Helper()
	_, err := w.Allow(w.t.Context(), engine.Request{
		Entity: id, Resource: resource, Consume: engine.Tokens{"rpm": 1}, Limits: []engine.Limit{engine.PerMinute("rpm", 10)},
	})
	must(w.t, err)
}

func TestDelete(t *testing.T) {
	for _, size := range []struct{ limits, buckets int }{{0, 0}, {1, 0}, {0, 1}, {3, 5}, {16, 40}, {17, 0}, {0, 41}, {40, 250}} {
		w, ctx := newWorld(t), t.Context()
		w.use("parent", "b0")
		w.use("userx", "b0") // its id begins like the other one's
		others := w.dump(false)
		w.furnish("user", size.limits, size.buckets)
		must(t, w.DeleteEntity(ctx, "user", nil))
		equal(t, fmt.Sprint("left of ", size), w.dump(false), others)
		deleted, lists := 0, 0
		for _, line := range w.told(1000) {
			if strings.HasPrefix(line, "entity_deleted user ") {
				deleted++
			}
			if strings.HasPrefix(line, "limits_deleted user r") && strings.HasSuffix(line, `{"limits":[{"name":"rpm","capacity":10,"refill_amount":10,"refill_period_seconds":60}]} -`) {
				lists++
			}
		}
		if deleted != 1 || lists != size.limits {
			t.Errorf("%v: %d deletions of the entity and %d of its limits were told", size, deleted, lists)
		}
		wants(t, "deleted twice", w.DeleteEntity(ctx, "user", nil), engine.ErrEntityNotFound)
	}
}

// An entity without a record that has limits or buckets can be deleted, too.
func TestDeleteWithoutRecord(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.SetLimits(ctx, "a", "", []engine.Limit{engine.PerMinute("rpm", 10)}))
	must(t, w.DeleteEntity(ctx, "a", nil))
	w.use("b", "r")
	must(t, w.DeleteEntity(ctx, "b", nil))
	equal(t, "left", w.dump(false), map[string]string{})
	equal(t, "the bucket's end", w.told(1), []string{"entity_deleted b  - -"})
}

func TestDeleteWithChildren(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "p"}, nil))
	for i := range 150 {
		must(t, w.CreateEntity(ctx, engine.Entity{ID: fmt.Sprint("c", i), Parent: "p", Cascade: true}, anyParent))
	}
	before := w.dump(true)
	wants(t, "with children", w.DeleteEntity(ctx, "p", nil), engine.ErrHasChildren)
	wants(t, "with children, not forced", w.DeleteEntity(ctx, "p", &engine.DeleteOptions{}), engine.ErrHasChildren)
	equal(t, "after refusals", w.dump(true), before)
	must(t, w.DeleteEntity(ctx, "p", &engine.DeleteOptions{Force: true}))
	for i := range 150 {
		c, err := w.Entity(ctx, fmt.Sprint("c", i))
		must(t, err)
		if c.Parent != "" || !c.Cascade {
			t.Fatalf("%+v", c)
		}
	}
	children, err := w.Children(ctx, "p", engine.Page{})
	must(t, err)
	equal(t, "children", len(children.Items), 0)
	equal(t, "records", len(w.dump(false)), 150)
	page, err := w.AuditEvents(ctx, engine.AuditQuery{Entity: "c7"})
	must(t, err)
	equal(t, "the child was told", page.Items[0].Action, "entity_updated")
}

// A deletion that is interrupted at any of its calls is finished by the next deletion, by creating the entity, or by
// setting its limits.
func TestDeleteInterrupted(t *testing.T) {
	for _, resume := range []string{"delete", "create", "set"} {
		for n, done := 0, false; !done; n++ {
			w, ctx := newWorld(t), t.Context()
			w.furnish("user", 17, 101)
			w.trouble.will(append(make([]fault, n), broken)...)
			err := w.troubled().DeleteEntity(ctx, "user", nil)
			if done = err == nil; !done && !errors.Is(err, errBroken) {
				t.Fatal(err)
			}
			_, err = w.Entity(ctx, "user")
			begun := errors.Is(err, engine.ErrEntityNotFound)
			where := fmt.Sprintf("%s after a failure in call %d", resume, n)
			switch {
			case resume == "delete":
				if err := w.DeleteEntity(ctx, "user", nil); !done {
					must(t, err)
				}
				equal(t, where, w.dump(false), map[string]string{})
			case resume == "create" && begun:
				must(t, w.CreateEntity(ctx, engine.Entity{ID: "user", Name: "new"}, nil))
				equal(t, where, len(w.dump(false)), 1)
			case resume == "set" && begun:
				must(t, w.SetLimits(ctx, "user", "r0", []engine.Limit{engine.PerMinute("tpm", 1)}))
				equal(t, where, len(w.dump(false)), 1)
			}
		}
	}
}

// Lost replies and conflicts change nothing but the time that a deletion takes.
func TestDeleteThroughTrouble(t *testing.T) {
	for _, kind := range []fault{refused, raced, mute, gone} {
		for n, faulty := 0, true; faulty; n++ {
			w := newWorld(t)
			w.furnish("user", 17, 5)
			w.trouble.will(append(make([]fault, n), kind)...)
			err := w.troubled().DeleteEntity(t.Context(), "user", nil)
			if err != nil && !(kind == raced && errors.Is(err, engine.ErrContention)) { // no store returns that from a read
				t.Fatalf("fault %d in call %d: %v", kind, n, err)
			}
			if err == nil {
				equal(t, fmt.Sprintf("left after fault %d in call %d", kind, n), w.dump(false), map[string]string{})
			}
			w.trouble.lock.Lock()
			faulty = len(w.trouble.script) == 0
			w.trouble.lock.Unlock()
		}
	}
}

// A deleted bucket that the index still lists neither makes an entity exist nor prevents the end of a deletion.
func TestDeleteGhosts(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.use("user", "r")
	keys, err := w.store.List(ctx, entityBuckets("user"))
	must(t, err)
	must(t, w.DeleteEntity(ctx, "user", nil))
	w.trouble.ghosts = keys.Items
	l := w.troubled()
	wants(t, "a ghost", l.DeleteEntity(ctx, "user", nil), engine.ErrEntityNotFound)
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "user"}, nil))
	must(t, l.DeleteEntity(ctx, "user", nil))
}

func entityBuckets(id string) backend.Query {
	return backend.Query{Namespace: "default", Partition: schema.EntityPartition(id), Index: true, Size: 100}
}

// Concurrent creations, changes and deletions of an entity and its parent leave no record behind that a last deletion does
// not find.
func TestDeleteRace(t *testing.T) {
	for range 30 {
		w, ctx := newWorld(t), t.Context()
		var all sync.WaitGroup
		try := func(f func(n int) error) {
			all.Go(func() {
				for n := range 15 {
					err := f(n)
					known := func(target error) bool { return errors.Is(err, target) }
					if err != nil && !slices.ContainsFunc([]error{engine.ErrEntityExists, engine.ErrEntityNotFound, engine.ErrHasChildren}, known) {
						t.Error(err)
					}
				}
			})
		}
		parents := []string{"p", "q", ""}
		try(func(n int) error { return w.CreateEntity(ctx, engine.Entity{ID: "e", Parent: parents[n%3]}, anyParent) })
		try(func(int) error { return w.CreateEntity(ctx, engine.Entity{ID: "p"}, nil) })
		try(func(int) error { return w.DeleteEntity(ctx, "e", nil) })
		try(func(int) error { return w.DeleteEntity(ctx, "p", &engine.DeleteOptions{Force: true}) })
		try(func(n int) error {
			_, err := w.UpdateEntity(ctx, "e", engine.EntityUpdate{Parent: &parents[(n+1)%3]}, anyParent)
			return err
		})
		try(func(n int) error {
			return w.SetLimits(ctx, "e", fmt.Sprint("r", n), []engine.Limit{engine.PerMinute("rpm", 1)})
		})
		try(func(n int) error {
			w.use("e", fmt.Sprint("r", n%5))
			return nil
		})
		all.Wait()
		for _, parent := range []string{"p", "q"} { // exactly the children are marked as children
			key := schema.Child("default", parent, "e")
			_, marked := w.dump(false)[fmt.Sprint(key)]
			e, _ := w.Entity(ctx, "e")
			equal(t, "marked as a child of "+parent, marked, e.Parent == parent)
		}
		for _, id := range []string{"e", "p"} {
			if err := w.DeleteEntity(ctx, id, nil); err != nil && !errors.Is(err, engine.ErrEntityNotFound) {
				t.Fatal(err)
			}
		}
		equal(t, "left", w.dump(false), map[string]string{})
	}
}
