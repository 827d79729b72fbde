package conformance

import (
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
)

// allOrNothing proves that a commit applies all its writes or none.
var allOrNothing = cases{
	{"All", commitAll},
	{"Nothing", commitNothing},
	{"Sum", commitSum},
	{"Most", commitMost},
	{"Resent", commitResent},
}

func commitAll(s *storeTest) {
	a, b, c := keyOf("a"), keyOf("b"), backend.Key{Namespace: space, Partition: "elsewhere", Sort: "c"}
	s.mustPut(write(a, set(1)), write(b, set(2)))
	s.mustCommit(write(a, is(backend.Equal, 1), add(10)), remove(b, is(backend.Equal, 2)), write(c, is(backend.Absent), set(3)))
	records := s.mustRead(a, b, c)
	for i, want := range []string{"n=11", "none", "n=3"} {
		if got := show(&records[i]); got != want {
			s.Errorf("record %d of a commit is %s, not %s", i, got, want)
		}
	}
}

// commitNothing has commits of which each write fails in turn.
func commitNothing(s *storeTest) {
	keys := keysOf("a", "b", "c", "d", "new")
	s.mustPut(write(keys[0], set(0)), write(keys[1], set(1), backend.Expiry(future), place("b")), write(keys[2], set(2)), write(keys[3], set(3)))
	for i := range 5 {
		writes := []backend.Write{
			write(keys[0], add(7), place("a")), write(keys[1], setText(slotS, "x"), backend.NoExpiry, place("moved")), remove(keys[2]),
			write(keys[3], is(backend.Equal, 3)), write(keys[4], set(4)),
		}
		writes[i].Conds = []backend.Cond{is(backend.Equal, 99)}
		s.unchanged(fmt.Sprintf("write %d of a commit was refused", i), keys, func() {
			if err := s.commit(writes...); err == nil {
				s.Fatalf("write %d of a commit should be refused: no error", i)
			}
		})
	}
	items := s.mustList(backend.Query{Namespace: space, Partition: part, Size: 10})
	if len(items) != 4 {
		s.Errorf("%d keys are listed, there were 4 records: %v", len(items), items)
	}
}

// commitSum has a write whose conditions hold and whose effects no store can apply.
func commitSum(s *storeTest) {
	keys := keysOf("a", "b", "c")
	s.mustPut(write(keys[0], set(1)), write(keys[1], setNum(slotN, number(nines))))
	s.unchanged("a sum of a commit has 39 digits", keys, func() {
		err := s.commit(write(keys[0], add(1)), write(keys[1], backend.Effect{Slot: slotN, Op: backend.Add, Num: number(nines)}), write(keys[2], set(1)))
		if err == nil {
			s.Errorf("a commit with a sum of 39 digits: no error")
		}
	})
}

// commitMost has as many writes as a commit may have, of which the last is refused.
func commitMost(s *storeTest) {
	var keys []backend.Key
	var writes []backend.Write
	for i := range backend.MaxCommit {
		keys = append(keys, keyOf(fmt.Sprint(i)))
		writes = append(writes, write(keys[i], is(backend.Absent), set(i)))
	}
	s.mustPut(write(keys[backend.MaxCommit-1], set(-1)))
	s.unchanged("the last of a hundred was refused", keys, func() {
		if err := s.commit(writes...); err == nil {
			s.Errorf("a commit of which the last write is refused: no error")
		}
	})
	s.mustPut(write(keys[backend.MaxCommit-1], unset(slotN)))
	s.mustCommit(writes...)
	for i, r := range s.mustRead(keys...) {
		if r.Int64(slotN) != int64(i) || !r.Has(slotN) {
			s.Errorf("record %d of a commit of a hundred is %s", i, show(&r))
		}
	}
}

// commitResent sends a commit again after it was applied, with its token and with another one. Stores that remember tokens
// accept the first, others check its conditions again, and none applies it twice.
func commitResent(s *storeTest) {
	a, b := keyOf("a"), keyOf("b")
	s.mustPut(write(a, set(1)))
	writes, same := []backend.Write{write(b, is(backend.Absent), set(1)), write(a, add(1))}, token()
	if err := s.store.Commit(s.Context(), same, writes); err != nil {
		s.Fatalf("Commit: %v", err)
	}
	s.unchanged("a commit was sent again under its token", keysOf("a", "b"), func() {
		if err := s.store.Commit(s.Context(), same, writes); err != nil && !errors.Is(err, backend.ErrConflict) {
			s.Errorf("a commit sent again under its token: %v", err)
		}
	})
	s.unchanged("a commit was sent again under another token", keysOf("a", "b"), func() {
		if err := s.commit(writes...); err == nil {
			s.Errorf("a commit sent again under another token was not judged")
		}
	})
}

func verdictConflict(s *storeTest) {
	a, b, none := keyOf("a"), keyOf("b"), keyOf("none")
	s.mustPut(write(a, set(1)), write(b, set(2), setText(slotS, "x"), backend.Expiry(future)))
	for _, c := range []struct {
		writes []backend.Write
		index  int
		record string
	}{
		{[]backend.Write{write(a, set(1)), write(b, is(backend.Equal, 3), set(9))}, 1, `n=2 s="x" until 4102444800`},
		{[]backend.Write{remove(b, is(backend.Equal, 3)), write(a, set(9))}, 0, `n=2 s="x" until 4102444800`},
		{[]backend.Write{write(a, set(1)), write(b, set(2)), write(none, is(backend.Present))}, 2, "none"},
		{[]backend.Write{write(a, is(backend.Absent))}, 0, "n=1"},
	} {
		err := s.commit(c.writes...)
		var conflict *backend.ConflictError
		if !errors.As(err, &conflict) {
			s.Fatalf("a refused commit: %v, no *ConflictError", err)
		}
		if conflict.Index != c.index || conflict.Key != c.writes[c.index].Key {
			s.Errorf("the conflict names write %d on %v; it was %d on %v", conflict.Index, conflict.Key, c.index, c.writes[c.index].Key)
		}
		s.wantRecord("a refused commit", &conflict.Record, c.record)
	}
}

// verdictAnyConflict has several writes that are refused, of which any one may be named.
func verdictAnyConflict(s *storeTest) {
	var writes []backend.Write
	for i := range 6 {
		k := keyOf(fmt.Sprint(i))
		s.mustPut(write(k, set(i)))
		writes = append(writes, write(k, is(backend.Equal, i+i%2), set(99))) // the odd ones fail
	}
	err := s.commit(writes...)
	var conflict *backend.ConflictError
	if !errors.As(err, &conflict) {
		s.Fatalf("a refused commit: %v, no *ConflictError", err)
	}
	if i := conflict.Index; i < 0 || i >= len(writes) || i%2 == 0 || conflict.Key != writes[i].Key {
		s.Fatalf("the conflict names write %d on %v", conflict.Index, conflict.Key)
	}
	s.wantRecord("a commit refused for several reasons", &conflict.Record, fmt.Sprintf("n=%d", conflict.Index))
}
