package backend

import "fmt"

// Kind is what a field holds.
type Kind uint8

// The kinds of fields.
const (
	Number Kind = iota // a Num
	Text               // UTF-8, may be empty
	Bytes              // any bytes in a string, may be empty
)

// Field is one named value of a layout.
type Field struct {
	Name string
	Kind Kind
}

// Slot is where a layout keeps a field: numbers and strings are counted apart.
type Slot uint8

// The most fields of either kind that a layout may have. Slots are the bits of Record.fields: those of numbers come
// first, and the last one says whether there is a record.
const (
	MaxNumbers = 48
	MaxStrings = 15

	stringSlot = Slot(MaxNumbers)
	recordSlot = stringSlot + MaxStrings
)

// IsNumber reports whether the slot holds a number.
func (s Slot) IsNumber() bool { return s < stringSlot }

// Layout maps the field names of one kind of record to slots, in the order in which they were given.
// Layouts are made once, when the program starts, and compared by pointer. Safe for concurrent use.
type Layout struct {
	name    string
	numbers []string
	strings []Field
	slots   map[string]Slot
	common  commonTexts
}

// NewLayout makes a layout of up to [MaxNumbers] numbers and [MaxStrings] strings. It panics on more, or on a name that comes twice:
// layouts are part of the program.
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

// Name is the layout's own, for messages.
func (l *Layout) Name() string { return l.name }

// Slot finds a field by name.
func (l *Layout) Slot(name string) (Slot, bool) {
	s, ok := l.slots[name]
	return s, ok
}

// MustSlot is Slot for names that are part of the program; it panics where there is none.
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

// Field tells the name and kind of a slot that the layout has.
func (l *Layout) Field(s Slot) Field {
	if s.IsNumber() {
		return Field{l.numbers[s], Number}
	}
	return l.strings[s-stringSlot]
}

// Slots lists all slots, numbers first, in their order.
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
