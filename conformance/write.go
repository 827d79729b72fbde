package conformance

import (
	"fmt"
	"math/big"
	"slices"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
)

// verdict proves that a write is refused exactly if a condition does not hold, and returns its record either way.
var verdict = cases{
	{"Numbers", verdictNumbers},
	{"Between", verdictBetween},
	{"Texts", verdictTexts},
	{"AllConditions", verdictAll},
	{"Refused", verdictRefused},
	{"Applied", verdictApplied},
	{"Reused", verdictReused},
	{"Distinct", verdictDistinct},
	{"Conflict", verdictConflict},
	{"AnyConflict", verdictAnyConflict},
}

// compares says for which signs of (field − bound) a condition holds.
var compares = map[backend.Op][]int{
	backend.Present: {-1, 0, 1}, backend.Absent: {}, backend.Equal: {0}, backend.NotEqual: {-1, 1},
	backend.Less: {-1}, backend.AtMost: {-1, 0}, backend.AtLeast: {0, 1},
}

// missing says whether a condition holds if the field is missing.
func missing(op backend.Op) bool { return op == backend.Absent || op == backend.NotEqual }

func verdictNumbers(s *storeTest) {
	s.mustPut(write(keyOf("no field"), setText(slotS, "")))
	for _, bound := range []string{"0", "-5", "9223372036854775808", "-18446744073709551616", nines[:37] + "8"} {
		for d := -1; d <= 1; d++ {
			s.mustPut(write(keyOf(fmt.Sprint("at ", d)), setNum(slotN, number(bound).Add(numOf(d)))))
		}
		for op, signs := range compares {
			for _, orAbsent := range []bool{false, true} {
				c := backend.Cond{Slot: slotN, Op: op, OrAbsent: orAbsent, A: number(bound)}
				for d := -1; d <= 1; d++ {
					s.wantHolds(keyOf(fmt.Sprint("at ", d)), c, slices.Contains(signs, d))
				}
				s.wantHolds(keyOf("no field"), c, orAbsent || missing(op))
				s.wantHolds(keyOf("no record"), c, orAbsent || missing(op))
			}
		}
	}
}

// wantHolds tries one condition, alone and in a commit.
func (s *storeTest) wantHolds(key backend.Key, c backend.Cond, want bool) {
	s.Helper()
	what := fmt.Sprintf("condition %d (or absent: %v; %v, %v, %q) %s", c.Op, c.OrAbsent, c.A, c.B, c.Text, key.Sort)
	if got := s.mustApply(write(key, c)).Applied; got != want {
		s.Errorf("%s: holds is %v", what, got)
	}
	if err := s.commit(write(key, c)); (err == nil) != want {
		s.Errorf("%s, in a commit: %v", what, err)
	}
}

func verdictBetween(s *storeTest) {
	s.mustPut(write(keyOf("no field"), setText(slotS, "")))
	values := []string{"-" + nines, "-1", "0", "1", "5", "6", nines[:37] + "8", nines}
	for _, low := range values {
		for _, high := range values {
			a, _ := new(big.Int).SetString(low, 10)
			b, _ := new(big.Int).SetString(high, 10)
			if a.Cmp(b) > 0 {
				continue
			}
			c := backend.Cond{Slot: slotN, Op: backend.Between, A: number(low), B: number(high)}
			for _, value := range values {
				v, _ := new(big.Int).SetString(value, 10)
				s.mustPut(write(keyOf(value), setNum(slotN, number(value))))
				s.wantHolds(keyOf(value), c, a.Cmp(v) <= 0 && v.Cmp(b) <= 0)
			}
			s.wantHolds(keyOf("no field"), c, false)
			s.wantHolds(keyOf("no record"), c, false)
			c.OrAbsent = true
			s.wantHolds(keyOf("no field"), c, true)
			s.wantHolds(keyOf("no record"), c, true)
		}
	}
}

func verdictTexts(s *storeTest) {
	s.mustPut(write(keyOf("no field"), set(0)))
	for _, value := range []string{"", "x", "\x00", "é"} {
		s.mustPut(write(keyOf("k"), setText(slotS, value), setText(slotB, value)))
		for _, other := range []string{"", "x", "X", "\x00", "e\u0301"} {
			for _, slot := range []backend.Slot{slotS, slotB} {
				for op, want := range map[backend.Op]bool{
					backend.Present: true, backend.Absent: false, backend.Equal: value == other, backend.NotEqual: value != other,
				} {
					c := backend.Cond{Slot: slot, Op: op, Text: other}
					s.wantHolds(keyOf("k"), c, want)
					s.wantHolds(keyOf("no field"), c, missing(op))
					s.wantHolds(keyOf("no record"), c, missing(op))
					c.OrAbsent = true
					s.wantHolds(keyOf("k"), c, want)
					s.wantHolds(keyOf("no field"), c, true)
				}
			}
		}
	}
}

// verdictAll has several conditions in one write, also on one field.
func verdictAll(s *storeTest) {
	k := keyOf("k")
	s.mustPut(write(k, set(5), setText(slotS, "x")))
	yes := []backend.Cond{is(backend.AtLeast, 5), is(backend.AtMost, 5), {Slot: slotS, Op: backend.Equal, Text: "x"}, {Slot: slotM, Op: backend.Absent}}
	no := []backend.Cond{is(backend.Less, 5), is(backend.NotEqual, 5), {Slot: slotS, Op: backend.Absent}, {Slot: slotM, Op: backend.Present}}
	w := write(k)
	w.Conds = yes
	s.mustPut(w)
	for i := range yes {
		w.Conds = slices.Clone(yes)
		w.Conds[i] = no[i]
		s.mustRefuse(w)
	}
}

func verdictRefused(s *storeTest) {
	k, none := keyOf("k"), keyOf("none")
	s.mustPut(write(k, set(5), setText(slotS, "x"), backend.Expiry(future)))
	for _, w := range []backend.Write{
		write(k, is(backend.Less, 5)), write(k, is(backend.Less, 5), set(9), place("p")), remove(k, is(backend.Absent)),
		// The conditions do not hold, so that the effects, which no store could apply, do not matter.
		write(k, is(backend.Less, 5), backend.Effect{Slot: slotN, Op: backend.Add, Num: number(nines)}),
	} {
		out := s.mustApply(w)
		if out.Applied {
			s.Fatalf("a write was not refused")
		}
		s.wantRecord("refused", &out.Record, `n=5 s="x" until 4102444800`)
	}
	for _, w := range []backend.Write{write(none, is(backend.Present), set(1)), remove(none, is(backend.Present))} {
		out := s.mustApply(w)
		s.wantRecord("refused on no record", &out.Record, "none")
	}
}

func verdictApplied(s *storeTest) {
	k := keyOf("k")
	for _, step := range []struct {
		w    backend.Write
		want string
	}{
		{write(k, is(backend.Absent)), "none"},
		{write(k, set(5), setText(slotS, "x")), `n=5 s="x"`},
		{write(k, is(backend.Equal, 5)), `n=5 s="x"`},
		{write(k, add(-8), setText(slotT, ""), backend.Expiry(future)), `n=-3 s="x" t="" until 4102444800`},
		{write(k, unset(slotS), setNum(slotM, numOf(1)), backend.Expiry(future)), `n=-3 m=1 t="" until 4102444800`},
		{write(k, unset(slotM), unset(slotT), unset(slotN), backend.NoExpiry), "empty"},
		{remove(k, is(backend.Absent)), "none"},
		{remove(k), "none"},
	} {
		out := s.mustApply(step.w)
		if !out.Applied {
			s.Fatalf("a write was refused, before it should be %s", step.want)
		}
		s.wantRecord("applied", &out.Record, step.want)
	}
}

// verdictReused passes the same outcomes to several calls, which set other records in them.
func verdictReused(s *storeTest) {
	small := backend.NewLayout("small", backend.Field{Name: "a", Kind: backend.Number}, backend.Field{Name: "z", Kind: backend.Text})
	a, z, out := small.MustSlot("a"), small.MustSlot("z"), make([]backend.Outcome, 1)
	other := backend.Key{Namespace: space, Partition: "small", Sort: "k"}
	for _, step := range []struct {
		w    backend.Write
		want string
	}{
		{write(keyOf("k"), set(5), setText(slotT, "x"), backend.Expiry(future)), `n=5 t="x" until 4102444800`},
		{write(other, small, setNum(a, numOf(1))), "a=1"},
		{write(keyOf("k"), is(backend.Less, 0)), `n=5 t="x" until 4102444800`},
		{write(other, small, setText(z, "")), `a=1 z=""`},
		{write(keyOf("none"), is(backend.Present)), "none"},
		{backend.Write{Key: other, Layout: small, Remove: true}, "none"},
	} {
		if err := s.store.Apply(s.Context(), []backend.Write{step.w}, out); err != nil || out[0].Err != nil {
			s.Fatalf("Apply: %v, %v", err, out[0].Err)
		}
		s.wantRecord("an outcome used again", &out[0].Record, step.want)
	}
}

// verdictDistinct adds from several goroutines: every outcome has the sum of its own moment. A refusal has a record on which
// the condition fails.
func verdictDistinct(s *storeTest) {
	k, seen := keyOf("k"), [workers * 20]atomic.Int64{}
	together(workers, func(int) {
		for range 20 {
			out, err := s.one(write(k, add(1)))
			n := out.Record.Int64(slotN)
			if err != nil || n < 1 || n > int64(len(seen)) || seen[n-1].Add(1) != 1 {
				s.Errorf("an addition answers %d, which another did, too, or is no sum: %v", n, err)
				return
			}
			out, err = s.one(write(k, is(backend.Equal, int(n))))
			if now := out.Record.Int64(slotN); err != nil || out.Applied != (now == n) || now < n {
				s.Errorf("a condition for %d: holds is %v, with a record of %d: %v", n, out.Applied, now, err)
			}
		}
	})
}
