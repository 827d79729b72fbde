package conformance

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

// RunMax proves the promise of Max in [backend.Capabilities], for stores that have it.
func RunMax(t *testing.T, open Open) {
	run(t, having(open, "Max", func(c backend.Capabilities) bool { return c.Max }), []promise{{name: "Max", cases: greater, power: true, means: "the effect AddFrom adds to the field or to its base, whichever is greater, in one step with the conditions."}})
}

var greater = cases{
	{"Applied", maxApplied},
	{"Committed", maxCommitted},
	{"Refused", maxRefused},
	{"OneMoment", maxOneMoment},
}

// nextToNines is the second largest number.
const nextToNines = "99999999999999999999999999999999999998"

// maxTable has what AddFrom makes of a field, which is "" if it is missing, and "" if the sum has more than 38 digits. The sum
// with the lesser number does not matter, however large it is.
var maxTable = []struct{ field, base, num, want string }{
	{"7", "5", "1", "8"},
	{"7", "9", "1", "10"},
	{"7", "7", "1", "8"},
	{"7", "9", "0", "9"},
	{"7", "5", "0", "7"},
	{"7", "-9", "-20", "-13"},
	{"-7", "-9", "1", "-6"},
	{"-7", "-5", "1", "-4"},
	{"-7", "0", "-1", "-1"},
	{"0", "-1", "0", "0"},
	{"", "9", "1", "10"},
	{"", "-9", "1", "-8"},
	{"", "0", "0", "0"},
	{"18446744073709551615", "18446744073709551616", "1", "18446744073709551617"},
	{"18446744073709551616", "9223372036854775808", "1", "18446744073709551617"},
	{"-18446744073709551616", "-1", "1", "0"},
	{nextToNines, "5", "1", nines},
	{"5", nextToNines, "1", nines},
	{"", nextToNines, "1", nines},
	{"-" + nextToNines, "-" + nines, "-1", "-" + nines},
	{"-" + nines, "-" + nextToNines, "-1", "-" + nines},
	{nines, "-" + nines, "-" + nines, "0"},
	{"-" + nines, nines, "-" + nines, "0"},
	{"5", "-" + nines, "-1", "4"},
	{"-" + nines, "5", "-1", "4"},
	{nines, "5", "1", ""},
	{"5", nines, "1", ""},
	{"", nines, "1", ""},
	{nines, nines, nines, ""},
	{nextToNines, "0", "2", ""},
	{"0", nextToNines, "2", ""},
	{"-" + nines, "-" + nines, "-1", ""},
	{"", "-" + nines, "-" + nines, ""},
}

func maxApplied(s *storeTest) {
	s.tryMax(func(w, beside backend.Write, want string) error {
		out, err := s.one(w)
		if err == nil {
			s.wantRecord("applied", &out.Record, want)
			s.mustPut(beside)
		}
		return err
	})
}

func maxCommitted(s *storeTest) {
	s.tryMax(func(w, beside backend.Write, _ string) error { return s.commit(beside, w) })
}

// tryMax sends each row to a record with other fields, which other effects change, and to no record if the field is missing. If
// a row is refused, nothing may change.
func (s *storeTest) tryMax(send func(w, beside backend.Write, want string) error) {
	for i, row := range maxTable {
		there, none, beside := keyOf(fmt.Sprint("there ", i)), keyOf(fmt.Sprint("none ", i)), keyOf(fmt.Sprint("beside ", i))
		s.mustPut(write(there, setNum(slotM, numOf(1)), setText(slotT, "gone")), write(beside, set(1)))
		if row.field != "" {
			s.mustPut(write(there, setNum(slotN, number(row.field))))
		}
		all := []backend.Effect{
			{Slot: slotM, Op: backend.Add, Num: numOf(1), Base: numOf(10)}, addFrom(row.base, row.num), setText(slotS, "x"), unset(slotT),
		}
		rows := map[backend.Key]string{there: "n=" + row.want + ` m=2 s="x"`}
		if row.field == "" {
			rows[none] = "n=" + row.want + ` m=11 s="x"`
		}
		for k, want := range rows {
			what := fmt.Sprintf("%q, at least %s, and %s", row.field, row.base, row.num)
			if row.want != "" {
				if err := send(write(k, all), write(beside, set(2)), want); err != nil {
					s.Errorf("%s: %v", what, err)
				}
				s.want(k, want)
				s.want(beside, "n=2")
				continue
			}
			s.unchanged(what, []backend.Key{k, beside}, func() {
				err := send(write(k, all), write(beside, set(3)), want)
				if err == nil {
					s.Errorf("%s: no error", what)
				}
				s.wantClass(what, err, backend.ErrInvalid)
			})
		}
	}
}

// maxRefused has conditions that do not hold: the sum does not matter.
func maxRefused(s *storeTest) {
	k := keyOf("k")
	s.mustPut(write(k, set(7)))
	s.mustRefuse(write(k, is(backend.Less, 7), addFrom("9", "1")), write(k, is(backend.Less, 7), addFrom(nines, "1")))
	if err := s.commit(write(k, addFrom("9", "1")), write(keyOf("none"), is(backend.Present))); err == nil {
		s.Errorf("a commit that should be refused was made")
	}
	s.want(k, "n=7")
}

// maxOneMoment adds from several goroutines: for one of them the base is greater, and no sum is lost.
func maxOneMoment(s *storeTest) {
	const base = 1000
	k, seen := keyOf("k"), [workers * 20]atomic.Bool{}
	s.mustPut(write(k, set(7)))
	together(workers, func(worker int) {
		for range 20 {
			w := write(k, addFrom(fmt.Sprint(base), "1"))
			if worker == 0 {
				s.committed(w)
				continue
			}
			out, err := s.one(w)
			n := out.Record.Int64(slotN) - base
			if err != nil || n < 1 || n > int64(len(seen)) || seen[n-1].Swap(true) {
				s.Errorf("an addition answers %d, which another did, too, or is no sum: %v", n+base, err)
				return
			}
		}
	})
	s.want(k, fmt.Sprintf("n=%d", base+len(seen)))
}
