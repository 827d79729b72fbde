package backend

import "unicode/utf8"

// The most that a commit may hold. DynamoDB takes 4 MB of items, including what the records hold already.
const (
	MaxCommit      = 100     // writes
	MaxCommitBytes = 1 << 20 // bytes of texts in their effects
)

// Op is the comparison of a condition.
type Op uint8

// The comparisons of a field. If the field is missing, only Absent and NotEqual are true, or all of them with OrAbsent.
const (
	Present  Op = iota + 1 // the field is present
	Absent                 // the field is missing
	Equal                  // = A, or = Text
	NotEqual               // ≠ A, or ≠ Text, or missing
	Less                   // < A
	AtMost                 // ≤ A
	AtLeast                // ≥ A
	Between                // A ≤ field ≤ B; Validate refuses A > B, as DynamoDB does
)

// Cond is a condition on one field. Texts and bytes have only Present, Absent, Equal and NotEqual.
type Cond struct {
	Slot     Slot
	Op       Op
	OrAbsent bool   // the condition is also true if the field is missing
	A, B     Num    // for numbers
	Text     string // for texts and bytes
}

// EffectOp is the operation of an effect.
type EffectOp uint8

// The operations of effects, which see the record as it was before the write.
const (
	Set         EffectOp = iota + 1 // sets the field to Num, or to Text
	SetIfAbsent                     // does the same if the field is missing, and else nothing
	Add                             // adds Num to the field, or to Base if it is missing
	Unset                           // removes the field
	AddFrom                         // adds Num to the field or to Base, whichever is greater; for stores with Capabilities.Max
)

// Effect changes one field. A write has at most one effect on each field.
type Effect struct {
	Slot Slot
	Op   EffectOp
	Num  Num
	Base Num
	Text string
}

// Write is one conditional change of one record. If all conditions hold, the store applies all effects in the same step;
// if one does not, it changes nothing. A record that does not exist is checked as one without fields, and a write with
// effects creates it, even if they only remove fields.
//
// A write without conditions is unconditional. A write with conditions alone changes nothing, and tells whether they hold.
//
// This write, for example, counts 5 more as used, unless more than 100 would be used then. It creates the record if there
// is none:
//
//	backend.Write{
//		Key: key, Layout: layout,
//		Conds:   []backend.Cond{{Slot: used, Op: backend.AtMost, A: backend.Int(95), OrAbsent: true}},
//		Effects: []backend.Effect{{Slot: used, Op: backend.Add, Num: backend.Int(5)}},
//	}
type Write struct {
	Key     Key
	Layout  *Layout // of the record
	Conds   []Cond
	Effects []Effect

	// Remove removes the record, with its expiry and place, if the conditions hold. Without conditions it also removes a
	// record that cannot be read. There must be no effects, expiry or place beside it.
	Remove bool

	Expiry Expiry // the record's from now on; KeepExpiry keeps what it has
	Index  *Place // the record's from now on; nil keeps what it has. A store that keeps it copies it
	Memo   Memo   // what a store left in an earlier write of the key; nil is always right
}

// Memo helps a store to find a record again without looking it up: the store leaves it in a [Write], and the caller copies
// it to the next write of the same key. All memos of a store have one type. A store ignores memos of other stores, of
// other keys and of records that are gone.
type Memo interface {
	// MemoOf returns the key of the record for which the store left the memo.
	MemoOf() Key
}

// Outcome is the result of one write.
type Outcome struct {
	Applied bool   // whether the conditions held and the effects were applied
	Err     error  // nil if the conditions were checked; else why they were not, or that it is not known
	Record  Record // if Applied, the record after the write; else the record that the conditions were checked on
}

// Validate returns an error that is ErrInvalid or ErrTooLarge if any store would refuse the write. Every store calls it
// before it writes anything, so that a store in memory refuses what the store in production does.
func (w *Write) Validate() error {
	if err := w.Key.Validate(); err != nil {
		return err
	}
	return w.ValidateBody()
}

// ValidateBody is Validate without the key, for stores that know the key to be valid.
func (w *Write) ValidateBody() error {
	if err := w.validateFrame(); err != nil {
		return err
	}
	if err := validateConds(w.Conds, w.Layout); err != nil {
		return err
	}
	return validateEffects(w.Effects, w.Layout)
}

// validateFrame validates all but conditions and effects.
func (w *Write) validateFrame() error {
	switch {
	case w.Layout == nil:
		return invalid("the write on %v has no layout: set Write.Layout", w.Key)
	case w.Expiry < NoExpiry:
		return invalid("the expiry %d is before 1970: use a time in seconds, KeepExpiry or NoExpiry", w.Expiry)
	case w.Remove && (len(w.Effects) > 0 || w.Index != nil || w.Expiry != KeepExpiry):
		return invalid("the write on %v removes the record and has effects, expiry or place: make two writes", w.Key)
	case !w.Remove && len(w.Effects) == 0 && (w.Index != nil || w.Expiry != KeepExpiry):
		return invalid("the write on %v has an expiry or a place and no effects: add an effect", w.Key)
	case !w.Remove && len(w.Effects) == 0 && len(w.Conds) == 0:
		return invalid("the write on %v is empty: give it conditions, effects or Remove", w.Key)
	}
	if w.Index != nil {
		return w.Index.Validate()
	}
	return nil
}

// wide is negative if a number may have more than 38 digits, which is if it has more than 126 bits.
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

// plain reports whether a condition is of the most frequent kind: legal, on numbers of not too many digits. It is fast;
// validate decides the rest.
func (c *Cond) plain(l *Layout) bool {
	return int(c.Slot) < len(l.numbers) && c.Op-Present <= Between-Present && wide(c.A)|wide(c.B) >= 0 &&
		(c.Op != Between || c.A.LessEq(c.B))
}

func (c *Cond) validate(l *Layout) error {
	switch {
	case c.Op < Present || c.Op > Between:
		return invalid("the comparison %d does not exist: use Present to Between", c.Op)
	case !l.Has(c.Slot):
		return invalid("layout %s has no slot %d: use a slot of this layout", l.name, c.Slot)
	case !c.Slot.IsNumber() && c.Op > NotEqual:
		return invalid("%s is not a number: compare it with Present, Absent, Equal or NotEqual", l.Field(c.Slot).Name)
	case !c.Slot.IsNumber() && c.Op > Absent:
		return validateText(l.Field(c.Slot), c.Text)
	case c.Op == Between && c.B.Less(c.A):
		return invalid("Between %v and %v: swap A and B", c.A, c.B)
	case c.Op > Absent && !(c.A.Fits38() && c.B.Fits38()):
		return invalid("a bound of %s has more than 38 digits: use a smaller number", l.Field(c.Slot).Name)
	}
	return nil
}

// plain reports whether an effect is of the most frequent kind, as for conditions.
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

// validateAfter validates an effect that follows effects on the slots in seen.
func (e *Effect) validateAfter(seen uint64, l *Layout) error {
	if err := e.validate(l); err != nil {
		return err
	}
	if seen>>e.Slot&1 == 1 {
		return invalid("there are two effects on %s: combine them", l.Field(e.Slot).Name)
	}
	return nil
}

func (e *Effect) validate(l *Layout) error {
	switch {
	case e.Op < Set || e.Op > AddFrom:
		return invalid("the effect %d does not exist: use Set to AddFrom", e.Op)
	case !l.Has(e.Slot):
		return invalid("layout %s has no slot %d: use a slot of this layout", l.name, e.Slot)
	case !e.Slot.IsNumber():
		return e.validateText(l)
	case !e.Num.Fits38() || !e.Base.Fits38():
		return invalid("%s would have more than 38 digits: use a smaller number", l.Field(e.Slot).Name)
	}
	return nil
}

func (e *Effect) validateText(l *Layout) error {
	f := l.Field(e.Slot)
	if e.Op == Add || e.Op == AddFrom {
		return invalid("%s is not a number and cannot be added to: use Set", f.Name)
	}
	return validateText(f, e.Text)
}

// validateText validates what is compared with a field, or set. The SDK of DynamoDB replaces what is not UTF-8, so that it would
// be equal to another text.
func validateText(f Field, text string) error {
	switch {
	case len(text) > MaxRecord:
		return tooLarge("a text for %s has %d bytes: a record has at most %d", f.Name, len(text), MaxRecord)
	case f.Kind == Text && !utf8.ValidString(text):
		return invalid("a text for %s is not UTF-8: encode it, or make it a field of bytes", f.Name)
	}
	return nil
}

// ValidateCommit returns an error that is ErrInvalid or ErrTooLarge if any store would refuse the commit: because of its
// size, of a write, or of two writes on one key.
func ValidateCommit(writes []Write) error {
	if len(writes) == 0 {
		return invalid("the commit is empty: give it a write")
	}
	if len(writes) > MaxCommit {
		return tooLarge("the commit has %d writes: split it, there may be %d", len(writes), MaxCommit)
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
			return invalid("the commit has two writes on %v: combine them", writes[i].Key)
		}
		seen[writes[i].Key] = true
	}
	if bytes > MaxCommitBytes {
		return tooLarge("the commit has %d bytes of text: split it, there may be %d", bytes, MaxCommitBytes)
	}
	return nil
}
