package follow

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// TestClocks lets two processes whose clocks differ change the same entity in turn, and a third one watch.
func TestClocks(t *testing.T) {
	for _, skew := range []time.Duration{2 * time.Second, -2 * time.Second, 20 * time.Second, -20 * time.Second, 55 * time.Second, -55 * time.Second} {
		t.Run(fmt.Sprint(skew), func(t *testing.T) {
			w := newWorld(t)
			a, b, watcher := w.process(0), w.process(skew), w.process(0)
			all := []*process{a, b, watcher}
			for i := range 100 {
				all[i%2].change(entityOfName("e"), "r")
				w.pass(time.Second + 37*time.Millisecond)
				for _, p := range all {
					p.want(fmt.Sprint("change ", i), "e", "r")
				}
			}
			if len(watcher.ahead) != 0 {
				t.Errorf("reported as ahead: %v", watcher.ahead)
			}
		})
	}
}

// TestClockFarAhead lets a process change things whose clock is two minutes ahead of everybody else's.
func TestClockFarAhead(t *testing.T) {
	w := newWorld(t)
	fast, p := w.process(2*time.Minute), w.process(0)
	p.want("before", "e", "r")
	fast.change(entityOfName("e"), "r")
	w.pass(time.Second)
	p.want("its first change", "e", "r")
	if len(p.ahead) != 1 || p.ahead[0] < 110*time.Second {
		t.Fatalf("reported %v", p.ahead)
	}
	for range 5 { // drops everything at most once a minute
		fast.change(entityOfName("e"), "r")
		w.pass(time.Second)
		if _, err := p.acquire("e", "r"); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.ahead) != 1 {
		t.Errorf("reported %v", p.ahead)
	}
	w.pass(time.Minute)
	p.want("a minute later", "e", "r")
	id := p.change(entityOfName("e"), "r")
	if at := idTime(id) - millis(p.now()); at > apart.Milliseconds() {
		t.Errorf("an id is %d ms ahead", at)
	}
	for range 10 {
		w.pass(time.Minute)
		_, _ = fast.acquire("e", "r")
	}
	fast.want("the other's change, by a backstop", "e", "r")
}

// TestLateEvents lets events reach the index after others with greater ids, and long after they were written.
func TestLateEvents(t *testing.T) {
	for _, late := range []time.Duration{time.Second, 10 * time.Second, 50 * time.Second, 5 * time.Minute} {
		t.Run(fmt.Sprint(late), func(t *testing.T) {
			w := newWorld(t)
			p, other := w.process(0), w.process(0)
			p.want("before", "late", "r")
			w.delay = func() time.Duration { return late }
			other.change(entityOfName("late"), "r")
			w.delay = func() time.Duration { return 0 }
			for range late/time.Second - 1 {
				w.pass(time.Second)
				other.change(entityOfName("x"), "r")
				p.wantOld("while it is on its way", "late", "r")
			}
			w.pass(time.Second)
			if late > apart {
				w.pass(backEvery) // a look goes back an hour
			}
			p.want("after it came", "late", "r")
		})
	}
}

// TestLostLooks lets looks fail for most of a minute.
func TestLostLooks(t *testing.T) {
	w := newWorld(t)
	p, other := w.process(0), w.process(0)
	p.want("before", "a", "r")
	p.listErr = store.ErrUnavailable
	for range 45 {
		w.pass(time.Second)
		other.change(entityOfName("a"), "r")
		other.change(resourceOfName("r"), "")
		p.wantOld("while looks fail", "a", "r")
	}
	p.wantFetched("a look that fails drops nothing", 5)
	if n := len(p.failed); n == 0 || n > 12 {
		t.Errorf("%d looks that failed", n)
	}
	p.listErr = nil
	w.pass(12 * time.Second)
	p.want("after it", "a", "r")
	if len(p.unusable) != 0 {
		t.Error(p.unusable)
	}
}

// TestLostRead lets the reads of looks fail, those of events and those of records.
func TestLostRead(t *testing.T) {
	for fail := range 3 {
		t.Run(fmt.Sprint(fail), func(t *testing.T) {
			w := newWorld(t)
			p, other := w.process(0), w.process(0)
			p.want("before", "a", "r")
			other.change(resourceOfName("r"), "")
			other.change(entityOfName("a"), "r")
			w.pass(time.Second)
			reads := 0
			p.o.Store = failing{p, func() error {
				if reads++; reads == fail {
					return store.ErrUnavailable
				}
				return nil
			}}
			if _, err := p.acquire("a", "r"); err != nil {
				t.Fatal(err)
			}
			w.pass(3 * time.Second)
			p.want("after the next look", "a", "r")
		})
	}
}

// TestManifest lets another process change 5,000 entities in one operation, at once and in the course of a minute.
func TestManifest(t *testing.T) {
	for _, took := range []time.Duration{0, time.Minute} {
		t.Run(fmt.Sprint(took), func(t *testing.T) {
			w := newWorld(t)
			p, other := w.process(0), w.process(0)
			name := func(i int) string { return fmt.Sprint("e", i) }
			for i := range 5000 {
				p.want("before", name(i), "r")
			}
			p.count()
			most := 0
			for i := range 5000 {
				if w.pass(took / 5000); i == 2500 { // one event among them is late
					w.delay = func() time.Duration { return 20 * time.Second }
				}
				other.change(entityOfName(name(i)), "r")
				w.delay = func() time.Duration { return 0 }
				_, _ = p.acquire("e0", "r")
				_, listed, _, _ := p.count()
				most = max(most, listed)
			}
			other.change(Change{Kind: Everything}, "")
			w.pass(time.Second)
			for i := range 5000 {
				p.want("after", name(i), "r")
			}
			if most > 1000+overlapKeys {
				t.Errorf("a look lists %d keys", most)
			}
			if len(p.unusable) != 0 {
				t.Error(p.unusable)
			}
			w.pass(3 * time.Minute)
			p.want("in quiet", "e0", "r")
			w.pass(time.Second)
			p.count()
			p.want("in quiet", "e0", "r")
			if _, listed, _, _ := p.count(); listed > 1 {
				t.Errorf("in quiet, a look lists %d keys", listed)
			}
		})
	}
}

// TestIndexFails checks that records are read again after TTL if the index cannot be queried, as without looks.
func TestIndexFails(t *testing.T) {
	denied := errors.New("access denied")
	for _, off := range []bool{false, true} {
		t.Run(fmt.Sprint(off), func(t *testing.T) {
			w := newWorld(t)
			p := w.process(0, func(o *Options) {
				if off {
					o.Interval = -1
				}
			})
			p.listErr = denied
			p.want("before", "a", "r")
			p.wantFetched("with the namespace", 6)
			w.set(entityOfName("a"), "r")
			w.set(resourceOfName("r"), "")
			for range 44 {
				w.pass(time.Second)
				p.wantOld("for most of a minute", "a", "r")
			}
			p.wantFetched("so long", 0)
			for range 16 {
				w.pass(time.Second)
				_, _ = p.acquire("a", "r")
			}
			p.want("after a minute", "a", "r")
			if p.refreshed != 1 {
				t.Errorf("%d times in the background", p.refreshed)
			}
			w.set(system, "")
			w.set(entityOfName("a"), "r")
			w.pass(time.Minute)
			p.want("after a pause", "a", "r")
			if said := map[bool]int{false: 1, true: 0}[off]; len(p.unusable) != said {
				t.Errorf("said %v", p.unusable)
			}
			w.set(entityOfName("a"), "r")
			w.pass(time.Minute)
			p.readErr = store.ErrUnavailable
			p.wantOld("when the store is out of reach", "a", "r")
		})
	}
}

// TestIndexRecovers checks that looks vouch again once they succeed.
func TestIndexRecovers(t *testing.T) {
	w := newWorld(t)
	p, other := w.process(0), w.process(0)
	p.want("before", "a", "r")
	p.listErr = store.ErrUnavailable
	for range 10 {
		w.pass(time.Minute)
		other.change(entityOfName("a"), "r")
		p.want("while looks fail", "a", "r")
	}
	p.listErr = nil
	other.change(resourceOfName("r"), "")
	w.pass(12 * time.Second)
	p.want("the first look that succeeds", "a", "r")
	p.count()
	for range 100 {
		w.pass(time.Second)
		p.want("afterwards", "a", "r")
	}
	p.wantFetched("afterwards", 0)
}

// TestManyWritersWhileLooksFail checks that a writer of many events, who looks before each of them, does not try again each time
// while looks fail.
func TestManyWritersWhileLooksFail(t *testing.T) {
	w := newWorld(t)
	p := w.process(0)
	p.want("before", "a", "r")
	p.count()
	p.listErr = store.ErrUnavailable
	w.pass(2 * time.Second)
	for range 1000 {
		p.Look(t.Context(), p.now(), time.Second)
	}
	if lists, _, _, _ := p.count(); lists != 1 {
		t.Errorf("%d lists", lists)
	}
	p.listErr = nil
	w.pass(2 * time.Second)
	p.Look(t.Context(), p.now(), time.Second)
	if lists, _, _, _ := p.count(); lists != 1 || p.failures != 0 {
		t.Errorf("%d lists when it is due again", lists)
	}
}

// TestOwnEventInvisible checks that an own event that does not come into the index makes records grow old, until it comes.
func TestOwnEventInvisible(t *testing.T) {
	w := newWorld(t)
	w.delay = func() time.Duration { return 10 * time.Minute }
	p, other := w.process(0), w.process(0)
	p.want("before", "a", "r")
	p.change(entityOfName("own"), "r")
	other.change(entityOfName("a"), "r")
	for range 72 {
		w.pass(time.Second)
		_, _ = p.acquire("a", "r")
	}
	p.want("after a minute", "a", "r")
	if len(p.unusable) != 1 || !errors.Is(p.unusable[0], errInvisible) {
		t.Fatalf("said %v", p.unusable)
	}
	w.pass(10 * time.Minute)
	p.want("it comes", "a", "r")
	p.count()
	for range 120 {
		w.pass(time.Second)
		p.want("afterwards", "a", "r")
	}
	p.wantFetched("afterwards", 0)
	if len(p.unusable) != 1 {
		t.Errorf("said %v", p.unusable)
	}
}

// TestFlood lets somebody fill the index with entries of other namespaces, within its events and far ahead of them.
func TestFlood(t *testing.T) {
	for _, ahead := range []time.Duration{-10 * time.Second, time.Hour} {
		t.Run(fmt.Sprint(ahead), func(t *testing.T) {
			w := newWorld(t)
			p, other := w.process(0), w.process(0)
			other.change(entityOfName("x"), "r")
			p.want("before", "a", "r")
			for i := range 10_000 {
				id := FirstID(millis(w.at) + ahead.Milliseconds() + int64(i))
				w.events = append(w.events, listed{Item: backend.Item{Sort: id}, foreign: true})
			}
			if ahead < 0 {
				w.events = append(w.events[1:], w.events[0])
			}
			other.change(entityOfName("a"), "r")
			p.count()
			for range 60 {
				w.pass(time.Second)
				_, _ = p.acquire("a", "r")
				if lists, _, _, _ := p.count(); lists > 2*mostCalls {
					t.Fatalf("%d calls for a look", lists)
				}
			}
			p.want("within a minute", "a", "r")
		})
	}
}

// TestForeign checks that entries that this library does not write mean nothing.
func TestForeign(t *testing.T) {
	w := newWorld(t)
	p := w.process(0)
	p.want("before", "a", "r")
	id := FirstID(millis(w.at))
	bucket, _ := schema.Bucket(namespace, "a", "r")
	event, _ := schema.Audit(namespace, "a", id)
	stranger, _ := schema.Audit("other", "a", id)
	for _, it := range []backend.Item{{Key: bucket, Sort: id}, {Key: event, Sort: "x"}, {Key: event, Sort: FirstID(millis(w.at) + 1)}, {Key: stranger, Sort: id}} {
		w.index(listed{Item: it})
	}
	w.pass(time.Second)
	p.count()
	p.want("after", "a", "r")
	p.wantFetched("after", 0)
	if len(p.changed) != 0 {
		t.Error(p.changed)
	}
}

// TestBackstops checks what finds a change without an event: for shared records a minute, for others three days.
func TestBackstops(t *testing.T) {
	w := newWorld(t)
	p := w.process(0)
	p.want("before", "a", "r")
	p.want("before", "a", "unused")
	w.set(resourceOfName("r"), "")
	w.set(system, "")
	p.count()
	looked := 0
	for range 121 {
		w.pass(time.Second)
		_, _ = p.acquire("a", "r")
		_, _, n, fetched := p.count()
		if looked += n; fetched != 0 {
			t.Fatalf("acquires have read %d keys", fetched)
		}
	}
	p.want("shared records after a minute", "a", "r")
	if looked -= 121; looked != 5 { // both twice, and the unused resource once
		t.Errorf("looks have read %d shared records", looked)
	}
	w.set(entityOfName("a"), "r")
	hours := 0
	for ; hours < 100; hours++ {
		if c, _ := p.acquire("a", "r"); c == w.config("a", "r") {
			break
		}
		w.pass(time.Hour)
	}
	if hours < 60 || hours > 80 {
		t.Errorf("records of an entity are read again after %d h", hours)
	}
}
