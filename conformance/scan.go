package conformance

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

// RunScan proves the promises of [backend.ScanFunc], for stores that have it.
func RunScan(t *testing.T, open Open) {
	run(t, having(open, "Scan", func(c backend.Capabilities) bool { return c.Scan != nil }), []promise{{name: "Scan", cases: scans, power: true, means: "a walk through a namespace finds every key that is there from its beginning to its end, once, and none of another namespace."}})
}

var scans = cases{
	{"All", scanEverything},
	{"Apart", scanApart},
	{"Meanwhile", scanMeanwhile},
	{"Cancelled", scanCancelled},
}

// mustScan scans a namespace and sorts what it finds.
func (s *storeTest) mustScan(namespace string, size int) []backend.Key {
	s.Helper()
	keys, err := scanAll(s.Context(), s.store.Capabilities().Scan, namespace, size)
	if err != nil {
		s.Fatalf("Scan: %v", err)
	}
	slices.SortFunc(keys, backend.Key.Compare)
	return keys
}

func scanEverything(s *storeTest) {
	if keys := s.mustScan(space, 1); len(keys) > 0 {
		s.Errorf("an empty namespace has %v", keys)
	}
	var want []backend.Key
	for i := range 60 {
		k := backend.Key{Namespace: space, Partition: fmt.Sprint("p", i%7), Sort: fmt.Sprint(i)}
		want = append(want, k)
		s.mustPut(write(k, set(i), place("p")))
	}
	s.mustPut(remove(want[59]))
	want = want[:59]
	slices.SortFunc(want, backend.Key.Compare)
	for _, size := range []int{1, 2, 7, 58, 59, 60, 1000} {
		if got := s.mustScan(space, size); !slices.Equal(got, want) {
			s.Errorf("a scan by %d gives %d keys of %d", size, len(got), len(want))
		}
	}
}

func scanApart(s *storeTest) {
	keys := awkward()
	s.mustFill(keys)
	slices.SortFunc(keys, backend.Key.Compare)
	for _, namespace := range s.namespaces {
		var want []backend.Key
		for _, k := range keys {
			if k.Namespace == namespace {
				want = append(want, k)
			}
		}
		for _, size := range []int{1, 3, 1000} {
			if got := s.mustScan(namespace, size); !slices.Equal(got, want) {
				s.Errorf("a scan of %q by %d gives %v, not %v", namespace, size, got, want)
			}
		}
	}
}

// scanMeanwhile removes the keys of each page, as a purge does: no key is missed.
func scanMeanwhile(s *storeTest) {
	for i := range 50 {
		s.mustPut(write(keyOf(fmt.Sprint(i)), set(i)))
	}
	removed := 0
	for after := ""; ; {
		keys, next, err := s.store.Capabilities().Scan(s.Context(), space, after, 7)
		if err != nil {
			s.Fatalf("Scan: %v", err)
		}
		for _, k := range keys {
			s.mustPut(remove(k))
			removed++
		}
		if after = next; next == "" {
			break
		}
	}
	if removed != 50 {
		s.Errorf("%d records were removed while they were scanned, of 50", removed)
	}
}

func scanCancelled(s *storeTest) {
	s.mustPut(write(keyOf("k"), set(1)))
	for what, ctx := range doneContexts(s.Context()) {
		if keys, _, err := s.store.Capabilities().Scan(ctx, space, "", 1); len(keys) > 0 || !errors.Is(err, ctx.Err()) {
			s.Errorf("Scan with a context %s: %v, %v", what, keys, err)
		}
	}
}
