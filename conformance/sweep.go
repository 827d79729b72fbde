package conformance

import (
	"errors"
	"fmt"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

// RunSweep proves the promises of [backend.SweepFunc], for stores that have it.
func RunSweep(t *testing.T, open Open) {
	run(t, having(open, "Sweep", func(c backend.Capabilities) bool { return c.Sweep != nil }), []promise{{name: "Sweep", cases: sweeps, power: true, means: "records whose expiry lies before now are dropped, with their index entries, and no others."}})
}

var sweeps = cases{
	{"Expired", sweepExpired},
	{"Moved", sweepMoved},
	{"Views", sweepViews},
	{"Memo", sweepMemo},
	{"Busy", sweepBusy},
	{"Cancelled", sweepCancelled},
}

// mustSweep sweeps until nothing is left to sweep, and returns how many records were dropped.
func (s *storeTest) mustSweep(now int64) int {
	s.Helper()
	for all := 0; ; {
		n, err := s.store.Capabilities().Sweep(s.Context(), now)
		if err != nil || n < 0 || all > 100_000 {
			s.Fatalf("Sweep: %d, %v", n, err)
		}
		if all += n; n == 0 {
			return all
		}
	}
}

// wantThere compares which records are present.
func (s *storeTest) wantThere(what string, want map[string]bool) {
	s.Helper()
	for sort, there := range want {
		if r := s.mustRead(keyOf(sort)); r[0].Present() != there {
			s.Errorf("%s: %q is there: %v", what, sort, r[0].Present())
		}
	}
}

func sweepExpired(s *storeTest) {
	if n := s.mustSweep(future); n != 0 {
		s.Errorf("of an empty store %d records are swept", n)
	}
	s.mustPut(write(keyOf("at 999"), set(1), backend.Expiry(999)), write(keyOf("at 1000"), set(1), backend.Expiry(1000)),
		write(keyOf("at 2000"), set(1), backend.Expiry(2000)), write(keyOf("never"), set(1), backend.NoExpiry), write(keyOf("unsaid"), set(1)),
		write(keyOf("huge"), set(1), backend.Expiry(1<<40)))
	for _, step := range []struct {
		now     int64
		swept   int
		at1000  bool
		at2000  bool
		at999   bool
		comment string
	}{
		{999, 0, true, true, true, "at the first instant"},
		{1000, 1, true, true, false, "a second later"},
		{500, 0, true, true, false, "with a clock that runs backwards"},
		{5000, 2, false, false, false, "long after"},
	} {
		if n := s.mustSweep(step.now); n != step.swept {
			s.Errorf("%s: %d records were swept, of %d", step.comment, n, step.swept)
		}
		s.wantThere(step.comment, map[string]bool{
			"at 999": step.at999, "at 1000": step.at1000, "at 2000": step.at2000, "never": true, "unsaid": true, "huge": true,
		})
	}
}

// sweepMoved has expiries that were changed later.
func sweepMoved(s *storeTest) {
	for i, e := range []backend.Expiry{2000, backend.NoExpiry, backend.KeepExpiry, 500} {
		k := keyOf(fmt.Sprint(i))
		s.mustPut(write(k, set(1), backend.Expiry(1000)), write(k, set(2), e))
	}
	again := keyOf("again")
	s.mustPut(write(again, set(1), backend.Expiry(1000)), remove(again), write(again, set(2)))
	if n := s.mustSweep(800); n != 1 {
		s.Errorf("%d records were swept, of one", n)
	}
	s.wantThere("one was brought forward", map[string]bool{"0": true, "1": true, "2": true, "3": false, "again": true})
	if n := s.mustSweep(1500); n != 1 {
		s.Errorf("%d records were swept, of one", n)
	}
	s.wantThere("two were put off", map[string]bool{"0": true, "1": true, "2": false, "3": false, "again": true})
}

// sweepViews sweeps many records, which must disappear from listings, too.
func sweepViews(s *storeTest) {
	var stay []backend.Key
	for i := range 300 {
		k, e := keyOf(fmt.Sprintf("%03d", i)), backend.Expiry(1000)
		if i%100 == 0 {
			e = backend.NoExpiry
			stay = append(stay, k)
		}
		s.mustPut(write(k, set(i), e, place(k.Sort)))
	}
	if n := s.mustSweep(2000); n != 297 {
		s.Errorf("%d records were swept, of 297", n)
	}
	s.wantSorts(backend.Query{Namespace: space, Partition: part}, []string{"000", "100", "200"}, 2, 10)
	s.wantIndex(index, stay)
}

// sweepMemo writes with the memo of a record that was swept.
func sweepMemo(s *storeTest) {
	k := keyOf("k")
	writes, out := []backend.Write{write(k, add(1), backend.Expiry(1000))}, make([]backend.Outcome, 1)
	for range 3 {
		if err := s.store.Apply(s.Context(), writes, out); err != nil {
			s.Fatalf("Apply: %v", err)
		}
		s.want(k, "n=1 until 1000")
		s.mustSweep(1001)
		s.want(k, "none")
	}
}

// sweepBusy sweeps while others put off the expiry with each write: no record whose expiry was put off may be dropped.
func sweepBusy(s *storeTest) {
	together(4, func(worker int) {
		for i := range 100 {
			if worker == 0 {
				if _, err := s.store.Capabilities().Sweep(s.Context(), int64(1000+i)); err != nil {
					s.Errorf("Sweep: %v", err)
				}
				continue
			}
			k := keyOf(fmt.Sprint(worker))
			if !s.applied(write(k, add(1), backend.Expiry(2000+i))) || worker == 1 && !s.committed(write(k, is(backend.Present), add(0))) {
				s.Errorf("a write beside a sweep was refused")
			}
		}
	})
	for worker := 1; worker < 4; worker++ {
		s.want(keyOf(fmt.Sprint(worker)), "n=100 until 2099")
	}
}

func sweepCancelled(s *storeTest) {
	s.mustPut(write(keyOf("k"), set(1), backend.Expiry(1000)))
	for what, ctx := range doneContexts(s.Context()) {
		if n, err := s.store.Capabilities().Sweep(ctx, 2000); n != 0 || !errors.Is(err, ctx.Err()) {
			s.Errorf("Sweep with a context %s: %d, %v", what, n, err)
		}
	}
	s.wantThere("a sweep was cancelled", map[string]bool{"k": true})
}
