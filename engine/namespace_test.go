package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

func TestNamespaceLife(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	state := func(want string) engine.Namespace {
		t.Helper()
		n, err := w.Namespace(ctx, "n")
		must(t, err)
		equal(t, "state", n.State, want)
		return n
	}
	_, err := w.Namespace(ctx, "n")
	wants(t, "read before it is there", err, engine.ErrNamespaceNotFound)
	for what, err := range map[string]error{
		"delete": w.DeleteNamespace(ctx, "n"), "recover": w.RecoverNamespace(ctx, "n"), "purge": w.PurgeNamespace(ctx, "n"),
	} {
		wants(t, what+" before it is there", err, engine.ErrNamespaceNotFound)
	}
	created := w.now()
	must(t, w.RegisterNamespace(ctx, "n"))
	must(t, w.RegisterNamespace(ctx, "n"))
	must(t, w.RecoverNamespace(ctx, "n"))
	equal(t, "registered", state("active"), engine.Namespace{Name: "n", State: "active", CreatedAt: created})
	wants(t, "purge while active", w.PurgeNamespace(ctx, "n"), invalid("Namespace"))

	w.pass(time.Hour)
	must(t, w.DeleteNamespace(ctx, "n"))
	w.pass(time.Hour)
	must(t, w.DeleteNamespace(ctx, "n"))
	equal(t, "deleted", state("deleted"), engine.Namespace{Name: "n", State: "deleted", CreatedAt: created, DeletedAt: created.Add(time.Hour)})
	wants(t, "register while deleted", w.RegisterNamespace(ctx, "n"), invalid("Namespace"))
	must(t, w.RecoverNamespace(ctx, "n"))
	equal(t, "recovered", state("active"), engine.Namespace{Name: "n", State: "active", CreatedAt: created})
	must(t, w.DeleteNamespace(ctx, "n"))
	must(t, w.PurgeNamespace(ctx, "n"))
	wants(t, "purge twice", w.PurgeNamespace(ctx, "n"), engine.ErrNamespaceNotFound)
	must(t, w.RegisterNamespace(ctx, "n"))

	doc := func(state string) string { return `{"name":"n","state":"` + state + `"}` }
	equal(t, "audit", strings.Join(w.told(20), "\n"), strings.Join([]string{
		"namespace_registered   - " + doc("active"),
		"namespace_purged   " + doc("purging") + " -",
		"namespace_purged   " + doc("deleted") + " " + doc("purging"),
		"namespace_deleted   " + doc("active") + " " + doc("deleted"),
		"namespace_recovered   " + doc("deleted") + " " + doc("active"),
		"namespace_deleted   " + doc("active") + " " + doc("deleted"),
		"namespace_registered   - " + doc("active"),
	}, "\n"))
}

func TestNamespaceDefault(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.RegisterNamespace(ctx, "default"))
	must(t, w.RecoverNamespace(ctx, "default"))
	n, err := w.Namespace(ctx, "default")
	must(t, err)
	equal(t, "default", n, engine.Namespace{Name: "default", State: engine.NamespaceActive})
	wants(t, "deleted", w.DeleteNamespace(ctx, "default"), invalid("Namespace"))
	wants(t, "purged", w.PurgeNamespace(ctx, "default"), invalid("Namespace"))
	equal(t, "store", w.dump(true), map[string]string{})
	for _, name := range []string{"", "_", "_x", "a/b", strings.Repeat("n", 65)} {
		_, err := w.Namespace(ctx, name)
		for _, err := range []error{err, w.RegisterNamespace(ctx, name), w.DeleteNamespace(ctx, name), w.RecoverNamespace(ctx, name), w.PurgeNamespace(ctx, name)} {
			wants(t, fmt.Sprintf("%q", name), err, invalid("Namespace"))
		}
	}
}

func TestListNamespaces(t *testing.T) {
	for _, names := range []string{"", "a", "z", "a z", "a b c x y z", "de default1 deg"} {
		w, ctx := newWorld(t), t.Context()
		want := []string{}
		for _, name := range strings.Fields(names) {
			must(t, w.RegisterNamespace(ctx, name))
			if name < "default" {
				want = append(want, name)
			}
		}
		want = append(want, "default")
		for _, name := range strings.Fields(names) {
			if name > "default" {
				want = append(want, name)
			}
		}
		for size := 1; size <= 8; size++ {
			var got []string
			for _, n := range pages(t, size, func(p engine.Page) (engine.List[engine.Namespace], error) { return w.ListNamespaces(ctx, p) }) {
				got = append(got, n.Name)
			}
			equal(t, fmt.Sprint("pages of ", size), got, want)
		}
	}
}

// Namespaces that are deleted during the listing do not change the place of "default".
func TestListNamespacesRace(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for _, name := range []string{"a", "b", "c", "d", "x"} {
		must(t, w.RegisterNamespace(ctx, name))
	}
	w.trouble.once("read", 1, func() { // after the read of the schema's version
		for _, name := range []string{"b", "c"} {
			must(t, w.DeleteNamespace(ctx, name))
			must(t, w.PurgeNamespace(ctx, name))
		}
	})
	l := w.troubled()
	var got []string
	for _, n := range pages(t, 2, func(p engine.Page) (engine.List[engine.Namespace], error) { return l.ListNamespaces(ctx, p) }) {
		got = append(got, n.Name)
	}
	equal(t, "names", got, []string{"a", "d", "default", "x"})
}

// A limiter works only in its own namespace, and only while that is registered and not deleted.
func TestNamespaceGate(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	l := w.limiter(w.store, &engine.Options{Namespace: "n"})
	limits := []engine.Limit{engine.PerMinute("rpm", 10)}
	use := func() error {
		_, err := l.Allow(ctx, engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": 1}, Limits: limits})
		return err
	}
	wants(t, "created in none", l.CreateEntity(ctx, engine.Entity{ID: "e"}, nil), engine.ErrNamespaceNotFound)
	wants(t, "used in none", use(), engine.ErrNamespaceNotFound)
	_, err := l.Explain(ctx, "e", "r")
	wants(t, "explained in none", err, engine.ErrNamespaceNotFound)
	equal(t, "store", w.dump(true, "n"), map[string]string{})

	must(t, l.RegisterNamespace(ctx, "n"))
	must(t, l.CreateEntity(ctx, engine.Entity{ID: "e"}, nil))
	must(t, use())
	_, err = w.Entity(ctx, "e")
	wants(t, "in the other namespace", err, engine.ErrEntityNotFound)

	must(t, l.DeleteNamespace(ctx, "n"))
	wants(t, "used after deletion", use(), engine.ErrNamespaceNotFound)
	_, err = l.Entities(ctx, engine.Page{})
	wants(t, "listed after deletion", err, engine.ErrNamespaceNotFound)
	must(t, l.RecoverNamespace(ctx, "n"))
	must(t, use())
	_, err = l.Entity(ctx, "e")
	must(t, err)

	made := w.limiter(w.store, &engine.Options{Namespace: "made", CreateNamespace: true})
	must(t, made.CreateEntity(ctx, engine.Entity{ID: "e"}, nil))
	n, err := w.Namespace(ctx, "made")
	must(t, err)
	equal(t, "made", n.State, "active")
}

func TestPurge(t *testing.T) {
	fill := func() *world {
		w, ctx := newWorld(t), t.Context()
		must(t, w.RegisterNamespace(ctx, "n"))
		must(t, w.RegisterNamespace(ctx, "n2"))
		for _, ns := range []string{"n", "n2"} {
			inside := &world{t: t, store: w.store, at: w.at}
			inside.Limiter = inside.limiter(w.store, &engine.Options{Namespace: ns})
			inside.furnish("user", 3, 220)
			must(t, inside.SetSystemDefaults(ctx, []engine.Limit{engine.PerMinute("rpm", 1)}, nil))
		}
		w.furnish("user", 1, 1)
		must(t, w.DeleteNamespace(ctx, "n"))
		return w
	}
	w := fill()
	others := w.dump(true, "n2")
	must(t, w.PurgeNamespace(t.Context(), "n"))
	_, err := w.Namespace(t.Context(), "n")
	wants(t, "purged", err, engine.ErrNamespaceNotFound)
	after := w.dump(true, "n", "n2")
	for key, record := range others {
		if after[key] != record && !strings.Contains(key, " n|") {
			t.Errorf("%s was touched", key)
		}
	}
	for key := range after {
		if strings.HasPrefix(key, "{n ") {
			t.Errorf("%s is left", key)
		}
	}

	for n, done := 0, false; !done; n++ {
		w, ctx := fill(), t.Context()
		w.trouble.will(append(make([]fault, n), broken)...)
		done = w.troubled().PurgeNamespace(ctx, "n") == nil
		if n > 2 && !done { // after the version, the registration and its change
			wants(t, "recover what is being purged", w.RecoverNamespace(ctx, "n"), invalid("Namespace"))
			wants(t, "register what is being purged", w.RegisterNamespace(ctx, "n"), invalid("Namespace"))
		}
		if !done {
			must(t, w.PurgeNamespace(ctx, "n"))
		}
		for key := range w.dump(true, "n") {
			if strings.HasPrefix(key, "{n ") {
				t.Errorf("%s is left after a failure in call %d", key, n)
			}
		}
	}
}

// What a limiter writes during a purge that it has not noticed is deleted, too.
func TestPurgeLateWrites(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.RegisterNamespace(ctx, "n"))
	inside := &world{t: t, store: w.store, at: w.at}
	inside.Limiter = inside.limiter(w.store, &engine.Options{Namespace: "n"})
	inside.furnish("user", 1, 3)
	limits := []engine.Limit{engine.PerMinute("rpm", 10)}
	_, err := inside.Available(ctx, "user", "late", limits...)
	must(t, err)
	must(t, w.DeleteNamespace(ctx, "n"))
	w.trouble.once("apply", 0, func() { inside.use("user", "late") }) // after everything was listed
	must(t, w.troubled().PurgeNamespace(ctx, "n"))
	for key := range w.dump(true, "n") {
		if strings.HasPrefix(key, "{n ") {
			t.Errorf("%s is left", key)
		}
	}
}

// Two limiters purge a namespace, and one is late: the name is registered again, and nothing of it may be deleted.
func TestPurgeFinishedByAnother(t *testing.T) {
	for n := range 2 {
		w, ctx := newWorld(t), t.Context()
		must(t, w.RegisterNamespace(ctx, "n"))
		inside := &world{t: t, store: w.store, at: w.at}
		inside.Limiter = inside.limiter(w.store, &engine.Options{Namespace: "n"})
		inside.furnish("user", 1, 3)
		must(t, w.DeleteNamespace(ctx, "n"))
		w.trouble.once("scan", n, func() {
			must(t, w.PurgeNamespace(ctx, "n"))
			must(t, w.RegisterNamespace(ctx, "n"))
			inside.furnish("user", 1, 0)
		})
		must(t, w.troubled().PurgeNamespace(ctx, "n"))
		left := 0
		for key := range w.dump(false, "n") {
			if strings.HasPrefix(key, "{n ") {
				left++
			}
		}
		equal(t, fmt.Sprint("records, before scan ", n), left, 3)
		registered, err := w.Namespace(ctx, "n")
		must(t, err)
		equal(t, "state", registered.State, "active")
	}
}

// A store that cannot list a namespace cannot purge one, and the namespace stays as it is.
func TestPurgeWithoutScan(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.RegisterNamespace(ctx, "n"))
	must(t, w.DeleteNamespace(ctx, "n"))
	wants(t, "purge", w.limiter(bare{w.store}, nil).PurgeNamespace(ctx, "n"), invalid("store"))
	n, err := w.Namespace(ctx, "n")
	must(t, err)
	equal(t, "state", n.State, "deleted")
}
