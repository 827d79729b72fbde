package backend

// Try is [Write.ValidateBody], [Judge] and [Enact] one after the other, in half as many passes over the conditions and
// effects: it reports whether w took effect on r. An invalid write changes nothing.
func Try(r *Record, w *Write) (applied bool, err error) {
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
	if err := Enact(r, w); err != nil {
		return false, err
	}
	return true, nil
}

// hold goes over the conditions from the i-th, up to one that does not hold or takes a closer look. It calls next to
// nothing, so that all is in registers.
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

// validateRest is for a write of which the conditions before the i-th are valid.
func validateRest(w *Write, i int) error {
	if err := validateConds(w.Conds[i:], w.Layout); err != nil {
		return err
	}
	return validateEffects(w.Effects, w.Layout)
}

// Judge reports whether all conditions of w hold on r, the record as it stands (not present where there is none).
// It changes nothing.
func Judge(r *Record, w *Write) bool {
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
