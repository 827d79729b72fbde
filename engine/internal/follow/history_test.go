package follow

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestNextID checks the order of ids of one process, and against those of others.
func TestNextID(t *testing.T) {
	now := newWorld(t).at
	next := func(h *history, now int64) string {
		id, err := h.next(now)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	for _, c := range []struct {
		name    string
		ahead   time.Duration // of the latest event that is known
		follows bool
		most    time.Duration // of the new id, ahead of the clock
	}{
		{"behind", -time.Hour, true, 0},
		{"a bit ahead", time.Second, true, time.Second + 2*time.Millisecond},
		{"ahead", 59 * time.Second, true, time.Minute},
		{"too far ahead", 2 * time.Minute, false, time.Minute}, // it counted, and then the clock went back
	} {
		t.Run(c.name, func(t *testing.T) {
			var h history
			latest := FirstID(millis(now) + c.ahead.Milliseconds())
			h.begin([]string{latest}, false, now)
			previous := ""
			for range 100 {
				id := next(&h, now)
				if id <= previous || c.follows != (id > latest) {
					t.Fatalf("%s after %s and %s", id, previous, latest)
				}
				if ahead := time.Duration(idTime(id)-millis(now)) * time.Millisecond; ahead < 0 || ahead > c.most {
					t.Fatalf("%v ahead", ahead)
				}
				previous = id
			}
			if id := next(&h, now-int64(time.Second)); id <= previous && c.ahead < 58*time.Second {
				t.Errorf("%s after %s, when the clock went back", id, previous)
			}
		})
	}
}

// TestHistoryIsBounded checks what a history remembers, and where looks begin.
func TestHistoryIsBounded(t *testing.T) {
	w := newWorld(t)
	var h history
	h.begin(nil, false, w.at)
	if begin := h.window(w.at); begin.from != "" {
		t.Errorf("an empty list is listed from %q", begin.from)
	}
	wide := 0
	for i := range 4000 {
		w.pass(50 * time.Millisecond)
		id := FirstID(millis(w.at))
		window := h.window(w.at)
		if at, _ := slices.BinarySearch(h.ids, window.from); len(h.ids)-at > overlapKeys+1 && !window.wide {
			t.Fatalf("%d: an overlap of %d ids", i, len(h.ids)-at)
		}
		if window.wide {
			wide++
		}
		h.remember([]string{id}, nil, &window, w.at)
	}
	if !slices.IsSorted(h.ids) || wide != 3 {
		t.Errorf("in 200 s, %d looks were wide", wide)
	}
	var many []string
	for i := range 2 * known {
		many = append(many, FirstID(millis(w.at)+int64(i)))
	}
	if h.remember(many, nil, &window{}, w.at); len(h.ids) != known || h.since != many[known] {
		t.Errorf("%d ids are known", len(h.ids))
	}
	w.pass(2 * known * time.Millisecond)
	h.narrow = 0
	for _, c := range []struct{ quiet, most time.Duration }{
		{time.Second, time.Minute}, {90 * time.Second, time.Minute}, {2 * time.Minute, 0},
	} {
		window := h.window(w.at + int64(c.quiet))
		if window.wide || idTime(h.latest())-idTime(window.from) > c.most.Milliseconds() {
			t.Errorf("after %v the overlap is %d ms", c.quiet, idTime(h.latest())-idTime(window.from))
		}
	}
	window := h.window(w.at + int64(backEvery))
	if !window.back || window.from != h.since {
		t.Errorf("a look goes back to %s, not to %s", window.from, h.since)
	}
	h.remember([]string{FirstID(millis(w.at) + 2*lookBack.Milliseconds())}, nil, &window, w.at)
	if len(h.ids) != 1 {
		t.Errorf("%d ids of before the last hour", len(h.ids)-1)
	}
}

// TestBegin checks when a look has to make up for the events that a first look leaves out: only if some of these can be late.
func TestBegin(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		first, last time.Duration // before now
		more, wide  bool
	}{
		{10 * time.Second, time.Second, true, true},
		{10 * time.Second, time.Second, false, false},
		{90 * time.Second, time.Second, true, false},
		{time.Hour, time.Hour, true, false},
	} {
		var h history
		h.begin([]string{FirstID(millis(w.at) - c.last.Milliseconds()), FirstID(millis(w.at) - c.first.Milliseconds())}, c.more, w.at)
		if window := h.window(w.at + int64(time.Minute)); window.wide != c.wide {
			t.Errorf("%+v: %+v", c, window)
		}
	}
}

// TestOwnIsBounded checks that own events that never appear do not pile up.
func TestOwnIsBounded(t *testing.T) {
	w := newWorld(t)
	var h history
	h.wrote("before any look", w.at)
	h.begin(nil, false, w.at)
	for range 2 * mostOwn {
		id, _ := h.next(w.at)
		h.wrote(id, w.at)
	}
	if len(h.own) != mostOwn {
		t.Errorf("%d own events", len(h.own))
	}
	w.pass(2 * lookBack)
	h.remember(nil, nil, &window{}, w.at)
	if _, found := h.invisible(w.at); found || len(h.own) > 0 {
		t.Errorf("%d own events are waited for after two hours", len(h.own))
	}
}

// TestTable checks that a table keeps its bound, and drops what is not used.
func TestTable(t *testing.T) {
	tab := newTable[entity](10)
	lost := 0
	for i := range 1000 {
		tab.add("hot")
		if tab.add(fmt.Sprint("cold", i)); len(tab.slots) > 10 {
			t.Fatalf("%d: %d entries", i, len(tab.slots))
		}
		if tab.peek("hot") == nil {
			lost++
		}
	}
	if lost > 50 { // now and then all have been used since the table last looked
		t.Errorf("the entry that is used most was dropped %d times", lost)
	}
	for i := range 100 {
		hot := tab.add("hot")
		if tab.grow("hot", hot); i == 50 {
			tab.clear()
			tab.grow("hot", hot) // which the table has dropped
			tab.add("hot")
			tab.grow("hot", hot)
		}
		sum := 0
		for _, s := range tab.slots {
			sum += s.weight
		}
		if tab.total > 10 || tab.total != sum {
			t.Fatalf("%d: entries of weight %d, counted as %d", i, sum, tab.total)
		}
		if i == 50 && sum != 1 {
			t.Errorf("an entry that was dropped has grown to %d", sum)
		}
	}
	newTable[entity](0).add("one")
}

// TestCacheIsBounded checks that an entity with very many resources, and very many entities, keep to Options.Size.
func TestCacheIsBounded(t *testing.T) {
	w := newWorld(t)
	p := w.process(0, func(o *Options) { o.Size = 100 })
	for i := range 1000 {
		p.want("many resources", "a", fmt.Sprint("r", i))
		p.want("many entities", fmt.Sprint("e", i), "r")
	}
	limits := 0
	for _, s := range p.entities.slots {
		limits += len(s.entry.resources)
	}
	if limits > 100 || p.entities.total > 100 {
		t.Errorf("%d limits, weight %d", limits, p.entities.total)
	}
}
