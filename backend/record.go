package backend

import (
	"math/bits"

	"github.com/zeroae/zae-limiter-go/backend/num"
)

// Num is a signed 128-bit integer. Stores keep those of up to 38 decimal digits.
type Num = num.Int

// MaxRecord is the most a record may weigh, in bytes: its names and values, as [Record.Size] counts them.
const MaxRecord = 300 << 10

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
	layout  *Layout
	texts   *texts // nil where none was ever set
	numbers []Num
	fields  uint64 // the slots that are present, and recordSlot
	expiry  Expiry
}

// Reset empties r and makes it ready to be filled with a record of layout l, keeping its memory.
func (r *Record) Reset(l *Layout) { *r = Record{layout: l, numbers: r.numbers[:0]} }

// Span is how many numbers r keeps: those up to the last one that was set.
func (r *Record) Span() int { return len(r.numbers) }

// Settle makes room, in which nobody else writes, the memory for r's numbers, as far as it goes. There must be none yet.
func (r *Record) Settle(room []Num) { r.numbers = room[:0] }

// Layout is the one given to Reset, nil for the zero Record.
func (r *Record) Layout() *Layout { return r.layout }

// Present tells whether there is a record at all; one without any field is possible.
func (r *Record) Present() bool { return r.fields>>recordSlot == 1 }

// SetPresent makes r a record; setting a field does so too.
func (r *Record) SetPresent() { r.fields |= 1 << recordSlot }

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
func (r *Record) Has(s Slot) bool { return r.fields>>s&1 == 1 }

// Num is the number in s, and whether it is present.
func (r *Record) Num(s Slot) (Num, bool) {
	if int(s) >= len(r.numbers) || !r.Has(s) {
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
	switch {
	case s.IsNumber() || !r.Has(s):
		return "", false
	case s == stringSlot:
		return r.texts.first, true
	default:
		return r.texts.more[s-stringSlot-1], true
	}
}

// SetNum sets a number.
func (r *Record) SetNum(s Slot, n Num) {
	if int(s) >= len(r.numbers) {
		r.grow(int(s) + 1)
	}
	r.numbers[s] = n
	r.fields |= 1<<s | 1<<recordSlot
}

// SetText sets a text or bytes.
func (r *Record) SetText(s Slot, v string) {
	r.texts = r.texts.with(int(s-stringSlot), v, r.layout)
	r.fields |= 1<<s | 1<<recordSlot
}

// Unset removes a field.
func (r *Record) Unset(s Slot) {
	if !s.IsNumber() && r.Has(s) {
		r.SetText(s, "")
	}
	r.fields &^= 1 << s
}

// CopyFrom makes r equal to o, in r's own memory.
func (r *Record) CopyFrom(o *Record) {
	r.layout, r.texts, r.fields, r.expiry = o.layout, o.texts, o.fields, o.expiry
	r.numbers = copyNumbers(r.numbers, o.numbers)
}

// copyNumbers copies half by half, as CopyFrom does field by field: a processor that is asked for both in one, some of them written just now, waits until
// those have left its store buffer.
func copyNumbers(to, from []Num) []Num {
	if cap(to) < len(from) {
		return append(to[:0], from...)
	}
	to = to[:len(from)]
	for i := range from { //nolint:staticcheck // copy would take both halves in one
		to[i] = from[i]
	}
	return to
}

// Equal compares layout, fields, expiry and presence; absent records of one layout are equal.
func (r *Record) Equal(o *Record) bool {
	if r.layout != o.layout || r.fields != o.fields {
		return false
	}
	if !r.Present() {
		return true
	}
	for s := range r.all {
		if s.IsNumber() {
			if r.numbers[s] != o.numbers[s] {
				return false
			}
		} else if a, _ := r.Text(s); !o.hasText(s, a) {
			return false
		}
	}
	return r.Expiry() == o.Expiry()
}

func (r *Record) hasText(s Slot, v string) bool {
	text, present := r.Text(s)
	return present && text == v
}

// all yields the slots of the fields that are present.
func (r *Record) all(yield func(Slot) bool) {
	for left := r.fields &^ (1 << recordSlot); left != 0; left &= left - 1 {
		if !yield(Slot(bits.TrailingZeros64(left))) {
			return
		}
	}
}

// Size is what the record weighs in bytes for [MaxRecord]: names and strings with their lengths, a number with 21
// (DynamoDB's largest). Keys are not counted.
func (r *Record) Size() int {
	size := 0
	for s := range r.all {
		size += r.layout.weight(s)
		if !s.IsNumber() {
			v, _ := r.Text(s)
			size += len(v)
		}
	}
	return size
}

// grow makes room for n numbers, exactly: records are many, and rarely grow twice.
//
//go:noinline
func (r *Record) grow(n int) {
	if cap(r.numbers) < n {
		r.numbers = append(make([]Num, 0, n), r.numbers...)
	}
	for i := len(r.numbers); i < n; i++ {
		r.numbers = append(r.numbers, Num{})
	}
}

// Int is n as a Num.
func Int(n int64) Num { return num.FromInt64(n) }
