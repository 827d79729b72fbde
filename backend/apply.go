package backend

import (
	"math/bits"

	"github.com/zeroae/zae-limiter-go/backend/num"
)

// CheckAndApply checks the conditions of w on r, and applies its effects if they hold. It reports whether they did. It does
// what [Write.ValidateBody], [Check] and [Apply] do one after the other, faster; r has the layout of the write. On an error
// r is unchanged. Removal and place are left to the store.
func CheckAndApply(r *Record, w *Write) (applied bool, err error) {
	if err := w.validateFrame(); err != nil {
		return false, err
	}
	for i := r.hold(w, 0); i < len(w.Conds); i = r.hold(w, i) {
		c := &w.Conds[i]
		if err := c.validate(w.Layout); err != nil {
			return false, err
		}
		if i++; !c.holds(r) {
			return false, validateRest(w, i)
		}
	}
	if err := Apply(r, w); err != nil {
		return false, err
	}
	return true, nil
}

// hold returns the index of the first condition, from the i-th on, that does not hold or that it does not know. It calls
// hardly anything, so that everything stays in registers.
func (r *Record) hold(w *Write, i int) int {
	conds, numbers, fields, some := w.Conds, r.numbers, r.fields, len(w.Layout.numbers)
	for ; i < len(conds); i++ {
		c := &conds[i]
		s := c.Slot & 63
		if fields>>s&1 == 0 || wide(c.A)|wide(c.B) < 0 {
			break
		}
		if c.Slot == stringSlot && c.Op == Equal && r.texts.first == c.Text && len(w.Layout.strings) > 0 {
			continue
		}
		if int(c.Slot) >= some {
			break
		}
		n := numbers[s]
		switch {
		case c.Op == AtMost && n.LessEq(c.A):
		case c.Op == Equal && n == c.A:
		case c.Op == Between && c.A.LessEq(n) && n.LessEq(c.B):
		case c.Op == NotEqual && n != c.A:
		default:
			return i
		}
	}
	return i
}

// validateRest validates a write of which the conditions before the i-th are valid.
func validateRest(w *Write, i int) error {
	if err := validateConds(w.Conds[i:], w.Layout); err != nil {
		return err
	}
	return validateEffects(w.Effects, w.Layout)
}

// Check reports whether all conditions of w hold on r, which is not present if there is no record. It changes nothing. The
// write must be valid, and r must have its layout.
func Check(r *Record, w *Write) bool {
	for i := r.hold(w, 0); i < len(w.Conds); i = r.hold(w, i+1) {
		if !w.Conds[i].holds(r) {
			return false
		}
	}
	return true
}

func (c *Cond) holds(r *Record) bool {
	switch {
	case !r.Has(c.Slot):
		return c.OrAbsent || c.Op == Absent || c.Op == NotEqual
	case c.Slot.IsNumber():
		return holdsNum(&r.numbers[c.Slot], c)
	default:
		text, _ := r.Text(c.Slot)
		return holdsText(text, c)
	}
}

func holdsNum(v *Num, c *Cond) bool {
	switch c.Op {
	case Between:
		return c.A.LessEq(*v) && v.LessEq(c.B)
	case AtMost:
		return v.LessEq(c.A)
	case AtLeast:
		return c.A.LessEq(*v)
	case Less:
		return v.Less(c.A)
	case Equal:
		return *v == c.A
	case NotEqual:
		return *v != c.A
	default:
		return c.Op == Present
	}
}

func holdsText(v string, c *Cond) bool {
	switch c.Op {
	case Equal:
		return v == c.Text
	case NotEqual:
		return v != c.Text
	default:
		return c.Op == Present
	}
}

// Apply applies the effects of w to r, whose conditions hold: see [Check]. It returns an error that is ErrInvalid for an
// invalid effect or a sum of more than 38 digits, and ErrTooLarge for a record beyond [MaxRecord]; then r is unchanged.
// Removal and place are left to the store.
func Apply(r *Record, w *Write) error {
	if len(w.Effects) == 0 {
		return nil
	}
	if !r.applyPlain(w) {
		if err := r.applyAny(w); err != nil {
			return err
		}
	}
	r.fields |= 1 << recordSlot
	if w.Expiry != KeepExpiry {
		r.expiry = w.Expiry
	}
	return nil
}

// plainMost is the largest number of effects that applyPlain takes; an acquire of three limits has nine.
const plainMost = 10

// applyPlain applies effects of the most frequent kind: few, legal, on numbers that are present, of not too many digits. It
// changes nothing if it finds anything else. It calls hardly anything, so that everything stays in registers.
func (r *Record) applyPlain(w *Write) (done bool) {
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
			n = num.Max(n, e.Base).Add(e.Num)
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

// applyAny applies the effects of any write, after it has found that all of them can be applied.
func (r *Record) applyAny(w *Write) error {
	var changed uint64
	var grows uint64 // effects on texts, or on missing fields
	for i := range w.Effects {
		e := &w.Effects[i]
		if err := e.validateAfter(changed, w.Layout); err != nil {
			return err
		}
		switch n, has := r.Num(e.Slot); {
		case !has:
			grows |= 1 << i
		case e.Op == Add && !n.Add(e.Num).Fits38(), e.Op == AddFrom && !e.from(n).Fits38(): // a sum that wraps around has 39 digits, too
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
		r.apply(&w.Effects[i])
	}
	return nil
}

// from returns what AddFrom makes of n.
func (e *Effect) from(n Num) Num {
	return num.Max(n, e.Base).Add(e.Num)
}

// apply applies one effect, which is known to be possible.
func (r *Record) apply(e *Effect) {
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

// feasible returns an error if one of the effects, which are on texts or on missing fields, would exceed the limits of
// numbers and records.
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
		return tooLarge("the record would have %d bytes: store less in it, there may be %d", size, MaxRecord)
	}
	return nil
}

func errSum(w *Write, e *Effect) error {
	return invalid("the sum in %s would have more than 38 digits: add less", w.Layout.Field(e.Slot).Name)
}
