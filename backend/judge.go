package backend

// Judge reports whether all conditions of w hold on r, the record as it stands (not present where there is none).
// It changes nothing.
func Judge(r *Record, w *Write) bool {
	for i := range w.Conds {
		if !holds(r, &w.Conds[i]) {
			return false
		}
	}
	return true
}

func holds(r *Record, c *Cond) bool {
	if !c.Slot.IsNumber() {
		return holdsText(r, c)
	}
	v, present := r.Num(c.Slot)
	if !present {
		return c.OrAbsent || c.Op == Absent || c.Op == NotEqual
	}
	switch c.Op {
	case Present:
		return true
	case Equal:
		return v == c.A
	case NotEqual:
		return v != c.A
	case Less:
		return v.Less(c.A)
	case AtMost:
		return v.LessEq(c.A)
	case AtLeast:
		return c.A.LessEq(v)
	case Between:
		return c.A.LessEq(v) && v.LessEq(c.B)
	default: // Absent
		return false
	}
}

func holdsText(r *Record, c *Cond) bool {
	v, present := r.Text(c.Slot)
	if !present {
		return c.OrAbsent || c.Op == Absent || c.Op == NotEqual
	}
	switch c.Op {
	case Present:
		return true
	case Equal:
		return v == c.Text
	case NotEqual:
		return v != c.Text
	default: // Absent
		return false
	}
}

// Enact lets the effects of w happen on r, whose conditions hold and whose layout is the write's. A sum beyond 38
// digits is ErrInvalid, a record beyond [MaxRecord] is ErrTooLarge; then r is unchanged. Removal and place are left
// to the store.
func Enact(r *Record, w *Write) error {
	if err := feasible(r, w); err != nil {
		return err
	}
	for i := range w.Effects {
		e := &w.Effects[i]
		if !e.Slot.IsNumber() {
			enactText(r, e)
			continue
		}
		switch e.Op {
		case Set:
			r.SetNum(e.Slot, e.Num)
		case SetIfAbsent:
			if !r.Has(e.Slot) {
				r.SetNum(e.Slot, e.Num)
			}
		case Add:
			r.SetNum(e.Slot, sum(r, e))
		case Unset:
			r.Unset(e.Slot)
		}
	}
	if len(w.Effects) > 0 {
		r.SetPresent()
		r.SetExpiry(w.Expiry)
	}
	return nil
}

func enactText(r *Record, e *Effect) {
	switch {
	case e.Op == Unset:
		r.Unset(e.Slot)
	case e.Op == Set || !r.Has(e.Slot):
		r.SetText(e.Slot, e.Text)
	}
}

// feasible finds out whether any effect would leave the limits of numbers and records.
func feasible(r *Record, w *Write) error {
	grows := 0
	for i := range w.Effects {
		e := &w.Effects[i]
		if !e.Slot.IsNumber() {
			grows += len(e.Text)
		} else if e.Op == Add && !sum(r, e).Fits38() {
			return invalid("the sum in %s would have more than 38 digits", w.Layout.Field(e.Slot).Name)
		}
	}
	if grows == 0 || r.layout == nil {
		return nil
	}
	if size := r.Size() + grows; size > MaxRecord {
		return tooLarge("a record of up to %d bytes, at most %d", size, MaxRecord)
	}
	return nil
}

// sum cannot overflow 128 bits: both numbers have at most 38 digits.
func sum(r *Record, e *Effect) Num {
	v, present := r.Num(e.Slot)
	if !present {
		v = e.Base
	}
	return v.Add(e.Num)
}
