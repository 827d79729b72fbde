package conformance

import (
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
)

// views proves that listings are in order, in both directions, and complete across pages.
var views = cases{
	{"Primary", viewsPrimary},
	{"Index", viewsIndex},
	{"Bounds", viewsBounds},
	{"IndexBounds", viewsIndexBounds},
	{"After", viewsAfter},
	{"EqualPlaces", viewsEqualPlaces},
	{"Moves", viewsMoves},
	{"Goes", viewsGoes},
	{"Large", viewsLarge},
	{"NeverInvents", viewsNeverInvents},
}

// sorts are in the order of their bytes, which is neither the order of letters nor that of UTF-16.
var sorts = []string{
	"\x00", "\x00\x00", "\x00a", "\x01", " ", "#", "%", "/", "0", "1", "10", "2", ":", "A", "B", "\\", "_", "a", "a\x00", "a\x00b",
	"a ", "a#", "a/b", "aa", "b", "|", "~", "\x7f", "é", "日", "\uffff", "\U00010000", "\U0010ffff",
}

// backwards returns a reversed copy.
func backwards[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// wantSorts lists all of q, in both directions, in pages of several sizes. An index listing may lag, but is never out of
// order.
func (s *storeTest) wantSorts(q backend.Query, want []string, sizes ...int) {
	s.Helper()
	for _, q.Size = range sizes {
		for _, q.Reverse = range []bool{false, true} {
			expected := want
			if q.Reverse {
				expected = backwards(want)
			}
			got := sortsOf(s.mustList(q))
			if q.Index {
				s.eventually(fmt.Sprintf("the index lists all of %q", want), func() (any, bool) {
					got = sortsOf(s.mustList(q))
					return got, len(got) == len(want) || !ordered(got, q.Reverse)
				})
			}
			if !slices.Equal(got, expected) {
				s.Fatalf("in pages of %d, backwards %v, from %q to %q:\n got %q\nwant %q", q.Size, q.Reverse, q.From, q.To, got, expected)
			}
		}
	}
}

func ordered(sorts []string, reverse bool) bool {
	if reverse {
		sorts = backwards(sorts)
	}
	return slices.IsSorted(sorts)
}

// mustSpread creates a record for each of sorts, in random order, and other records that are not in their listing.
func (s *storeTest) mustSpread(sorts []string) {
	s.Helper()
	for i := range sorts {
		sort := sorts[i*7%len(sorts)] // each of them once: no list here is a multiple of seven long
		s.mustPut(write(keyOf(sort), set(i), place(sort)))
	}
	for _, partition := range []string{"par", "part2", "part\x00", "index"} {
		s.mustPut(write(backend.Key{Namespace: space, Partition: partition, Sort: "a"}, set(0)))
		s.mustPut(write(backend.Key{Namespace: space, Partition: partition, Sort: "b"}, set(0), backend.Place{Partition: part, Sort: "b"}))
	}
}

func viewsPrimary(s *storeTest) {
	q := backend.Query{Namespace: space, Partition: part, Size: 10}
	s.wantSorts(q, nil, 1)
	s.mustSpread(sorts)
	s.wantSorts(q, sorts, 1, 2, 3, len(sorts)-1, len(sorts), len(sorts)+1, backend.MaxPage)
	for _, item := range s.mustList(q) {
		if item.Key != keyOf(item.Sort) {
			s.Errorf("a primary listing gives %v under %q", item.Key, item.Sort)
		}
	}
}

func viewsIndex(s *storeTest) {
	q := backend.Query{Namespace: space, Partition: index, Index: true, Size: 10}
	s.wantSorts(q, nil, 1)
	s.mustSpread(sorts)
	s.wantSorts(q, sorts, 1, 2, 3, len(sorts)-1, len(sorts), len(sorts)+1, backend.MaxPage)
	for _, item := range s.mustList(q) {
		if item.Key != keyOf(item.Sort) {
			s.Errorf("an index listing gives %v under %q", item.Key, item.Sort)
		}
	}
}

func viewsBounds(s *storeTest) { s.tryBounds(backend.Query{Namespace: space, Partition: part}) }

func viewsIndexBounds(s *storeTest) {
	s.tryBounds(backend.Query{Namespace: space, Partition: index, Index: true})
}

func (s *storeTest) tryBounds(q backend.Query) {
	few := []string{"\x00", "A", "a", "a\x00", "aa", "b", "é", "\U00010000"}
	s.mustSpread(few)
	for _, from := range append([]string{"", "\x01", "a ", "z"}, few...) {
		for _, to := range append([]string{"", "a ", "z", "\U0010ffff"}, few...) {
			if to != "" && to < from {
				continue
			}
			var want []string
			for _, sort := range few {
				if sort >= from && (to == "" || sort < to) {
					want = append(want, sort)
				}
			}
			q.From, q.To = from, to
			s.wantSorts(q, want, 2, backend.MaxPage)
		}
	}
}

// viewsAfter continues behind keys that exist, that were removed, and that are before the bounds.
func viewsAfter(s *storeTest) {
	few := []string{"a", "b", "c", "d", "e"}
	s.mustSpread(few)
	s.mustPut(remove(keyOf("c")))
	for _, q := range []backend.Query{{Namespace: space, Partition: part}, {Namespace: space, Partition: index, Index: true}} {
		for _, c := range []struct {
			after, from, to string
			reverse         bool
			want            []string
		}{
			{"a", "", "", false, []string{"b", "d", "e"}},
			{"a", "", "", true, nil},
			{"c", "", "", false, []string{"d", "e"}},
			{"c", "", "", true, []string{"b", "a"}},
			{"e", "", "", false, nil},
			{"e", "b", "e", true, []string{"d", "b"}},
			{"b", "b", "e", false, []string{"d"}},
			{"b", "b", "e", true, nil},
			{"d", "b", "e", true, []string{"b"}},
			{"a", "b", "e", false, []string{"b", "d"}},
			{"d", "", "d", false, nil},
		} {
			q.After, q.From, q.To, q.Reverse, q.Size = &backend.Item{Key: keyOf(c.after), Sort: c.after}, c.from, c.to, c.reverse, 2
			var got []string
			look := func() (any, bool) { got = sortsOf(s.mustList(q)); return got, slices.Equal(got, c.want) }
			if q.Index {
				s.eventually(fmt.Sprintf("the index lists %q behind %q", c.want, c.after), look)
			} else if _, right := look(); !right {
				s.Errorf("behind %q, backwards %v, from %q to %q: %q, not %q", c.after, c.reverse, c.from, c.to, got, c.want)
			}
		}
	}
}
