package backend

import (
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/internal/int128"
)

// Num is a signed 128-bit integer. Stores keep those of up to 38 decimal digits.
type Num = int128.Int

// MaxRecord is the most a record may weigh, in bytes: its names and values, as [Record.Size] counts them.
const MaxRecord = 300 << 10

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

const stringSlot Slot = 0x80

// IsNumber reports whether the slot holds a number.
func (s Slot) IsNumber() bool { return s < stringSlot }

// Layout maps the field names of one kind of record to slots, in the order in which they were given.
// Layouts are made once, when the program starts, and compared by pointer. Safe for concurrent use.
type Layout struct {
	name    string
	numbers []string
	strings []Field
	slots   map[string]Slot
}

// NewLayout makes a layout of up to 64 numbers and 64 strings. It panics on more, or on a name that comes twice:
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
			l.slots[f.Name] = stringSlot | Slot(len(l.strings))
			l.strings = append(l.strings, f)
		}
	}
	if len(l.numbers) > 64 || len(l.strings) > 64 {
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
	return int(s&^stringSlot) < len(l.strings)
}

// Field tells the name and kind of a slot that the layout has.
func (l *Layout) Field(s Slot) Field {
	if s.IsNumber() {
		return Field{l.numbers[s], Number}
	}
	return l.strings[s&^stringSlot]
}

// Slots lists all slots, numbers first, in their order.
func (l *Layout) Slots() []Slot {
	all := make([]Slot, 0, len(l.numbers)+len(l.strings))
	for i := range l.numbers {
		all = append(all, Slot(i))
	}
	for i := range l.strings {
		all = append(all, stringSlot|Slot(i))
	}
	return all
}

// Expiry is a hint when a record may be dropped: an instant in whole seconds since the Unix epoch.
// A record is never dropped before that instant, and may linger after it. In a [Write], 0 keeps what is there.
type Expiry int64

// What a write says of expiry, besides an instant.
const (
	KeepExpiry Expiry = 0
	NoExpiry   Expiry = -1 // the record stays until it is removed
)

// Record is one record: the values of a layout's fields, each of them present or absent, and its expiry.
// The zero Record is no record. A Record is the caller's: stores fill it and keep nothing of it, so it can be used
// again for the next call without allocating. Not safe for concurrent use.
type Record struct {
	layout    *Layout
	numbers   []Num
	strings   []string
	numberSet uint64
	stringSet uint64
	expiry    Expiry
	present   bool
}

// Reset empties r and makes it ready to be filled with a record of layout l, keeping its memory.
func (r *Record) Reset(l *Layout) {
	clear(r.strings)
	*r = Record{layout: l, numbers: r.numbers[:0], strings: r.strings[:0]}
}

// Layout is the one given to Reset, nil for the zero Record.
func (r *Record) Layout() *Layout { return r.layout }

// Present tells whether there is a record at all; one without any field is possible.
func (r *Record) Present() bool { return r.present }

// SetPresent makes r a record; setting a field does so too.
func (r *Record) SetPresent() { r.present = true }

// Expiry is [NoExpiry] for a record that stays, and means nothing for an absent one.
func (r *Record) Expiry() Expiry {
	if r.expiry == 0 {
		return NoExpiry
	}
	return r.expiry
}

// SetExpiry notes an instant or [NoExpiry]; [KeepExpiry] changes nothing.
func (r *Record) SetExpiry(e Expiry) {
	if e != KeepExpiry {
		r.expiry = e
	}
}

// Has reports whether the field is present.
func (r *Record) Has(s Slot) bool {
	if s.IsNumber() {
		return r.numberSet>>s&1 == 1
	}
	return r.stringSet>>(s&^stringSlot)&1 == 1
}

// Num is the number in s, and whether it is present.
func (r *Record) Num(s Slot) (Num, bool) {
	if r.numberSet>>s&1 == 0 {
		return Num{}, false
	}
	return r.numbers[s], true
}

// Int64 is the number in s; 0 where it is absent, clamped where it does not fit.
func (r *Record) Int64(s Slot) int64 {
	n, _ := r.Num(s)
	return n.SaturateInt64()
}

// Text is the text or the bytes in s, and whether they are present.
func (r *Record) Text(s Slot) (string, bool) {
	if s &^= stringSlot; r.stringSet>>s&1 == 1 {
		return r.strings[s], true
	}
	return "", false
}

// SetNum sets a number.
func (r *Record) SetNum(s Slot, n Num) {
	if int(s) >= len(r.numbers) {
		r.grow(int(s) + 1)
	}
	r.numbers[s] = n
	r.numberSet |= 1 << s
	r.present = true
}

// SetText sets a text or bytes.
func (r *Record) SetText(s Slot, v string) {
	s &^= stringSlot
	for int(s) >= len(r.strings) {
		r.strings = append(r.strings, "")
	}
	r.strings[s] = v
	r.stringSet |= 1 << s
	r.present = true
}

// Unset removes a field.
func (r *Record) Unset(s Slot) {
	if s.IsNumber() {
		r.numberSet &^= 1 << s
	} else if s &^= stringSlot; int(s) < len(r.strings) {
		r.stringSet &^= 1 << s
		r.strings[s] = ""
	}
}

// CopyFrom makes r equal to o, in r's own memory.
func (r *Record) CopyFrom(o *Record) {
	numbers, texts := append(r.numbers[:0], o.numbers...), append(r.strings[:0], o.strings...)
	*r = *o
	r.numbers, r.strings = numbers, texts
}

// Equal compares layout, fields, expiry and presence; absent records of one layout are equal.
func (r *Record) Equal(o *Record) bool {
	if r.present != o.present || r.layout != o.layout {
		return false
	}
	if !r.present {
		return true
	}
	if r.numberSet != o.numberSet || r.stringSet != o.stringSet || r.Expiry() != o.Expiry() {
		return false
	}
	return !slices.ContainsFunc(r.layout.Slots(), func(s Slot) bool {
		if s.IsNumber() {
			a, _ := r.Num(s)
			b, _ := o.Num(s)
			return a != b
		}
		a, _ := r.Text(s)
		b, _ := o.Text(s)
		return a != b
	})
}

// Size is what the record weighs in bytes for [MaxRecord]: names and strings with their lengths, a number with 21
// (DynamoDB's largest). Keys are not counted.
func (r *Record) Size() int {
	size := 0
	for _, s := range r.layout.Slots() {
		if !r.Has(s) {
			continue
		}
		size += len(r.layout.Field(s).Name)
		if s.IsNumber() {
			size += 21
		} else {
			v, _ := r.Text(s)
			size += len(v)
		}
	}
	return size
}

// grow makes room for n numbers, exactly: records are many, and rarely grow twice.
func (r *Record) grow(n int) {
	if cap(r.numbers) < n {
		r.numbers = append(make([]Num, 0, n), r.numbers...)
	}
	for i := len(r.numbers); i < n; i++ {
		r.numbers = append(r.numbers, Num{})
	}
}
