package follow

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// TestReload checks that a Reload that began before a change leaves nothing old in memory.
func TestReload(t *testing.T) {
	for _, c := range []Change{entityOfName("a"), resourceOfName("r"), system} {
		w := newWorld(t)
		p, other := w.process(0), w.process(0)
		p.want("before", "a", "r")
		p.during = func() {
			other.change(c, "r")
			w.pass(time.Second)
			p.want("meanwhile", "b", "r")
		}
		if _, _, err := p.Reload(t.Context(), "a", "r", p.now(), true); err != nil {
			t.Fatal(err)
		}
		p.want(fmt.Sprint(c), "a", "r")
		other.change(c, "r") // whose event is not seen yet
		got, _, err := p.Reload(t.Context(), "a", "r", p.now(), true)
		if err != nil || got != w.config("a", "r") {
			t.Errorf("%v: %+v, %v", c, got, err)
		}
	}
}

// TestUseDuringLook checks that who uses a record between the moments when a look learns of its change and when it has read
// it, uses the new one afterwards.
func TestUseDuringLook(t *testing.T) {
	w := newWorld(t)
	p, other := w.process(0), w.process(0)
	p.want("before", "a", "r")
	other.change(system, "")
	w.pass(time.Second)
	p.duringLook = func() { // the look reads the event
		p.duringLook = func() { p.use("a", "r") } // and now the record
	}
	p.want("triggers the look", "b", "r")
	p.want("afterwards", "a", "r")
}

// TestReloadDuringLook checks that a process does not fall back to older limits than it has read itself, while a look has
// learned of their change and has not read them yet.
func TestReloadDuringLook(t *testing.T) {
	for _, c := range []Change{resourceOfName("r"), system} {
		w := newWorld(t)
		p, other := w.process(0), w.process(0)
		p.want("before", "a", "r")
		other.change(c, "r")
		w.pass(time.Second)
		p.async = true
		p.use("b", "r") // the look waits to be run
		rereads, reloaded, ended := make(chan bool), make(chan bool), make(chan bool)
		p.during = func() { // the new limits are read, and not kept yet
			p.duringLook = func() { // the look reads the event
				p.duringLook = func() { // and now the record
					close(rereads)
					<-reloaded
				}
			}
			go func() {
				p.drain()
				close(ended)
			}()
			<-rereads
			p.inLook = false
		}
		if got, _, err := p.Reload(t.Context(), "a", "r", p.now(), true); err != nil || got != w.config("a", "r") {
			t.Fatalf("%v: %+v, %v", c, got, err)
		}
		p.want(fmt.Sprint(c, " while the look is under way"), "a", "r")
		close(reloaded)
		<-ended
		p.want(fmt.Sprint(c, " after the look"), "a", "r")
	}
}

// use wants an acquire to answer, whatever it answers.
func (p *process) use(name, resource string) {
	if _, err := p.acquire(name, resource); err != nil {
		p.w.t.Fatalf("%v", err)
	}
}

// TestTwoManifests lets two large manifests follow each other.
func TestTwoManifests(t *testing.T) {
	w := newWorld(t)
	p, other := w.process(0), w.process(0)
	p.want("before", "a", "r")
	for range 3 {
		other.change(entityOfName("a"), "r")
		for i := range 1500 {
			other.change(entityOfName(fmt.Sprint(i)), "r")
		}
		other.change(Change{Kind: Everything}, "")
		w.pass(20 * time.Second)
		p.want("after", "a", "r")
	}
	for i := range 200 { // so that the next look has to go through the end of the last one
		other.change(entityOfName(fmt.Sprint(i)), "r")
	}
	w.pass(time.Second)
	p.want("after all", "a", "r")
	if len(p.unusable) > 0 {
		t.Error(p.unusable)
	}
}

// TestBehindBurst lets a process whose clock is behind, and whose looks fail, change something after a burst of events: the
// id of its event is before hundreds that are known.
func TestBehindBurst(t *testing.T) {
	w := newWorld(t)
	p, other, slow := w.process(0), w.process(0), w.process(-20*time.Second)
	slow.listErr = store.ErrUnavailable
	p.want("before", "a", "r")
	for i := range 600 {
		other.change(entityOfName(fmt.Sprint(i)), "r")
		w.pass(30 * time.Millisecond)
		_, _ = p.acquire("b", "r")
	}
	slow.change(entityOfName("a"), "r")
	w.pass(time.Second)
	p.wantOld("at once", "a", "r")
	for range 61 {
		w.pass(time.Second)
		_, _ = p.acquire("b", "r")
	}
	p.want("after a minute", "a", "r")
}

// TestManyUnclear checks that a look does not read hundreds of events.
func TestManyUnclear(t *testing.T) {
	w := newWorld(t)
	p, other := w.process(0), w.process(0)
	p.want("before", "a", "r")
	for range mostRead + 1 {
		other.change(system, "")
	}
	w.pass(time.Second)
	p.count()
	p.want("after", "a", "r")
	if _, _, looked, _ := p.count(); looked != 1 {
		t.Errorf("the look has read %d keys", looked)
	}
}

// TestQuietBucket checks that a bucket that is used only while no look is due grows old, too.
func TestQuietBucket(t *testing.T) {
	for _, off := range []bool{false, true} {
		w := newWorld(t)
		p := w.process(0, func(o *Options) {
			if off {
				o.Interval = 0
			}
		})
		p.listErr = store.ErrUnavailable
		p.want("before", "quiet", "r")
		w.set(entityOfName("quiet"), "r")
		for range 62 {
			w.pass(time.Second)
			p.want("first", "busy", "r")
			p.use("quiet", "r")
		}
		p.want("after a minute", "quiet", "r")
	}
}

// TestGoneDuringFetch checks that what is read while the namespace is gone serves nobody.
func TestGoneDuringFetch(t *testing.T) {
	w := newWorld(t)
	p := w.process(0)
	p.want("before", "a", "r")
	delete(w.records, schema.Namespace(namespace))
	w.pass(time.Second)
	if _, err := p.acquire("a", "r"); !errors.Is(err, errGone) {
		t.Fatal(err)
	}
	_, seq, _, err := p.Fetch(t.Context(), "a", "r", p.now()) // by an acquire that was under way
	if err != nil || p.Fresh(seq, p.now()) {
		t.Errorf("what was read is fresh, %v", err)
	}
	w.set(entityOfName("a"), "r") // the purge
	w.register("active")
	p.want("registered again", "a", "r")
}

// TestRecoveredDuringOutage lets a look fail just when it has found that the namespace was registered again.
func TestRecoveredDuringOutage(t *testing.T) {
	w := newWorld(t)
	p := w.process(0)
	p.want("before", "a", "r")
	w.register("deleted")
	w.set(entityOfName("a"), "r")
	w.register("active")
	w.pass(time.Second)
	p.duringLook = func() { p.listErr = store.ErrUnavailable }
	p.use("a", "r")
	if p.listErr == nil {
		t.Fatal("the look has not read the registration")
	}
	p.listErr = nil
	w.pass(2 * time.Second)
	p.want("a look later", "a", "r")
}

// TestRecheck lets a process change the registration of its own namespace, while the clock stands still.
func TestRecheck(t *testing.T) {
	w := newWorld(t)
	p, off := w.process(0), w.process(0, func(o *Options) { o.Interval = 0 })
	for _, p := range []*process{p, off} {
		p.want("before", "a", "r")
		w.register("deleted")
		if _, _, err := p.Reload(t.Context(), "a", "r", p.now(), true); !errors.Is(err, errGone) {
			t.Errorf("reloaded: %v", err)
		}
		p.Recheck()
		if _, err := p.acquire("a", "r"); !errors.Is(err, errGone) {
			t.Errorf("deleted: %v", err)
		}
		w.register("active")
		p.Recheck()
		p.want("recovered", "a", "r")
	}
	w.pass(time.Second)
	p.duringLook = func() { // a look that has read the registration already
		w.register("deleted")
		p.Recheck()
	}
	for range 2 {
		if _, err := p.acquire("a", "r"); !errors.Is(err, errGone) {
			t.Errorf("deleted during a look: %v", err)
		}
	}
}

// TestWaiting checks who waits for a look: all acquires after a pause, and all while the namespace is gone.
func TestWaiting(t *testing.T) {
	w := newWorld(t)
	p := w.process(0)
	p.want("before", "a", "r")
	looks := make(chan func(context.Context))
	p.o.Go = func(f func(context.Context)) bool {
		go func() { looks <- f }()
		return true
	}
	wait := func(what string, want error) {
		t.Helper()
		done := make(chan error)
		for range 3 {
			go func() { done <- p.Follow(t.Context(), p.now()) }()
		}
		for n, first := 0, true; n < 3; {
			select {
			case look := <-looks: // until it ends, nobody goes on
				if first && p.quiet(p.now()) {
					t.Errorf("%s: others do not wait", what)
				}
				first = false
				look(t.Context())
			case err := <-done:
				if n++; !errors.Is(err, want) {
					t.Errorf("%s: %v", what, err)
				}
			}
		}
	}
	w.pass(time.Hour)
	w.register("deleted")
	wait("after a pause", errGone)
	wait("while it is gone", errGone)
	w.register("active")
	wait("recovered", nil)
}

// TestClosed checks that a limiter that is closed starts no looks, and that nobody waits for one.
func TestClosed(t *testing.T) {
	w := newWorld(t)
	p := w.process(0, func(o *Options) { o.Go = func(func(context.Context)) bool { return false } })
	for range 3 {
		if err := p.Follow(t.Context(), p.now()); err != nil {
			t.Fatal(err)
		}
		p.Look(t.Context(), p.now(), 0)
		w.pass(time.Hour)
	}
}
