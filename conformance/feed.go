package conformance

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

// RunFeed proves the promises of [backend.FeedFunc], for stores that have it.
func RunFeed(t *testing.T, open Open) {
	run(t, havingFeed(open), []promise{{name: "Feed", cases: feeds, power: true, means: "every change is handed out at least once, the changes of one key in order, and is forgotten only after it was taken."}})
}

func havingFeed(open Open) Open {
	return having(open, "Feed", func(c backend.Capabilities) bool { return c.Feed != nil })
}

var feeds = cases{
	{"Changes", feedChanges},
	{"Committed", feedCommitted},
	{"NoChange", feedNoChange},
	{"Again", feedAgain},
	{"Pages", feedPages},
	{"Forgotten", feedForgotten},
	{"InOrder", feedInOrder},
	{"Whole", feedWhole},
	{"Cancelled", feedCancelled},
}

func ourLayout(backend.Key) *backend.Layout { return layout }

// mustFeed takes up to size changes, and returns each in one line, and how many were counted.
func (s *storeTest) mustFeed(size int) (lines []string, n int) {
	s.Helper()
	n, err := s.store.Capabilities().Feed(s.Context(), ourLayout, size, func(changes []backend.Change) error {
		if len(changes) > size || len(changes) == 0 {
			s.Errorf("%d changes are handed out, of up to %d", len(changes), size)
		}
		for i := range changes {
			c := &changes[i]
			lines = append(lines, fmt.Sprintf("%s: %s > %s", c.Key.Sort, show(&c.Before), show(&c.After)))
		}
		return nil
	})
	if err != nil {
		s.Fatalf("Feed: %v", err)
	}
	if n != len(lines) {
		s.Fatalf("Feed counts %d changes and hands out %d", n, len(lines))
	}
	return lines, n
}

// mustDrain takes changes until there are as many as expected; a store may lag. A change that comes twice in a row counts once,
// because the promise is at least once.
func (s *storeTest) mustDrain(expected int) []string {
	s.Helper()
	var all []string
	s.eventually(fmt.Sprintf("the feed has %d changes", expected), func() (any, bool) {
		lines, _ := s.mustFeed(7)
		all = slices.Compact(append(all, lines...))
		return all, len(all) >= expected
	})
	for {
		lines, n := s.mustFeed(100)
		if all = append(all, lines...); n == 0 {
			return slices.Compact(all)
		}
	}
}

// wantChanges compares the changes of each key. Changes of different keys have no order.
func (s *storeTest) wantChanges(want ...string) {
	s.Helper()
	got := s.mustDrain(len(want))
	byKey := func(lines []string) []string {
		lines = slices.Clone(lines)
		slices.SortStableFunc(lines, func(a, b string) int { return int(a[0]) - int(b[0]) })
		return lines
	}
	if !slices.Equal(byKey(got), byKey(want)) {
		s.Errorf("the feed gives\n%q, not\n%q", byKey(got), byKey(want))
	}
}

func feedChanges(s *storeTest) {
	a, b := keyOf("a"), keyOf("b")
	if lines, n := s.mustFeed(1); n != 0 {
		s.Fatalf("a feed begins with %q", lines)
	}
	s.mustPut(write(a, set(1)), write(b, setText(slotS, "x"), backend.Expiry(future)), write(a, add(1), setNum(slotM, numOf(5))), remove(a),
		write(b, unset(slotS)), write(a, set(7)), write(b, setText(slotB, "\xff"), backend.NoExpiry))
	s.wantChanges("a: none > n=1", "a: n=1 > n=2 m=5", "a: n=2 m=5 > none", "a: none > n=7",
		`b: none > s="x" until 4102444800`, `b: s="x" until 4102444800 > empty until 4102444800`, `b: empty until 4102444800 > b="\xff"`)
	s.mustPut(write(a, add(1)))
	s.wantChanges("a: n=7 > n=8")
	s.wantChanges()
}

func feedCommitted(s *storeTest) {
	a, b, c := keyOf("a"), keyOf("b"), keyOf("c")
	s.mustCommit(write(a, set(1)), write(b, set(2)))
	s.mustCommit(write(b, is(backend.Present)), write(a, add(1)), write(c, set(3)))
	s.mustCommit(remove(a), write(b, add(1)))
	s.wantChanges("a: none > n=1", "a: n=1 > n=2", "a: n=2 > none", "b: none > n=2", "b: n=2 > n=3", "c: none > n=3")
}

// feedNoChange has writes that change nothing, and writes that are refused.
func feedNoChange(s *storeTest) {
	a, none := keyOf("a"), keyOf("n")
	s.mustPut(write(a, set(1), setText(slotS, "x"), backend.Expiry(future)))
	s.wantChanges(`a: none > n=1 s="x" until 4102444800`)
	s.mustPut(write(a, is(backend.Present)), write(a, set(1)), write(a, add(0), setText(slotS, "x"), backend.Expiry(future)), write(a, unset(slotM)),
		write(a, backend.Effect{Slot: slotN, Op: backend.SetIfAbsent, Num: numOf(9)}), remove(none), write(none, is(backend.Absent)))
	s.mustRefuse(write(a, is(backend.Absent), set(5)), write(none, is(backend.Present), set(5)), remove(a, is(backend.Absent)))
	s.mustCommit(write(a, set(1)), remove(none))
	if err := s.commit(write(none, set(1)), write(a, is(backend.Absent))); err == nil {
		s.Errorf("a commit that should be refused was made")
	}
	s.wantChanges()
}

// feedAgain returns an error from take: nothing is forgotten.
func feedAgain(s *storeTest) {
	s.mustPut(write(keyOf("a"), set(1)), write(keyOf("a"), set(2)), write(keyOf("a"), set(3)))
	for range 3 {
		taken := 0
		s.eventually("the feed has something", func() (any, bool) {
			n, err := s.store.Capabilities().Feed(s.Context(), ourLayout, 2, func(changes []backend.Change) error {
				if taken = len(changes); show(&changes[0].After) != "n=1" {
					s.Errorf("after a failure the feed goes on with %s", show(&changes[0].After))
				}
				return errBroken
			})
			if taken > 0 && (n != 0 || !errors.Is(err, errBroken)) {
				s.Fatalf("Feed after a failure to take: %d, %v", n, err)
			}
			return "nothing", taken > 0
		})
	}
	s.wantChanges("a: none > n=1", "a: n=1 > n=2", "a: n=2 > n=3")
}

func feedPages(s *storeTest) {
	var want []string
	for i := range 40 {
		s.mustPut(write(keyOf("a"), set(i+1)))
		before := "none"
		if i > 0 {
			before = fmt.Sprintf("n=%d", i)
		}
		want = append(want, fmt.Sprintf("a: %s > n=%d", before, i+1))
	}
	s.wantChanges(want...)
}

// feedForgotten has keys without a layout: their changes count, and are not passed on.
func feedForgotten(s *storeTest) {
	for i := range 10 {
		s.mustPut(write(keyOf("a"), set(i)), write(keyOf("b"), set(i)))
	}
	only := func(k backend.Key) *backend.Layout {
		if k.Sort == "b" {
			return layout
		}
		return nil
	}
	seen, counted := 0, 0
	s.eventually("the feed has counted all changes", func() (any, bool) {
		n, err := s.store.Capabilities().Feed(s.Context(), only, 3, func(changes []backend.Change) error {
			for _, c := range changes {
				if seen++; c.Key.Sort != "b" {
					s.Errorf("the feed hands out a change of %v, for which there is no layout", c.Key)
				}
			}
			return nil
		})
		if err != nil {
			s.Fatalf("Feed: %v", err)
		}
		counted += n
		return counted, counted >= 20
	})
	if seen < 10 || counted != 20 && seen == 10 {
		s.Errorf("%d changes were counted and %d handed out, of 20 and 10", counted, seen)
	}
}

// feedInOrder writes from several goroutines: the changes of each key are a chain.
func feedInOrder(s *storeTest) {
	together(workers, func(worker int) {
		for i := range 20 {
			k := keyOf(fmt.Sprint((worker + i) % 3))
			if i%5 == 4 {
				s.committed(write(k, add(1)), write(keyOf("3"), add(1)))
			} else {
				s.applied(write(k, add(1)))
			}
		}
	})
	last, changes := map[byte]string{}, 0
	for _, line := range s.mustDrain(workers*20 + workers*4) {
		var before, after int
		_, err := fmt.Sscanf(line[3:], "n=%d > n=%d", &before, &after)
		if old, known := last[line[0]]; known && (err != nil || old != fmt.Sprint(before)) || !known && line[3:7] != "none" {
			s.Errorf("after n=%s comes %q", old, line)
		}
		if line[3:7] == "none" {
			after = 1
		}
		last[line[0]] = fmt.Sprint(after)
		changes++
	}
	if changes != workers*24 {
		s.Errorf("%d changes came, of %d", changes, workers*24)
	}
}

// feedWhole takes changes while others write: none is lost.
func feedWhole(s *storeTest) {
	var lines []string
	together(2, func(worker int) {
		for i := range 100 {
			if worker == 0 {
				s.applied(write(keyOf("a"), set(i+1)))
				continue
			}
			_, err := s.store.Capabilities().Feed(s.Context(), ourLayout, 3, func(changes []backend.Change) error {
				for j := range changes {
					lines = append(lines, show(&changes[j].After))
				}
				return nil
			})
			if err != nil {
				s.Errorf("Feed: %v", err)
			}
		}
	})
	lines = slices.Compact(lines)
	for range s.mustDrain(100 - len(lines)) {
		lines = append(lines, fmt.Sprintf("n=%d", len(lines)+1))
	}
	for i, line := range lines {
		if line != fmt.Sprintf("n=%d", i+1) || len(lines) != 100 {
			s.Fatalf("change %d of %d is to %s", i, len(lines), line)
		}
	}
}

func feedCancelled(s *storeTest) {
	s.mustPut(write(keyOf("a"), set(1)))
	for what, ctx := range doneContexts(s.Context()) {
		_, err := s.store.Capabilities().Feed(ctx, ourLayout, 1, func([]backend.Change) error {
			s.Errorf("something is handed out with a context %s", what)
			return nil
		})
		if !errors.Is(err, ctx.Err()) {
			s.Errorf("Feed with a context %s: %v", what, err)
		}
	}
	s.wantChanges("a: none > n=1")
}
