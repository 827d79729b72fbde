package conformance

import (
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
)

// wantIndex waits until the suite's index partition lists these keys in this order. Until then it may list no other keys than
// candidates.
func (s *storeTest) wantIndex(partition string, want []backend.Key, candidates ...backend.Key) {
	s.Helper()
	q := backend.Query{Namespace: space, Partition: partition, Index: true, Size: 3}
	var got []backend.Key
	s.eventually(fmt.Sprintf("the index lists %v", want), func() (any, bool) {
		got = nil
		for _, item := range s.mustList(q) {
			got = append(got, item.Key)
			if !slices.Contains(want, item.Key) && !slices.Contains(candidates, item.Key) {
				s.Fatalf("the index has invented %v", item.Key)
			}
		}
		return got, slices.Equal(got, want)
	})
}

// viewsEqualPlaces has equal places: all their records are listed once, whatever the size of pages.
func viewsEqualPlaces(s *storeTest) {
	var keys []backend.Key
	for _, partition := range []string{"A", "a", "a\x00", "aa", "b", "é"} {
		for _, sort := range []string{"\x00", "B", "a", "ab", "b"} {
			keys = append(keys, backend.Key{Namespace: space, Partition: partition, Sort: sort})
		}
	}
	for i := range keys {
		s.mustPut(write(keys[i*7%len(keys)], set(i), place("same")))
	}
	q := backend.Query{Namespace: space, Partition: index, Index: true}
	for _, q.Size = range []int{1, 4, 29, 30, 31} {
		for _, q.Reverse = range []bool{false, true} {
			var got []backend.Key
			s.eventually("the index lists all equal places", func() (any, bool) {
				got = nil
				for _, item := range s.mustList(q) {
					got = append(got, item.Key)
				}
				return got, len(got) == len(keys)
			})
			slices.SortFunc(got, backend.Key.Compare)
			if !slices.Equal(got, keys) {
				s.Fatalf("in pages of %d, backwards %v: equal places are listed as\n%v, not\n%v", q.Size, q.Reverse, got, keys)
			}
		}
	}
}

func viewsMoves(s *storeTest) {
	a, b, c := keyOf("a"), keyOf("b"), keyOf("c")
	s.indexes = append(s.indexes, "other")
	s.mustPut(write(a, set(1), place("1")), write(b, set(1), place("2")), write(c, set(1)))
	s.wantIndex(index, []backend.Key{a, b})
	s.mustPut(write(a, add(1)), write(b, add(1), backend.Expiry(future))) // keeps
	s.wantIndex(index, []backend.Key{a, b})
	s.mustPut(write(a, add(1), place("3"))) // moves
	s.wantIndex(index, []backend.Key{b, a})
	s.mustPut(write(a, add(1), place("3"))) // the same again
	s.mustPut(write(c, set(1), place("0"))) // comes late
	s.wantIndex(index, []backend.Key{c, b, a})
	s.mustCommit(write(a, add(1), backend.Place{Partition: "other", Sort: "1"}), write(b, unset(slotN)))
	s.wantIndex(index, []backend.Key{c, b}, a)
	s.wantIndex("other", []backend.Key{a})
	s.mustRefuse(write(b, is(backend.Present), set(5), place("9")))
	s.wantIndex(index, []backend.Key{c, b})
	// The caller changes the place after the write.
	w := write(c, add(1), place("5"))
	s.mustPut(w)
	w.Index.Partition, w.Index.Sort = "other", "0"
	s.wantIndex(index, []backend.Key{b, c})
	s.wantIndex("other", []backend.Key{a})
}

func viewsGoes(s *storeTest) {
	a, b, c := keyOf("a"), keyOf("b"), keyOf("c")
	s.mustPut(write(a, set(1), place("1")), write(b, set(1), place("2")), write(c, set(1), place("3")))
	s.wantIndex(index, []backend.Key{a, b, c})
	s.mustPut(remove(a))
	s.mustCommit(remove(c))
	s.wantIndex(index, []backend.Key{b}, a, c)
	s.wantSorts(backend.Query{Namespace: space, Partition: part}, []string{"b"}, 2)
	s.mustPut(write(a, set(2))) // a new life, without the place of the former
	s.wantIndex(index, []backend.Key{b})
	s.wantSorts(backend.Query{Namespace: space, Partition: part}, []string{"a", "b"}, 2)
	s.mustPut(write(a, set(3), place("9")))
	s.wantIndex(index, []backend.Key{b, a})
}

// viewsLarge has more records than a page may hold.
func viewsLarge(s *storeTest) {
	var writes []backend.Write
	var want []string
	for i := range backend.MaxPage + 1 {
		sort := fmt.Sprintf("%04d", i)
		writes, want = append(writes, write(keyOf(sort), set(i), place(sort))), append(want, sort)
	}
	if err := s.store.Apply(s.Context(), writes, make([]backend.Outcome, len(writes))); err != nil {
		s.Fatalf("Apply of %d writes: %v", len(writes), err)
	}
	q := backend.Query{Namespace: space, Partition: part, Size: backend.MaxPage}
	if got := sortsOf(s.mustList(q)); !slices.Equal(got, want) {
		s.Errorf("of %d records %d are listed", len(want), len(got))
	}
	q.Partition, q.Index = index, true
	s.eventually("the index lists all records", func() (any, bool) {
		got := sortsOf(s.mustList(q))
		return got, slices.Equal(got, want)
	})
}

// viewsNeverInvents lists while records are created and removed.
func viewsNeverInvents(s *storeTest) {
	stay, comes := keyOf("m"), keyOf("n")
	s.mustPut(write(stay, set(0), place("m")))
	s.wantIndex(index, []backend.Key{stay})
	together(2, func(worker int) {
		for i := range 50 {
			if worker == 1 {
				s.wantAround(stay, comes)
				continue
			}
			w := write(comes, set(i), place("n"))
			if i%2 == 1 {
				w = remove(comes)
			}
			if out, err := s.one(w); err != nil || !out.Applied {
				s.Errorf("Apply: %v", err)
			}
		}
	})
}

// wantAround wants listings to have a record that stays, and perhaps one that is created and removed.
func (s *storeTest) wantAround(stay, comes backend.Key) {
	for _, q := range []backend.Query{{Namespace: space, Partition: part, Size: 9}, {Namespace: space, Partition: index, Index: true, Size: 9}} {
		page, err := s.store.List(s.Context(), q)
		if err != nil || page.More {
			s.Errorf("List: more %v, %v", page.More, err)
		}
		for i, item := range page.Items {
			if i == 0 && item.Key != stay || i == 1 && item.Key != comes || i > 1 {
				s.Errorf("List gives %v at %d", item.Key, i)
			}
		}
		if len(page.Items) == 0 {
			s.Errorf("List does not give a record that stays")
		}
	}
}
