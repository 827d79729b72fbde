package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
)

func TestParents(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	create := func(id, parent string) error {
		return w.CreateEntity(ctx, engine.Entity{ID: id, Parent: parent}, anyParent)
	}
	move := func(id, parent string) error {
		_, err := w.UpdateEntity(ctx, id, engine.EntityUpdate{Parent: &parent}, anyParent)
		return err
	}
	must(t, create("b", "a")) // a has no record
	must(t, create("c", "b"))
	wants(t, "a record for a parent that is its own descendant", create("a", "c"), engine.ErrCycle)
	must(t, create("a", "root"))
	wants(t, "three in a circle", move("a", "c"), engine.ErrCycle)
	circle := move("a", "b")
	wants(t, "two in a circle", circle, engine.ErrCycle)
	if !strings.HasSuffix(circle.Error(), ": a, b, a") {
		t.Errorf("%v does not show the circle", circle)
	}
	wants(t, "through one without a record", create("root", "c"), engine.ErrCycle)
	must(t, move("b", ""))
	must(t, move("a", "c"))
	must(t, create("root", "x"))
	wants(t, "the other way round", move("b", "a"), engine.ErrCycle)
}

func TestPathLength(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for i := 2; i <= 8; i++ { // e1 has no record
		must(t, w.CreateEntity(ctx, engine.Entity{ID: fmt.Sprint("e", i), Parent: fmt.Sprint("e", i-1), Cascade: true}, anyParent))
	}
	wants(t, "nine", w.CreateEntity(ctx, engine.Entity{ID: "e9", Parent: "e8"}, anyParent), engine.ErrCycle)
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "other"}, nil))
	parent := "e8"
	_, err := w.UpdateEntity(ctx, "other", engine.EntityUpdate{Parent: &parent}, anyParent)
	wants(t, "moved below eight", err, engine.ErrCycle)
	x, err := w.Explain(ctx, "e8", "r")
	must(t, err)
	equal(t, "path", len(x.Path), 8)
}

// Concurrent moves never close a cycle.
func TestParentsRace(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		for range 200 {
			w, ctx := newWorld(t), t.Context()
			for i := range n {
				if i%2 == 0 { // the others are created by the concurrent calls
					must(t, w.CreateEntity(ctx, engine.Entity{ID: fmt.Sprint("e", i)}, nil))
				}
			}
			errs := make([]error, n)
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() {
					id, parent := fmt.Sprint("e", i), fmt.Sprint("e", (i+1)%n)
					if i%2 == 0 {
						_, errs[i] = w.UpdateEntity(ctx, id, engine.EntityUpdate{Parent: &parent}, anyParent)
					} else {
						errs[i] = w.CreateEntity(ctx, engine.Entity{ID: id, Parent: parent}, anyParent)
					}
				})
			}
			all.Wait()
			refused := 0
			for _, err := range errs {
				if errors.Is(err, engine.ErrCycle) {
					refused++
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if refused != 1 {
				t.Fatalf("of a circle of %d, %d were refused: %v", n, refused, errs)
			}
		}
	}
}

func TestChildren(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	children := func(id string) (ids []string) {
		for _, e := range pages(t, 2, func(p engine.Page) (engine.List[engine.Entity], error) { return w.Children(ctx, id, p) }) {
			ids = append(ids, e.ID)
		}
		return ids
	}
	for i := range 5 {
		must(t, w.CreateEntity(ctx, engine.Entity{ID: fmt.Sprint("c", i), Parent: "p"}, anyParent))
	}
	must(t, w.SetLimits(ctx, "p", "", []engine.Limit{engine.PerMinute("rpm", 1)})) // in the same partition
	equal(t, "of a parent without a record", children("p"), []string{"c0", "c1", "c2", "c3", "c4"})
	other, none := "q", ""
	_, err := w.UpdateEntity(ctx, "c1", engine.EntityUpdate{Parent: &other}, anyParent)
	must(t, err)
	_, err = w.UpdateEntity(ctx, "c2", engine.EntityUpdate{Parent: &none}, anyParent)
	must(t, err)
	must(t, w.DeleteEntity(ctx, "c3", nil))
	equal(t, "of the old parent", children("p"), []string{"c0", "c4"})
	equal(t, "of the new parent", children("q"), []string{"c1"})
	equal(t, "of none", children("nobody"), []string(nil))
	_, err = w.Children(ctx, "\n", engine.Page{})
	wants(t, "bad id", err, invalid("Entity"))
}
