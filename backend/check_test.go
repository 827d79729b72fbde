package backend_test

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/num"
)

var plain = backend.NewLayout("plain", backend.Field{Name: "a"}, backend.Field{Name: "t", Kind: backend.Text},
	backend.Field{Name: "b"}, backend.Field{Name: "c"}, backend.Field{Name: "u", Kind: backend.Bytes})

var slots = plain.Slots()

// pick is one of a few values, so that they meet.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func number(r *rand.Rand) backend.Num {
	most, _ := num.Parse("99999999999999999999999999999999999999")
	n := pick(r, backend.Int(r.Int64N(3)), most, most.Sub(backend.Int(1)), num.FromParts(1<<62, 0), num.FromParts(1<<62-1, 7), backend.Int(1<<62))
	if r.IntN(40) == 0 {
		n = most.Add(backend.Int(1 + r.Int64N(2)))
	}
	return pick(r, n, n.Neg(), backend.Int(r.Int64N(5)))
}

func randomWrite(r *rand.Rand) *backend.Write {
	w := &backend.Write{Layout: plain, Expiry: backend.Expiry(r.IntN(3) - 1)}
	slot := func() backend.Slot {
		if r.IntN(60) == 0 {
			return backend.Slot(r.IntN(256))
		}
		return pick(r, slots...)
	}
	for range r.IntN(4) {
		w.Conds = append(w.Conds, backend.Cond{
			Slot: slot(), Op: backend.Op(1 + r.IntN(8)), OrAbsent: r.IntN(2) == 0,
			A: number(r), B: number(r), Text: pick(r, "", "x"),
		})
	}
	for range 1 + r.IntN(3) {
		w.Effects = append(w.Effects, backend.Effect{
			Slot: slot(), Op: backend.EffectOp(1 + r.IntN(5)), Num: number(r),
			Base: number(r), Text: pick(r, "", "x", "longer", "\xff"),
		})
	}
	return w
}

// values are a record as anybody would keep it.
type values map[backend.Slot]any

func valuesOf(rec *backend.Record) values {
	v := values{}
	for _, s := range slots {
		if n, ok := rec.Num(s); ok {
			v[s] = n
		} else if t, ok := rec.Text(s); ok {
			v[s] = t
		}
	}
	return v
}

func (v values) holds(c *backend.Cond) bool {
	value, there := v[c.Slot]
	if !there {
		return c.OrAbsent || c.Op == backend.Absent || c.Op == backend.NotEqual
	}
	against := any(c.A)
	if !c.Slot.IsNumber() {
		against = c.Text
	}
	n, _ := value.(backend.Num)
	a, b := n.Cmp(c.A), n.Cmp(c.B)
	return map[backend.Op]bool{
		backend.Present: true, backend.Equal: value == against, backend.NotEqual: value != against,
		backend.Less: a < 0, backend.AtMost: a <= 0, backend.AtLeast: a >= 0, backend.Between: a >= 0 && b <= 0,
	}[c.Op]
}

// apply is false where a sum has more than 38 digits.
func (v values) apply(e *backend.Effect) bool {
	old, there := v[e.Slot]
	switch {
	case e.Op == backend.Unset:
		delete(v, e.Slot)
	case e.Op == backend.Add || e.Op == backend.AddFrom:
		n := e.Base
		if there && (e.Op == backend.Add || n.Less(old.(backend.Num))) {
			n = old.(backend.Num)
		}
		sum := new(big.Int).Add(n.Big(), e.Num.Big())
		v[e.Slot], _ = num.FromBig(sum)
		return len(new(big.Int).Abs(sum).String()) <= 38
	case e.Op == backend.SetIfAbsent && there:
	case e.Slot.IsNumber():
		v[e.Slot] = e.Num
	default:
		v[e.Slot] = e.Text
	}
	return true
}

// checkAndApply is CheckAndApply as anybody would write it; valid tells whether there was nothing to complain about.
func (v values) checkAndApply(w *backend.Write) (after values, applied, valid bool) {
	for i := range w.Conds {
		if !v.holds(&w.Conds[i]) {
			return v, false, true
		}
	}
	after = values{}
	for s, value := range v {
		after[s] = value
	}
	for i := range w.Effects {
		if !after.apply(&w.Effects[i]) {
			return v, false, false
		}
	}
	return after, true, true
}

func TestCheckAndApply(t *testing.T) {
	r := rand.New(rand.NewPCG(38, 128))
	var rec, before backend.Record
	rec.Reset(plain)
	counts := map[string]int{}
	for range 300_000 {
		w := randomWrite(r)
		if r.IntN(20) == 0 {
			rec.Reset(plain)
		}
		before.CopyFrom(&rec)
		want, wantApplied, valid := valuesOf(&rec), false, w.ValidateBody() == nil
		if valid {
			want, wantApplied, valid = want.checkAndApply(w)
		}
		applied, err := backend.CheckAndApply(&rec, w)
		if applied != wantApplied || (err == nil) != valid || err != nil && !errors.Is(err, backend.ErrInvalid) {
			t.Fatalf("%+v on %v: applied %v, %v, not %v, %v", w, valuesOf(&before), applied, err, wantApplied, valid)
		}
		got := valuesOf(&rec)
		if len(got) != len(want) {
			t.Fatalf("%+v on %v gives %v, not %v", w, valuesOf(&before), got, want)
		}
		for s, value := range want {
			if got[s] != value {
				t.Fatalf("%+v on %v gives %v, not %v", w, valuesOf(&before), got, want)
			}
		}
		if !applied && !rec.Equal(&before) {
			t.Fatalf("%+v took no effect and changed %v", w, valuesOf(&before))
		}
		counts[map[bool]string{true: "applied", false: "not"}[applied]+map[bool]string{true: "", false: ", invalid"}[valid]]++
	}
	for _, kind := range []string{"applied", "not", "not, invalid"} {
		if counts[kind] < 10_000 {
			t.Errorf("the writes are one-sided: %v", counts)
		}
	}
}
