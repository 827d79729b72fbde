package bolt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
)

const aDay = 24 * 3600

// sweepAll sweeps until nothing is dropped any more.
func sweepAll(t *testing.T, s *bolt.Store, now int64) {
	t.Helper()
	for {
		n, err := s.Sweep(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		if n > 1000 {
			t.Fatalf("one call has dropped %d records: others wait for it", n)
		}
		if n == 0 {
			return
		}
	}
}

// applyMany makes writes, a hundred in a call.
func applyMany(t *testing.T, s *bolt.Store, writes []backend.Write) {
	t.Helper()
	for len(writes) > 0 {
		n := min(100, len(writes))
		if err := s.Apply(t.Context(), writes[:n], make([]backend.Outcome, n)); err != nil {
			t.Fatal(err)
		}
		writes = writes[n:]
	}
}

// TestFileLevelsOff writes new records each day, which expire a day later: from the third day on the pages of those that
// were swept hold the new ones.
func TestFileLevelsOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := mustOpen(t, path, &bolt.Options{NoSync: true})
	var sizes []int64
	for day := range int64(8) {
		now := 2_000_000_000 + day*aDay
		writes := make([]backend.Write, 4000)
		for i := range writes {
			w := acquire(keyOf(int(day)*len(writes) + i*7919%len(writes)))
			w.Expiry = backend.Expiry(now + aDay + 60)
			w.Index = &backend.Place{Partition: "e", Sort: fmt.Sprint(day, i)}
			writes[i] = w
		}
		for half := range 2 {
			applyMany(t, s, writes[half*2000:][:2000])
			sweepAll(t, s, now)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size())
	}
	if first, last := sizes[3], sizes[len(sizes)-1]; last > first+first/4 {
		t.Errorf("the file grows: %v", sizes)
	}
}
