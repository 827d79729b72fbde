package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
)

// errorsPromise proves that errors are those of the contract.
var errorsPromise = cases{
	{"Classes", errorsClasses},
	{"Grown", errorsGrown},
	{"EveryOutcome", errorsEveryOutcome},
	{"Conflict", errorsConflict},
	{"Unreadable", errorsUnreadable},
}

// sentinels are the errors that an error of a store can match. It matches one of them, and perhaps ctx's error, too.
var sentinels = []error{
	backend.ErrInvalid, backend.ErrTooLarge, backend.ErrClosed, backend.ErrUnavailable, backend.ErrOutcomeUnknown,
	backend.ErrRejected, backend.ErrContention, backend.ErrThrottled, backend.ErrConflict,
}

// wantClass checks the class of an error, if there is one; that there is one is proved by another promise.
func (s *storeTest) wantClass(what string, err, want error) {
	s.Helper()
	if err == nil {
		return
	}
	for _, class := range sentinels {
		if is := errors.Is(err, class); is != errors.Is(want, class) {
			s.Errorf("%s: the error is %q, is %q: %v", what, err, class, is)
		}
	}
}

// tooLarge are those of badKeys and badWrites that are too large and otherwise valid.
var tooLarge = map[string]bool{
	"a long namespace": true, "a long partition": true, "a long sort": true, "a sort of many bytes": true,
	"a text larger than any record": true, "bytes larger than any record": true, "a listing of a long name": true,
	"a condition on a larger text": true,
}

func classOf(what string) error {
	if tooLarge[what] {
		return backend.ErrTooLarge
	}
	return backend.ErrInvalid
}

func errorsClasses(s *storeTest) {
	writes := badWrites()
	if !s.store.Capabilities().Max {
		writes["adding to the greater of two"] = write(keyOf("k"), addFrom("0", "1"))
	}
	for what, k := range badKeys {
		writes[what] = write(k, set(1))
		r := make([]backend.Record, 1)
		r[0].Reset(layout)
		s.wantClass(what+", Read", s.store.Read(s.Context(), []backend.Key{k}, r), classOf(what))
	}
	for what, w := range writes {
		out := make([]backend.Outcome, 1)
		s.wantClass(what, s.store.Apply(s.Context(), []backend.Write{w}, out), classOf(what))
		s.wantClass(what+", the outcome", out[0].Err, classOf(what))
		s.wantClass(what+", Commit", s.store.Commit(s.Context(), token(), []backend.Write{w}), classOf(what))
	}
	s.wantClass("an empty commit", s.commit(), backend.ErrInvalid)
	s.wantClass("two writes on one key", s.commit(write(keyOf("k"), set(1)), write(keyOf("k"), set(2))), backend.ErrInvalid)
	many := make([]backend.Write, backend.MaxCommit+1)
	for i := range many {
		many[i] = write(keyOf(fmt.Sprint(i)), set(i))
	}
	s.wantClass("a commit of a hundred and one", s.commit(many...), backend.ErrTooLarge)
	for _, q := range []backend.Query{{Size: 0}, {Size: 1, From: "b", To: "a"}, {Size: 1, From: "a\xff"}, {Size: 1, To: "a\xff"}} {
		q.Namespace, q.Partition = space, part
		_, err := s.store.List(s.Context(), q)
		s.wantClass("a query", err, backend.ErrInvalid)
	}
}

// errorsGrown has writes that are too much only because of what the record holds.
func errorsGrown(s *storeTest) {
	k, most := keyOf("k"), strings.Repeat("x", backend.MaxRecord-100)
	s.mustPut(write(k, setNum(slotN, number(nines)), setText(slotS, most)))
	for what, c := range map[string]struct {
		effect backend.Effect
		class  error
	}{
		"a sum of 39 digits": {backend.Effect{Slot: slotN, Op: backend.Add, Num: number(nines)}, backend.ErrInvalid},
		"a record too large": {setText(slotB, most), backend.ErrTooLarge},
	} {
		out := make([]backend.Outcome, 1)
		s.wantClass(what, s.store.Apply(s.Context(), []backend.Write{write(k, c.effect)}, out), c.class)
		s.wantClass(what+", the outcome", out[0].Err, c.class)
		s.wantClass(what+", Commit", s.commit(write(k, c.effect)), c.class)
	}
}

// errorsEveryOutcome wants an error of the whole call in every outcome, too.
func errorsEveryOutcome(s *storeTest) {
	writes := []backend.Write{write(keyOf("a"), set(1)), write(keyOf("b")), write(keyOf("c"), set(1))}
	out := make([]backend.Outcome, 3)
	s.wantClass("an empty write between others", s.store.Apply(s.Context(), writes, out), backend.ErrInvalid)
	for i, o := range out {
		if o.Applied {
			s.Errorf("outcome %d of a call that was refused: applied", i)
		}
		s.wantClass(fmt.Sprintf("outcome %d of a call that was refused", i), o.Err, backend.ErrInvalid)
	}
}

func errorsConflict(s *storeTest) {
	err := s.commit(write(keyOf("a"), set(1)), write(keyOf("k"), is(backend.Present)))
	s.wantClass("a refused commit", err, backend.ErrConflict)
	var conflict *backend.ConflictError
	if !errors.As(err, &conflict) {
		s.Errorf("a refused commit: %v is no *ConflictError", err)
	}
}

// errorsUnreadable reads records of another layout beside others: the error names them, and the others are read. A removal
// without conditions removes them, and one with conditions cannot.
func errorsUnreadable(s *storeTest) {
	odd := backend.NewLayout("odd", backend.Field{Name: "n"}, backend.Field{Name: "z"})
	in := func(sort string) backend.Key { return backend.Key{Namespace: "odd", Partition: part, Sort: sort} }
	effect := setNum(odd.MustSlot("z"), numOf(1))
	s.mustPut(write(in("a"), set(1)), write(in("b"), odd, effect), write(in("c"), set(3)), write(in("d"), odd, effect, place("d")))
	keys := []backend.Key{in("a"), in("b"), in("none"), in("c"), in("d"), in("b")}
	for n, want := range map[int][]int{len(keys): {1, 4, 5}, 2: {1}} {
		out := make([]backend.Record, n)
		for i := range out {
			out[i].Reset(layout)
		}
		err := s.store.Read(s.Context(), keys[:n], out)
		var unreadable *backend.UnreadableError
		if !errors.As(err, &unreadable) || !errors.Is(err, backend.ErrInvalid) || !slices.Equal(unreadable.Indexes, want) {
			s.Fatalf("Read of %d records, of which %v cannot be read: %v (%+v)", n, want, err, unreadable)
		}
		for i, want := range []string{"n=1", "", "none", "n=3", "", ""}[:n] {
			if want != "" {
				s.wantRecord(fmt.Sprintf("record %d beside unreadable ones", i), &out[i], want)
			}
		}
	}
	refused, err := s.one(remove(in("b"), is(backend.Equal, 9)))
	s.wantClass("a removal with a condition", err, backend.ErrInvalid)
	if refused.Applied || err == nil {
		s.Errorf("a removal with a condition on what cannot be read: applied %v, %v", refused.Applied, err)
	}
	s.mustPut(remove(in("b")))
	s.mustCommit(remove(in("d")), write(in("c"), add(1)))
	s.want(in("b"), "none")
	s.want(in("d"), "none")
	s.want(in("c"), "n=4")
}
