package conformance

import (
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
)

// apart proves that different keys stay different, whatever characters they have.
var apart = cases{
	{"Namespaces", apartNamespaces},
	{"Keys", apartKeys},
	{"Lists", apartLists},
	{"Indexes", apartIndexes},
}

// odd are characters with which drivers join or escape.
var odd = []string{"/", "#", "|", "\\", "%", ":", "\x00", "\x01", "\xc3\xbf", " ", ".", "~", "_", "\U0010ffff"}

// apartNamespaces uses the same partitions and sorts in several namespaces.
func apartNamespaces(s *storeTest) {
	spaces := []string{"a", "A", "b", "a ", " a", "é", "e\u0301", "a\x00"}
	s.namespaces = spaces
	in := func(namespace string) backend.Key {
		return backend.Key{Namespace: namespace, Partition: part, Sort: "k"}
	}
	for i, namespace := range spaces {
		s.mustPut(write(in(namespace), is(backend.Absent), set(i), place("k")))
	}
	for i, namespace := range spaces {
		s.want(in(namespace), fmt.Sprintf("n=%d", i))
	}
	s.mustPut(remove(in("a")))
	s.mustCommit(write(in("A"), add(100)), write(in("b"), is(backend.Equal, 2), add(100)))
	for i, want := range []string{"none", "n=101", "n=102", "n=3", "n=4", "n=5", "n=6", "n=7"} {
		s.want(in(spaces[i]), want)
	}
}

// awkward are keys that are easily confused when their parts are joined.
func awkward() []backend.Key {
	var keys []backend.Key
	for _, c := range odd {
		for _, k := range [][3]string{
			{"a", "b" + c + "c", "d"},
			{"a" + c + "b", "c", "d"},
			{"a", "b", "c" + c + "d"},
			{"a", "b" + c, "c"},
			{"a", "b", c + "c"},
			{"a" + c, "b", "c"},
			{"a", c + "b", "c"},
			{c, c, c},
			{c + c, c, c},
			{c, c + c, c},
			{c, c, c + c},
		} {
			keys = append(keys, backend.Key{Namespace: k[0], Partition: k[1], Sort: k[2]})
		}
	}
	return append(keys, backend.Key{Namespace: "a", Partition: "%2F", Sort: "x"}, backend.Key{Namespace: "a", Partition: "\\/", Sort: "x"},
		backend.Key{Namespace: "a", Partition: "\\\\/", Sort: "x"}, backend.Key{Namespace: "a", Partition: "~1", Sort: "x"})
}

func (s *storeTest) mustFill(keys []backend.Key) {
	s.Helper()
	s.namespaces = nil
	for i, k := range keys {
		s.mustPut(write(k, is(backend.Absent), set(i+1), place(k.Sort)))
		if !slices.Contains(s.namespaces, k.Namespace) {
			s.namespaces = append(s.namespaces, k.Namespace)
		}
	}
}

func apartKeys(s *storeTest) {
	keys := awkward()
	s.mustFill(keys)
	for i, k := range keys {
		s.want(k, fmt.Sprintf("n=%d", i+1))
	}
	for i := range keys {
		if i%2 == 0 {
			s.mustPut(remove(keys[i]))
		}
	}
	for i, k := range keys {
		if there := s.mustRead(k)[0].Int64(slotN) == int64(i+1); there != (i%2 == 1) {
			s.Errorf("every other record was removed: %v is there: %v", k, there)
		}
	}
}

// apartLists lists every partition of awkward keys: each has its own keys, unchanged.
func apartLists(s *storeTest) {
	keys := awkward()
	s.mustFill(keys)
	for _, k := range keys {
		var want []backend.Key
		for _, other := range keys {
			if other.Namespace == k.Namespace && other.Partition == k.Partition {
				want = append(want, other)
			}
		}
		slices.SortFunc(want, backend.Key.Compare)
		var got []backend.Key
		for _, item := range s.mustList(backend.Query{Namespace: k.Namespace, Partition: k.Partition, Size: backend.MaxPage}) {
			got = append(got, item.Key)
		}
		if !slices.Equal(got, want) {
			s.Errorf("the partition of %v lists %v, not %v", k, got, want)
		}
	}
}

// apartIndexes has places that are easily confused with one another, and with primary partitions.
func apartIndexes(s *storeTest) {
	var keys []backend.Key
	var places []backend.Place
	for i, c := range odd {
		for j, p := range []backend.Place{{Partition: "b" + c + "c", Sort: "d"}, {Partition: "b", Sort: "c" + c + "d"}, {Partition: c, Sort: c}, {Partition: c + c, Sort: c}} {
			k := backend.Key{Namespace: "a", Partition: "p" + c, Sort: fmt.Sprint(i, j)}
			other := backend.Key{Namespace: "b", Partition: p.Partition, Sort: k.Sort}
			keys, places = append(keys, k, other), append(places, p, p)
			s.mustPut(write(k, set(i), p), write(other, set(i), p))
		}
	}
	for i, k := range keys {
		var want []backend.Key
		for j, other := range keys {
			if other.Namespace == k.Namespace && places[j].Partition == places[i].Partition {
				want = append(want, other)
			}
		}
		q := backend.Query{Namespace: k.Namespace, Partition: places[i].Partition, Index: true, Size: backend.MaxPage}
		s.eventually(fmt.Sprintf("the index partition %q has its own keys", q.Partition), func() (any, bool) {
			items := s.mustList(q)
			for _, item := range items {
				if !slices.Contains(want, item.Key) {
					s.Fatalf("the index partition %q of %q lists %v, of another", q.Partition, q.Namespace, item.Key)
				}
			}
			return items, len(items) == len(want)
		})
	}
}
