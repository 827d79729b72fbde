package conformance

import (
	"fmt"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
)

// shared proves that many goroutines can use a store at once, and that what they pass belongs to them.
var shared = cases{
	{"Mixed", sharedMixed},
	{"Whole", sharedWhole},
	{"Cold", sharedCold},
	{"CallersOwn", sharedCallersOwn},
	{"RecordsOwn", sharedRecordsOwn},
}

// sharedMixed makes all kinds of calls from several goroutines, each with keys of its own.
func sharedMixed(s *storeTest) {
	together(workers, func(worker int) {
		a, b := keyOf(fmt.Sprint("a", worker)), keyOf(fmt.Sprint("b", worker))
		for i := range 25 {
			sums := s.applied(write(a, set(i), place(a.Sort))) && s.committed(write(a, is(backend.Equal, i), add(1)), write(b, set(-i))) &&
				!s.applied(write(a, is(backend.Equal, i))) && !s.committed(write(b, is(backend.Present), is(backend.Less, -i)), write(a, add(1)))
			r := s.peek(a, b)
			if !sums || show(&r[0]) != fmt.Sprintf("n=%d", i+1) || show(&r[1]) != fmt.Sprintf("n=%d", -i) {
				s.Errorf("worker %d, step %d: as it should be: %v; %s and %s", worker, i, sums, show(&r[0]), show(&r[1]))
			}
			page, err := s.store.List(s.Context(), backend.Query{Namespace: space, Partition: part, From: a.Sort, To: a.Sort + "\x00", Size: 2})
			if err != nil || len(page.Items) != 1 || page.Items[0].Key != a {
				s.Errorf("worker %d, step %d: listed as %v, %v", worker, i, page.Items, err)
			}
			if i%5 == 4 && !(s.applied(remove(a)) && s.committed(remove(b))) {
				s.Errorf("worker %d, step %d: not removed", worker, i)
			}
		}
	})
}

// sharedWhole reads records while they are written: no record is half of one write and half of another.
func sharedWhole(s *storeTest) {
	k, writers := keyOf("k"), atomic.Int64{}
	state := func(i int) backend.Write {
		return write(k, set(i), setNum(slotM, numOf(-i)), setText(slotS, fmt.Sprint(i)), setText(slotB, fmt.Sprint(i)), backend.Expiry(future+int64(i)))
	}
	s.mustPut(state(0))
	writers.Store(2)
	together(4, func(worker int) {
		if worker < 2 {
			for i := range 60 {
				if w := state(2*i + worker); !(i%3 == 0 && s.committed(w) || i%3 > 0 && s.applied(w)) {
					s.Errorf("an unconditional write was refused")
				}
			}
			writers.Add(-1)
			return
		}
		for writers.Load() > 0 {
			r := s.peek(k)
			i := r[0].Int64(slotN)
			if want := fmt.Sprintf(`n=%d m=%d s="%d" b="%d" until %d`, i, -i, i, i, future+i); show(&r[0]) != want {
				s.Errorf("read %s, not %s", show(&r[0]), want)
				return
			}
		}
	})
}

// sharedCold makes the first calls of all kinds at the same time.
func sharedCold(s *storeTest) {
	together(workers, func(worker int) {
		switch worker % 4 {
		case 0:
			s.peek(keyOf("k"), keyOf("other"))
		case 1:
			s.applied(write(keyOf("k"), add(1), place("k")))
		case 2:
			s.committed(write(keyOf("k"), add(1)), write(keyOf("other"), add(1), place("other")))
		case 3:
			for _, indexed := range []bool{true, false} {
				if _, err := s.store.List(s.Context(), backend.Query{Namespace: space, Partition: part, Index: indexed, Size: 5}); err != nil {
					s.Errorf("List: %v", err)
				}
			}
		}
	})
	s.want(keyOf("k"), "n=4")
	s.want(keyOf("other"), "n=2")
}

// sharedCallersOwn changes the slices of a write after the call has returned.
func sharedCallersOwn(s *storeTest) {
	a, b := keyOf("a"), keyOf("b")
	writes := []backend.Write{
		write(a, backend.Cond{Slot: slotN, Op: backend.Absent}, set(1), setText(slotS, "x"), place("a")),
		write(b, backend.Cond{Slot: slotN, Op: backend.Absent}, set(2), setText(slotS, "x")),
	}
	spoil := func() {
		for i := range writes {
			w := &writes[i]
			w.Conds[0] = is(backend.Equal, -1)
			w.Effects[0], w.Effects[1] = set(-1), setText(slotS, "spoilt")
			if w.Index != nil {
				*w.Index = place("spoilt")
			}
			*w = write(keyOf("spoilt"), set(-1))
		}
	}
	if err := s.store.Apply(s.Context(), writes, make([]backend.Outcome, 2)); err != nil {
		s.Fatalf("Apply: %v", err)
	}
	spoil()
	s.want(a, `n=1 s="x"`)
	s.want(b, `n=2 s="x"`)
	writes = []backend.Write{write(a, is(backend.Present), add(1), setText(slotS, "y"), place("a")), write(b, is(backend.Present), add(1), setText(slotS, "y"))}
	if err := s.store.Commit(s.Context(), token(), writes); err != nil {
		s.Fatalf("Commit: %v", err)
	}
	spoil()
	s.want(a, `n=2 s="y"`)
	s.want(b, `n=3 s="y"`)
	if items := s.mustList(backend.Query{Namespace: space, Partition: part, Size: 5}); len(items) != 2 || items[0].Key != a || items[1].Key != b {
		s.Errorf("two records are listed as %v", items)
	}
	s.wantIndex(index, []backend.Key{a})
}

// sharedRecordsOwn changes the records that a store has filled.
func sharedRecordsOwn(s *storeTest) {
	k := keyOf("k")
	spoil := func(r *backend.Record) {
		r.SetNum(slotN, numOf(-1))
		r.SetText(slotS, "spoilt")
		r.SetNum(slotM, numOf(-1))
		r.SetExpiry(1)
	}
	out := s.mustApply(write(k, set(1), setText(slotS, "x")))
	spoil(&out.Record)
	s.want(k, `n=1 s="x"`)
	r := s.mustRead(k, k)
	spoil(&r[0])
	s.wantRecord("the same key in another place", &r[1], `n=1 s="x"`)
	s.want(k, `n=1 s="x"`)
	out = s.mustApply(write(k, is(backend.Less, 0)))
	spoil(&out.Record)
	s.want(k, `n=1 s="x"`)
	s.mustPut(write(k, is(backend.Equal, 1), add(1)))
	s.want(k, `n=2 s="x"`)
}
