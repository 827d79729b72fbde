package backend

import (
	"math/bits"

	"github.com/zeroae/zae-limiter-go/backend/num"
)

// Enact lets the effects of w happen on r, whose conditions hold and whose layout is the write's. An invalid effect or a
// sum beyond 38 digits is ErrInvalid, a record beyond [MaxRecord] is ErrTooLarge; then r is unchanged. Removal and place are left
// to the store.
func Enact(r *Record, w *Write) error {
	if len(w.Effects) == 0 {
		return nil
	}
	if !r.enactPlain(w) {
		if err := r.enactAny(w); err != nil {
			return err
		}
	}
	r.SetPresent()
	r.SetExpiry(w.Expiry)
	return nil
}

// plainMost is how many effects may be plain; an acquire of three limits has nine.
const plainMost = 10

// enactPlain is for what most writes are: legal, on numbers that are there, few, and of not too many digits. It changes
// nothing where it finds anything else. It calls nothing, so that all is in registers.
func (r *Record) enactPlain(w *Write) (done bool) {
	effects, numbers, fields, some := w.Effects, r.numbers, r.fields, len(w.Layout.numbers)
	if len(effects) > plainMost {
		return false
	}
	var becomes [plainMost]Num
	var changed uint64
	for i := range effects {
		e := &effects[i]
		s := e.Slot & 63
		if int(e.Slot) >= some || fields&^changed>>s&1 == 0 || wide(e.Num)|wide(e.Base) < 0 {
			return false
		}
		n := numbers[s]
		switch e.Op {
		case Set:
			n = e.Num
		case Add:
			n = n.Add(e.Num)
		case AddFrom:
			n = e.from(n)
		default:
			return false
		}
		if wide(n) < 0 {
			return false
		}
		becomes[i] = n
		changed |= 1 << s
	}
	for i := range effects {
		numbers[effects[i].Slot&63] = becomes[i]
	}
	return true
}

// enactAny is for all writes. Nothing happens before all of it can.
func (r *Record) enactAny(w *Write) error {
	var changed uint64
	var grows uint64 // effects on strings, or on fields that are not there
	for i := range w.Effects {
		e := &w.Effects[i]
		if err := e.validateAfter(changed, w.Layout); err != nil {
			return err
		}
		switch n, has := r.Num(e.Slot); {
		case !has:
			grows |= 1 << i
		case e.Op == Add && !n.Add(e.Num).Fits38(), e.Op == AddFrom && !e.from(n).Fits38(): // one that wraps around has 39 digits, too
			return errSum(w, e)
		}
		changed |= 1 << e.Slot
	}
	if grows != 0 {
		if err := feasible(r, w, grows); err != nil {
			return err
		}
	}
	for i := range w.Effects {
		r.enact(&w.Effects[i])
	}
	return nil
}

// from is what AddFrom makes of n.
func (e *Effect) from(n Num) Num {
	return num.Max(n, e.Base).Add(e.Num)
}

// enact lets one effect happen, which can.
func (r *Record) enact(e *Effect) {
	switch n, has := r.Num(e.Slot); {
	case e.Op == Unset:
		r.Unset(e.Slot)
	case e.Op == SetIfAbsent && r.Has(e.Slot):
	case e.Op == Add && has:
		r.SetNum(e.Slot, n.Add(e.Num))
	case e.Op == AddFrom && has:
		r.SetNum(e.Slot, e.from(n))
	case e.Op == Add || e.Op == AddFrom:
		r.SetNum(e.Slot, e.Base.Add(e.Num))
	case e.Slot.IsNumber():
		r.SetNum(e.Slot, e.Num)
	default:
		r.SetText(e.Slot, e.Text)
	}
}

// feasible finds out whether one of the effects, which are on strings or on fields that are not there, would leave the
// limits of numbers and records.
func feasible(r *Record, w *Write, effects uint64) error {
	growth := 0
	for left := effects; left != 0; left &= left - 1 {
		e := &w.Effects[bits.TrailingZeros64(left)]
		text, has := r.Text(e.Slot)
		if has && e.Op == SetIfAbsent {
			continue
		}
		if growth += len(e.Text) - len(text); !r.Has(e.Slot) && e.Op != Unset {
			growth += w.Layout.weight(e.Slot)
		}
		if (e.Op == Add || e.Op == AddFrom) && !e.Base.Add(e.Num).Fits38() {
			return errSum(w, e)
		}
	}
	if growth <= 0 {
		return nil
	}
	if size := r.Size() + growth; size > MaxRecord {
		return tooLarge("a record of %d bytes, at most %d", size, MaxRecord)
	}
	return nil
}

func errSum(w *Write, e *Effect) error {
	return invalid("the sum in %s would have more than 38 digits", w.Layout.Field(e.Slot).Name)
}
