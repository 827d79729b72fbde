package backend

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
