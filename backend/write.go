package backend

import "unicode/utf8"

// What one commit may hold. DynamoDB takes 4 MB of items, with what the records have already.
const (
	MaxCommit      = 100     // writes
	MaxCommitBytes = 1 << 20 // of strings in their effects
)

// Op is what a condition compares.
type Op uint8

// The conditions. A missing field makes all of them false but Absent and NotEqual, unless OrAbsent is set.
const (
	Present  Op = iota + 1 // the field is there
	Absent                 // the field is not there
	Equal                  // = A, or = Text
	NotEqual               // ≠ A, or ≠ Text; true where the field is missing
	Less                   // < A
	AtMost                 // ≤ A
	AtLeast                // ≥ A
	Between                // A ≤ field ≤ B; A > B is refused by Validate, as DynamoDB does
)

// Cond is one condition on one field. Strings know Present, Absent, Equal and NotEqual only.
type Cond struct {
	Slot     Slot
	Op       Op
	OrAbsent bool // also true where the field is missing
	A, B     Num
	Text     string
}

// EffectOp is what an effect does.
type EffectOp uint8

// The effects. Right-hand sides see the record as it was before the write.
const (
	Set         EffectOp = iota + 1 // to Num, or to Text
	SetIfAbsent                     // the same where the field is missing
	Add                             // adds Num; a missing field counts as Base
	Unset                           // removes the field
	AddFrom                         // adds Num to the field or to Base, whichever is greater; for stores with Max
)

// Effect changes one field. A field is changed by one effect of a write at the most.
type Effect struct {
	Slot Slot
	Op   EffectOp
	Num  Num
	Base Num
	Text string
}

// Write is one conditional change of one record, as data: if all conditions hold, all effects happen; else nothing
// does. No other write comes between. A write without conditions is unconditional; one with conditions only changes
// nothing. A missing record is one without fields, and a write with effects makes it.
type Write struct {
	Key     Key
	Layout  *Layout
	Conds   []Cond
	Effects []Effect
	Remove  bool   // the record goes, without conditions also one that cannot be read; no effects, expiry or place beside it
	Expiry  Expiry // of the record from now on; KeepExpiry keeps (and means none for a new record)
	Index   *Place // of the record from now on; nil keeps. Stores copy it
	Memo    Memo   // lets the store find the record again without a look-up; nil is always right
}

// Memo is what a store leaves in a [Write] to find the record again without a look-up: the caller carries it from write
// to write of the same key. A store ignores memos of other stores, of other keys and of records that are gone. All memos
// of a store have one type.
type Memo interface {
	// MemoOf is the key of the record, as it was when the store left the memo.
	MemoOf() Key
}

// Outcome is what became of one write.
type Outcome struct {
	Applied bool   // whether the conditions held
	Err     error  // nil: judged. Else the write was not judged, or it is not known whether it was
	Record  Record // applied: as it is now; refused: as it stood when the conditions were judged
}

// Validate refuses what the strictest store would refuse; every store calls it before any effect, so that memory
// refuses what production would.
func (w *Write) Validate() error {
	if err := w.Key.Validate(); err != nil {
		return err
	}
	return w.ValidateBody()
}

// ValidateBody is Validate without the key, for stores that have seen the key before.
func (w *Write) ValidateBody() error {
	if err := w.validateFrame(); err != nil {
		return err
	}
	if err := validateConds(w.Conds, w.Layout); err != nil {
		return err
	}
	return validateEffects(w.Effects, w.Layout)
}

// validateFrame is for all but conditions and effects.
func (w *Write) validateFrame() error {
	switch {
	case w.Layout == nil:
		return invalid("a write without a layout")
	case w.Expiry < NoExpiry:
		return invalid("expiry %d lies before 1970", w.Expiry)
	case w.Remove && (len(w.Effects) > 0 || w.Index != nil || w.Expiry != KeepExpiry):
		return invalid("a removal with effects, expiry or place")
	case !w.Remove && len(w.Effects) == 0 && (w.Index != nil || w.Expiry != KeepExpiry):
		return invalid("expiry or place without effects")
	case !w.Remove && len(w.Effects) == 0 && len(w.Conds) == 0:
		return invalid("an empty write")
	}
	if w.Index != nil {
		return w.Index.Validate()
	}
	return nil
}

// wide is negative where a number might have more than 38 digits: where it has more than 126 bits.
func wide(n Num) int64 {
	hi, _ := n.Parts()
	return hi ^ hi<<1
}

func validateConds(conds []Cond, l *Layout) error {
	for i := range conds {
		if c := &conds[i]; !c.plain(l) {
			if err := c.validate(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// plain sees at one glance what most conditions are: legal, on numbers of not too many digits. validate knows the rest.
func (c *Cond) plain(l *Layout) bool {
	return int(c.Slot) < len(l.numbers) && c.Op-Present <= Between-Present && wide(c.A)|wide(c.B) >= 0 &&
		(c.Op != Between || c.A.LessEq(c.B))
}

func (c *Cond) validate(l *Layout) error {
	switch {
	case c.Op < Present || c.Op > Between:
		return invalid("unknown condition %d", c.Op)
	case !l.Has(c.Slot):
		return invalid("layout %s has no slot %d", l.name, c.Slot)
	case !c.Slot.IsNumber() && c.Op > NotEqual:
		return invalid("%s is no number and has no order", l.Field(c.Slot).Name)
	case c.Op == Between && c.B.Less(c.A):
		return invalid("between %v and %v is reversed", c.A, c.B)
	case c.Op > Absent && !(c.A.Fits38() && c.B.Fits38()):
		return invalid("a bound of %s has more than 38 digits", l.Field(c.Slot).Name)
	}
	return nil
}

// plain is for effects what it is for conditions.
func (e *Effect) plain(l *Layout) bool {
	return int(e.Slot) < len(l.numbers) && e.Op-Set <= AddFrom-Set && wide(e.Num)|wide(e.Base) >= 0
}

func validateEffects(effects []Effect, l *Layout) error {
	var seen uint64
	for i := range effects {
		e := &effects[i]
		if !e.plain(l) || seen>>e.Slot&1 == 1 {
			if err := e.validateAfter(seen, l); err != nil {
				return err
			}
		}
		seen |= 1 << e.Slot
	}
	return nil
}

// validateAfter is validate behind effects on the fields seen.
func (e *Effect) validateAfter(seen uint64, l *Layout) error {
	if err := e.validate(l); err != nil {
		return err
	}
	if seen>>e.Slot&1 == 1 {
		return invalid("two effects on %s", l.Field(e.Slot).Name)
	}
	return nil
}

func (e *Effect) validate(l *Layout) error {
	switch {
	case e.Op < Set || e.Op > AddFrom:
		return invalid("unknown effect %d", e.Op)
	case !l.Has(e.Slot):
		return invalid("layout %s has no slot %d", l.name, e.Slot)
	case !e.Slot.IsNumber():
		return e.validateText(l)
	case !e.Num.Fits38() || !e.Base.Fits38():
		return invalid("%s would have more than 38 digits", l.Field(e.Slot).Name)
	}
	return nil
}

func (e *Effect) validateText(l *Layout) error {
	f := l.Field(e.Slot)
	switch {
	case e.Op == Add || e.Op == AddFrom:
		return invalid("%s is no number to add to", f.Name)
	case len(e.Text) > MaxRecord:
		return tooLarge("%s would have %d bytes, a record at most %d", f.Name, len(e.Text), MaxRecord)
	case f.Kind == Text && !utf8.ValidString(e.Text):
		return invalid("%s is not UTF-8", f.Name)
	}
	return nil
}

// ValidateCommit is Validate for a whole commit: its size, each write, and no key twice.
func ValidateCommit(writes []Write) error {
	if len(writes) == 0 {
		return invalid("an empty commit")
	}
	if len(writes) > MaxCommit {
		return tooLarge("a commit of %d writes, at most %d", len(writes), MaxCommit)
	}
	seen, bytes := make(map[Key]bool, len(writes)), 0
	for i := range writes {
		if err := writes[i].Validate(); err != nil {
			return err
		}
		for j := range writes[i].Effects {
			bytes += len(writes[i].Effects[j].Text)
		}
		if seen[writes[i].Key] {
			return invalid("two writes of a commit on %v", writes[i].Key)
		}
		seen[writes[i].Key] = true
	}
	if bytes > MaxCommitBytes {
		return tooLarge("a commit of %d bytes, at most %d", bytes, MaxCommitBytes)
	}
	return nil
}
