package conformance

import (
	"fmt"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

// RunDurable proves that what was acknowledged is there after a store was closed and opened again. It calls fresh once for each
// subtest. The Open that fresh returns opens the same records each time, and none the first time. The suite closes a store
// before it opens the next one.
func RunDurable(t *testing.T, fresh func(t testing.TB) Open) {
	durable := promise{name: "Durable", power: true, means: "what was acknowledged is there after the store was closed and opened again."}
	t.Run(durable.name, func(t *testing.T) {
		t.Parallel()
		explain(t, durable.failed())
		for _, c := range durables {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				open := fresh(t)
				s := newStoreTest(t, open)
				c.prove(s, func() {
					s.mustClose()
					s.store = open(t)
				})
			})
		}
	})
}

var durables = []struct {
	name  string
	prove func(s *storeTest, reopen func())
}{
	{"Records", durableRecords},
	{"Removed", durableRemoved},
	{"Refused", durableRefused},
	{"Views", durableViews},
	{"Concurrent", durableConcurrent},
	{"Layout", durableLayout},
	{"Powers", durablePowers},
}

func durableRecords(s *storeTest, reopen func()) {
	want := map[string]string{
		"a": "n=" + nines, "b": `s="" b="\xff\x00"`, "c": "empty until 4102444800", "d": "n=-1 m=0 until 4102444800",
	}
	check := func() {
		for sort, text := range want {
			s.want(keyOf(sort), text)
		}
	}
	s.mustPut(write(keyOf("a"), setNum(slotN, number(nines))), write(keyOf("b"), setText(slotS, ""), setText(slotB, "\xff\x00")))
	s.mustCommit(write(keyOf("c"), unset(slotN), backend.Expiry(future)), write(keyOf("d"), add(-1), setNum(slotM, numOf(0)), backend.Expiry(future)))
	reopen()
	check()
	reopen()
	check()
	s.mustPut(write(keyOf("a"), add(-9)))
	want["a"] = "n=" + nines[1:] + "0"
	reopen()
	check()
}

func durableRemoved(s *storeTest, reopen func()) {
	a, b := keyOf("a"), keyOf("b")
	s.mustPut(write(a, set(1), place("a"), backend.Expiry(future)), write(b, set(1), place("b")))
	reopen()
	s.mustPut(remove(a))
	s.mustCommit(remove(b))
	reopen()
	s.want(a, "none")
	s.want(b, "none")
	s.wantSorts(backend.Query{Namespace: space, Partition: part}, nil, 5)
	s.mustPut(write(a, set(2)))
	reopen()
	s.want(a, "n=2")
	s.wantIndex(index, nil, a, b)
}

// durableRefused has writes that were refused beside others that were applied.
func durableRefused(s *storeTest, reopen func()) {
	a, b, c := keyOf("a"), keyOf("b"), keyOf("c")
	writes := []backend.Write{write(a, set(1)), write(b, is(backend.Present), set(1))}
	if err := s.store.Apply(s.Context(), writes, make([]backend.Outcome, 2)); err != nil {
		s.Fatalf("Apply: %v", err)
	}
	if err := s.commit(write(c, set(1)), write(b, is(backend.Present))); err == nil {
		s.Fatalf("a commit that should be refused was made")
	}
	reopen()
	s.want(a, "n=1")
	s.want(b, "none")
	s.want(c, "none")
}

func durableViews(s *storeTest, reopen func()) {
	s.mustSpread(sorts)
	reopen()
	s.wantSorts(backend.Query{Namespace: space, Partition: part}, sorts, 3, backend.MaxPage)
	s.wantSorts(backend.Query{Namespace: space, Partition: index, Index: true}, sorts, 3, backend.MaxPage)
	s.mustPut(write(keyOf("a"), add(1)), write(keyOf("b"), add(1), backend.Place{Partition: "moved", Sort: "b"}))
	reopen()
	s.indexes = append(s.indexes, "moved")
	s.wantIndex("moved", []backend.Key{keyOf("b")})
}

// durableConcurrent counts what was acknowledged to several goroutines.
func durableConcurrent(s *storeTest, reopen func()) {
	for round := 1; round <= 2; round++ {
		together(workers, func(worker int) {
			for i := range 20 {
				k := keyOf(fmt.Sprint(i % 3))
				if worker%4 == 0 && !s.committed(write(k, add(1)), write(keyOf("all"), add(1))) || worker%4 > 0 && !s.applied(write(k, add(1))) {
					s.Errorf("an unconditional write was refused")
				}
			}
		})
		reopen()
		s.want(keyOf("0"), fmt.Sprintf("n=%d", round*workers*7))
		s.want(keyOf("1"), fmt.Sprintf("n=%d", round*workers*7))
		s.want(keyOf("2"), fmt.Sprintf("n=%d", round*workers*6))
		s.want(keyOf("all"), fmt.Sprintf("n=%d", round*workers/4*20))
	}
}

// durableLayout reads with the layout of another program: the same fields in another order, and one more.
func durableLayout(s *storeTest, reopen func()) {
	s.namespaces = nil
	s.mustPut(write(keyOf("k"), set(1), setNum(slotM, numOf(2)), setText(slotS, "x"), setText(slotB, "\xff"), backend.Expiry(future)))
	reopen()
	next := backend.NewLayout("conformance",
		backend.Field{Name: "b", Kind: backend.Bytes}, backend.Field{Name: "new", Kind: backend.Number},
		backend.Field{Name: "m", Kind: backend.Number}, backend.Field{Name: "t", Kind: backend.Text},
		backend.Field{Name: "s", Kind: backend.Text}, backend.Field{Name: "n", Kind: backend.Number})
	r := s.mustReadAs(next, keyOf("k"))
	s.wantRecord("a layout with the same names", &r[0], `m=2 n=1 b="\xff" s="x" until 4102444800`)
	w := write(keyOf("k"), next, backend.Effect{Slot: next.MustSlot("n"), Op: backend.Add, Num: numOf(5)}, setNum(next.MustSlot("new"), numOf(7)))
	s.mustPut(w)
	reopen()
	r = s.mustReadAs(next, keyOf("k"))
	s.wantRecord("a layout with one more name", &r[0], `new=7 m=2 n=6 b="\xff" s="x" until 4102444800`)
}

// durablePowers checks the powers of the store: what was not taken, swept or scanned still can be.
func durablePowers(s *storeTest, reopen func()) {
	s.mustPut(write(keyOf("a"), set(1), backend.Expiry(1000)), write(keyOf("b"), set(1)), write(keyOf("b"), add(1)))
	reopen()
	if s.store.Capabilities().Scan != nil {
		if keys := s.mustScan(space, 1); len(keys) != 2 {
			s.Errorf("a scan finds %v", keys)
		}
	}
	if s.store.Capabilities().Feed != nil {
		s.wantChanges("a: none > n=1 until 1000", "b: none > n=1", "b: n=1 > n=2")
		reopen()
		s.wantChanges()
	}
	if s.store.Capabilities().Sweep != nil {
		if n := s.mustSweep(2000); n != 1 {
			s.Errorf("%d records were swept, of one", n)
		}
		reopen()
		s.wantThere("swept", map[string]bool{"a": false, "b": true})
	}
}
