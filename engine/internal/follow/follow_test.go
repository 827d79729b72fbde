package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// TestReads counts what acquires read: shared records once, those of an entity once, its limits for a resource once.
func TestReads(t *testing.T) {
	w := newWorld(t)
	p := w.process(0)
	p.want("first", "a", "r")
	p.wantFetched("entity, default, limits, resource, system", 5)
	p.want("again", "a", "r")
	w.pass(500 * time.Millisecond)
	p.want("again", "a", "r")
	p.wantFetched("from memory", 0)
	p.want("another entity", "b", "r")
	p.wantFetched("entity, default, limits", 3)
	p.want("another resource", "b", "s")
	p.wantFetched("limits, resource", 2)
	w.pass(time.Hour)
	p.want("after a pause", "b", "s")
	p.wantFetched("a look vouches for all of it", 0)
}

// TestChanges checks that others see a change within Interval, and read no more than what it has changed.
func TestChanges(t *testing.T) {
	for _, c := range []struct {
		name                             string
		change                           Change
		fetchedA, fetchedB, lookedBeside int
	}{
		{"entity", entityOfName("a"), 3, 0, 0},
		{"another entity", entityOfName("z"), 0, 0, 0},
		{"resource", resourceOfName("r"), 0, 0, 2}, // the event and the record
		{"another resource", resourceOfName("z"), 0, 0, 1},
		{"system", system, 0, 0, 2},
		{"everything", Change{Kind: Everything}, 5, 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p, other := w.process(0), w.process(0)
			p.want("before", "a", "r")
			p.want("before", "b", "r")
			other.change(c.change, "r")
			w.pass(time.Second)
			p.count()
			p.want("after", "a", "r")
			_, _, looked, fetched := p.count()
			if fetched != c.fetchedA || looked != 1+c.lookedBeside {
				t.Errorf("a: %d keys, and %d by the look; want %d and %d", fetched, looked, c.fetchedA, 1+c.lookedBeside)
			}
			p.want("after", "b", "r")
			p.wantFetched("b", c.fetchedB)
			if !slices.Equal(p.changed, []Change{c.change}) {
				t.Errorf("OnChange was told %v", p.changed)
			}
		})
	}
}

// TestPath checks that an entity that gets another parent, or whose parent is changed, is seen.
func TestPath(t *testing.T) {
	w := newWorld(t)
	p, other := w.process(0), w.process(0)
	w.parent("child", "one")
	p.want("before", "child", "r")
	w.parent("child", "two")
	other.change(entityOfName("child"), "x")
	w.pass(time.Second)
	p.want("after", "child", "r")
}

// TestOwnChange checks that an own change is seen at once, and is not read twice.
func TestOwnChange(t *testing.T) {
	w := newWorld(t)
	w.delay = func() time.Duration { return 5 * time.Second }
	p := w.process(0)
	p.want("before", "a", "r")
	p.change(entityOfName("a"), "r")
	p.change(resourceOfName("r"), "")
	p.change(system, "")
	p.want("at once", "a", "r")
	p.count()
	for range 20 {
		w.pass(time.Second)
		p.want("later", "a", "r")
	}
	p.wantFetched("when the events appear", 0)
	if len(p.changed) != 0 || len(p.unusable) != 0 {
		t.Errorf("changes %v, unusable %v", p.changed, p.unusable)
	}
}

// TestStaleRead checks that what was read before a change is not kept: neither if its event is seen while the read is under
// way, nor if this process makes the change meanwhile.
func TestStaleRead(t *testing.T) {
	for _, c := range []Change{entityOfName("a"), resourceOfName("r"), system, {Kind: Everything}} {
		for _, own := range []bool{false, true} {
			t.Run(fmt.Sprint(c, own), func(t *testing.T) {
				w := newWorld(t)
				p, other := w.process(0), w.process(0)
				p.want("another entity", "b", "r")
				if own {
					other = p
				}
				p.during = func() {
					other.change(c, "r")
					w.set(c, "r")
					w.pass(time.Second)
					p.want("while a read is under way", "b", "r")
				}
				if _, err := p.acquire("a", "r"); err != nil {
					t.Fatal(err)
				}
				p.want("afterwards", "a", "r")
			})
		}
	}
}

// TestStaleLook is TestStaleRead for what a look reads.
func TestStaleLook(t *testing.T) {
	w := newWorld(t)
	p, other := w.process(0), w.process(0)
	p.want("before", "a", "r")
	w.pass(time.Minute)
	p.during = func() { // the look of this process reads it because of its age
		w.set(resourceOfName("r"), "")
		p.Changed(resourceOfName("r"))
	}
	p.want("own change", "a", "r")
	w.pass(time.Minute)
	p.during = func() { other.change(system, "") }
	if _, err := p.acquire("a", "r"); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	p.want("a look later", "a", "r")
}

// TestIdle checks that an acquire after a pause waits for a look, and one after a second does not.
func TestIdle(t *testing.T) {
	w := newWorld(t)
	p, other := w.process(0), w.process(0)
	p.want("before", "a", "r")
	p.async = true
	other.change(resourceOfName("r"), "")
	w.pass(time.Second)
	p.wantOld("while a look is under way", "a", "r")
	p.wantOld("nor a second one", "a", "r")
	if len(p.queue) != 1 {
		t.Fatalf("%d looks", len(p.queue))
	}
	p.drain()
	p.want("after it", "a", "r")
	other.change(resourceOfName("r"), "")
	w.pass(time.Hour)
	p.async = false
	p.want("after an hour", "a", "r")
}

// TestLook checks which looks are enough for whom.
func TestLook(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	p := w.process(0)
	wantLists := func(what string, n int) {
		t.Helper()
		if lists, _, _, _ := p.count(); lists != n {
			t.Errorf("%s: %d looks, want %d", what, lists, n)
		}
	}
	p.Look(ctx, p.now(), time.Second)
	wantLists("the first", 1)
	p.Look(ctx, p.now(), time.Second)
	wantLists("one of the last second", 0)
	p.Look(ctx, p.now(), 0)
	wantLists("a new one", 1)
	w.pass(time.Second)
	p.Look(ctx, p.now(), time.Second)
	wantLists("a second later", 1)
	w.pass(time.Second)
	p.async = true
	done, cancel := context.WithCancel(ctx)
	cancel()
	p.Look(done, p.now(), time.Second) // which does not run
	p.Look(done, p.now(), time.Second)
	if len(p.queue) != 1 {
		t.Errorf("%d looks at a time", len(p.queue))
	}
	p.drain()
	wantLists("one for both", 1)
}

// TestRefresh checks that nothing in memory survives a Refresh, even if the index lags or looks fail.
func TestRefresh(t *testing.T) {
	w := newWorld(t)
	w.delay = func() time.Duration { return time.Hour }
	p, other := w.process(0), w.process(0)
	for _, err := range []error{nil, store.ErrUnavailable} {
		p.listErr = err
		p.want("before", "a", "r")
		other.change(system, "")
		p.wantOld("without", "a", "r")
		if err := p.Refresh(t.Context(), p.now()); err != nil {
			t.Fatal(err)
		}
		p.want("with", "a", "r")
	}
}

// TestNamespace deletes, recovers and registers the namespace again.
func TestNamespace(t *testing.T) {
	w := newWorld(t)
	p := w.process(0)
	p.want("before", "a", "r")
	w.register("deleted")
	w.pass(time.Second)
	for range 3 {
		if _, err := p.acquire("a", "r"); !errors.Is(err, errGone) {
			t.Fatalf("deleted: %v", err)
		}
	}
	w.set(entityOfName("a"), "r") // without an event, as a purge does it
	w.register("active")
	p.want("recovered, at once", "a", "r")
	w.register("deleted")
	w.set(entityOfName("a"), "r")
	w.register("active")
	w.pass(time.Second)
	p.want("deleted and recovered between two looks", "a", "r")
	p.during = func() {
		w.register("deleted")
		w.pass(time.Second)
		_, _ = p.acquire("a", "r")
	}
	_, _ = p.acquire("b", "r") // reads while the namespace goes
	for _, name := range []string{"a", "b"} {
		if _, err := p.acquire(name, "r"); !errors.Is(err, errGone) {
			t.Errorf("%s after a read that was under way: %v", name, err)
		}
	}
}

// TestNamespaceOfFirstUse checks that a namespace that is missing at first can be used once it is registered.
func TestNamespaceOfFirstUse(t *testing.T) {
	w := newWorld(t)
	delete(w.records, schema.Namespace(namespace))
	p := w.process(0)
	off := w.process(0, func(o *Options) { o.Interval = 0 })
	for _, p := range []*process{p, off} {
		if _, err := p.acquire("a", "r"); !errors.Is(err, errGone) {
			t.Fatalf("missing: %v", err)
		}
	}
	w.register("active")
	p.want("registered", "a", "r")
	off.want("registered", "a", "r")
	w.register("deleted")
	w.pass(time.Minute)
	if _, err := off.acquire("a", "r"); !errors.Is(err, errGone) {
		t.Fatalf("deleted, without looks: %v", err)
	}
}

// TestUnreadable checks that one record that cannot be read stops nobody who does not need it.
func TestUnreadable(t *testing.T) {
	w := newWorld(t)
	p := w.process(0)
	bad, _ := schema.Resource(namespace, "bad")
	p.o.Store = unreadable{p, bad}
	p.want("before", "a", "good")
	delete(w.records, bad)
	w.set(resourceOfName("bad"), "")
	if _, err := p.acquire("a", "bad"); !errors.As(err, new(*backend.UnreadableError)) {
		t.Fatalf("who needs it: %v", err)
	}
	w.pass(time.Minute)
	p.want("others", "a", "good")
	if len(p.unusable) != 0 {
		t.Error(p.unusable)
	}
}

// unreadable is a store with a record that cannot be read.
type unreadable struct {
	*process
	bad backend.Key
}

func (u unreadable) Read(ctx context.Context, keys []backend.Key) ([]backend.Record, error) {
	out, err := u.process.Read(ctx, keys)
	if at := slices.Index(keys, u.bad); at >= 0 {
		return out, &backend.UnreadableError{Indexes: []int{at}, Err: backend.ErrCorrupt}
	}
	return out, err
}

// failing is a store whose reads fail as a function says.
type failing struct {
	*process
	fail func() error
}

func (f failing) Read(ctx context.Context, keys []backend.Key) ([]backend.Record, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.process.Read(ctx, keys)
}
