package backend

import "fmt"

// Kind is the type of a field.
type Kind uint8

// The kinds of fields.
const (
	Number Kind = iota // a Num of up to 38 digits
	Text               // UTF-8, possibly empty
	Bytes              // any bytes in a string, possibly empty
)

// Field is one named value of a layout.
type Field struct {
	Name string
	Kind Kind
}

// Slot identifies a field of a layout. Numbers and strings are counted apart.
type Slot uint8

// The most fields that a layout may have: numbers, and texts and bytes together. Slots are the bits of Record.fields: those
// of numbers come first, and the last bit says whether the record is present.
const (
	MaxNumbers = 48
	MaxStrings = 15

	stringSlot = Slot(MaxNumbers)
	recordSlot = stringSlot + MaxStrings
)

// IsNumber reports whether the slot holds a number.
func (s Slot) IsNumber() bool { return s < stringSlot }

// Layout is the names and types of the fields of one kind of record. A program creates each layout once, when it starts;
// layouts are compared by pointer. A store keeps fields by their names, because the next version of a program may have a
// layout with more of them. Safe for concurrent use.
type Layout struct {
	name    string
	numbers []string
	strings []Field
	slots   map[string]Slot
	common  commonTexts
}

// NewLayout returns a layout of up to [MaxNumbers] numbers and [MaxStrings] texts and bytes, whose slots are in the order of
// the fields. It panics if there are more, or if a name is empty or repeated, because layouts are part of the program.
func NewLayout(name string, fields ...Field) *Layout {
	l := &Layout{name: name, slots: make(map[string]Slot, len(fields))}
	for _, f := range fields {
		if _, twice := l.slots[f.Name]; twice || f.Name == "" {
			panic(fmt.Sprintf("backend: layout %s: bad or repeated field %q", name, f.Name))
		}
		if f.Kind == Number {
			l.slots[f.Name] = Slot(len(l.numbers))
			l.numbers = append(l.numbers, f.Name)
		} else {
			l.slots[f.Name] = stringSlot + Slot(len(l.strings))
			l.strings = append(l.strings, f)
		}
	}
	if len(l.numbers) > MaxNumbers || len(l.strings) > MaxStrings {
		panic("backend: layout " + name + " has too many fields")
	}
	return l
}

// Name returns the layout's name, for messages.
func (l *Layout) Name() string { return l.name }

// Slot returns the slot of a field, and whether there is a field of that name.
func (l *Layout) Slot(name string) (Slot, bool) {
	s, ok := l.slots[name]
	return s, ok
}

// MustSlot is Slot for names that are part of the program. It panics if there is no such field.
func (l *Layout) MustSlot(name string) Slot {
	s, ok := l.slots[name]
	if !ok {
		panic("backend: layout " + l.name + " has no field " + name)
	}
	return s
}

// Has reports whether s is a slot of the layout.
func (l *Layout) Has(s Slot) bool {
	if s.IsNumber() {
		return int(s) < len(l.numbers)
	}
	return int(s-stringSlot) < len(l.strings)
}

// Field returns the name and type of a slot, which the layout must have.
func (l *Layout) Field(s Slot) Field {
	if s.IsNumber() {
		return Field{l.numbers[s], Number}
	}
	return l.strings[s-stringSlot]
}

// Slots returns all slots in order, those of numbers first.
func (l *Layout) Slots() []Slot {
	all := make([]Slot, 0, len(l.numbers)+len(l.strings))
	for i := range l.numbers {
		all = append(all, Slot(i))
	}
	for i := range l.strings {
		all = append(all, stringSlot+Slot(i))
	}
	return all
}

// weight is what a field weighs, without its text.
func (l *Layout) weight(s Slot) int {
	if s.IsNumber() {
		return len(l.numbers[s]) + 21
	}
	return len(l.strings[s-stringSlot].Name)
}
