package backend

// Try is [Write.ValidateBody], [Judge] and [Enact] one after the other, in half as many passes over the conditions and
// effects: it reports whether w took effect on r. An invalid write changes nothing.
func Try(r *Record, w *Write) (applied bool, err error) {
	if err := w.validateFrame(); err != nil {
		return false, err
	}
	holds := true
	for i := range w.Conds {
		c := &w.Conds[i]
		if !c.plain(w.Layout) {
			if err := c.validate(w.Layout); err != nil {
				return false, err
			}
		}
		holds = holds && c.holds(r)
	}
	if !holds {
		return false, validateEffects(w.Effects, w.Layout)
	}
	if err := Enact(r, w); err != nil {
		return false, err
	}
	return true, nil
}

// Judge reports whether all conditions of w hold on r, the record as it stands (not present where there is none).
// It changes nothing.
func Judge(r *Record, w *Write) bool {
	for i := range w.Conds {
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

// Enact lets the effects of w happen on r, whose conditions hold and whose layout is the write's. An invalid effect or a
// sum beyond 38 digits is ErrInvalid, a record beyond [MaxRecord] is ErrTooLarge; then r is unchanged. Removal and place are left
// to the store.
func Enact(r *Record, w *Write) error {
	effects := w.Effects
	if len(effects) == 0 {
		return nil
	}
	if err := enactSums(r, w); err != nil {
		return err
	}
	fields, numbers := r.fields|1<<recordSlot, r.numbers
	for i := range effects {
		e := &effects[i]
		s := e.Slot
		switch {
		case e.Op == Add: // done above
		case e.Op == Unset:
			r.Unset(s)
			fields &^= 1 << s
			continue
		case e.Op == SetIfAbsent && fields>>s&1 == 1:
			continue
		case s.IsNumber():
			numbers[s] = e.Num
		default:
			r.SetText(s, e.Text)
		}
		fields |= 1 << s
	}
	r.fields = fields
	r.SetExpiry(w.Expiry)
	return nil
}

// enactSums adds, makes room for all numbers of the write, and finds out whether any effect is invalid or would leave
// the limits of numbers and records. Then it takes back what it added; it leaves the set of fields alone.
func enactSums(r *Record, w *Write) error {
	effects, fields, grows, seen := w.Effects, r.fields, 0, uint64(0)
	for i := range effects {
		e := &effects[i]
		s := e.Slot
		if !e.plain(w.Layout) || seen>>s&1 == 1 {
			if err := validateEffects(effects, w.Layout); err != nil {
				takeBack(r, effects[:i])
				return err
			}
		}
		seen |= 1 << s
		has := fields>>s&1 == 1
		if !has && e.Op != Unset {
			grows += w.Layout.weight(s)
		}
		if !s.IsNumber() {
			grows += growth(r, e)
			continue
		}
		if int(s) >= len(r.numbers) {
			r.grow(int(s) + 1)
		}
		if e.Op != Add {
			continue
		}
		n := &r.numbers[s]
		if !has {
			*n = e.Base
		}
		sum := n.Add(e.Num) // cannot overflow 128 bits: both have at most 38 digits
		if wide(sum) < 0 && !sum.Fits38() {
			takeBack(r, effects[:i])
			return invalid("the sum in %s would have more than 38 digits", w.Layout.Field(s).Name)
		}
		*n = sum
	}
	if grows <= 0 {
		return nil
	}
	if size := r.Size() + grows; size > MaxRecord {
		takeBack(r, effects)
		return tooLarge("a record of %d bytes, at most %d", size, MaxRecord)
	}
	return nil
}

// growth is what an effect adds to the length of its text, maybe less than nothing.
func growth(r *Record, e *Effect) int {
	text, has := r.Text(e.Slot)
	if has && e.Op == SetIfAbsent {
		return 0
	}
	return len(e.Text) - len(text)
}

// takeBack undoes sums; what a field that is not present holds means nothing.
func takeBack(r *Record, effects []Effect) {
	for i := range effects {
		if e := &effects[i]; e.Op == Add {
			r.numbers[e.Slot] = r.numbers[e.Slot].Sub(e.Num)
		}
	}
}
