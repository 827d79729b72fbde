package backend

import (
	"math/bits"

	"github.com/zeroae/zae-limiter-go/backend/num"
)

// Num is the number of the records, a signed 128-bit integer; package num has its methods. Stores keep numbers of up to 38
// decimal digits.
type Num = num.Int

// MaxRecord is the largest [Record.Size], in bytes.
const MaxRecord = 300 << 10

// Expiry is the time from which on a record may be dropped, in whole seconds since the Unix epoch. A record is never dropped
// before that time, and may stay after it.
type Expiry int64

// The values of an Expiry that are no time.
const (
	KeepExpiry Expiry = 0  // in a [Write]: the expiry stays as it is, and a new record has none
	NoExpiry   Expiry = -1 // the record stays until it is removed
)

// Record is one record: the values of a layout's fields, each of them present or absent, and its expiry. A record without
// any field can be present. The zero Record is not present and has no layout.
//
// A Record belongs to the caller of a store: the store fills it and keeps nothing of it, so that it can be passed to the
// next call without allocating memory. Not safe for concurrent use.
type Record struct {
	layout  *Layout
	texts   *texts // nil if none was ever set
	numbers []Num
	fields  uint64 // the slots that are present, and recordSlot
	expiry  Expiry
}

// Reset makes r a record of layout l that is not present. It keeps the memory of its numbers.
func (r *Record) Reset(l *Layout) { *r = Record{layout: l, numbers: r.numbers[:0]} }

// Span returns how many numbers r has memory in use for: those up to the last one that was set.
func (r *Record) Span() int { return len(r.numbers) }

// Reserve gives r the memory for its numbers, which nobody else may use from then on. It is for stores that keep a record
// and its numbers in one piece, before any number was set.
func (r *Record) Reserve(memory []Num) { r.numbers = memory[:0] }

// Layout returns the layout that was passed to Reset, or nil for the zero Record.
func (r *Record) Layout() *Layout { return r.layout }

// Present reports whether there is a record at all.
func (r *Record) Present() bool { return r.fields>>recordSlot == 1 }

// SetPresent makes r present. Setting a field does so, too.
func (r *Record) SetPresent() { r.fields |= 1 << recordSlot }

// Expiry returns the time of expiry, or [NoExpiry]. It means nothing if the record is not present.
func (r *Record) Expiry() Expiry {
	if r.expiry == 0 {
		return NoExpiry
	}
	return r.expiry
}

// SetExpiry sets a time or [NoExpiry]. [KeepExpiry] changes nothing.
func (r *Record) SetExpiry(e Expiry) {
	if e != KeepExpiry {
		r.expiry = e
	}
}

// Has reports whether the field is present.
func (r *Record) Has(s Slot) bool { return r.fields>>s&1 == 1 }

// Num returns the number in s, and whether it is present.
func (r *Record) Num(s Slot) (Num, bool) {
	if int(s) >= len(r.numbers) || r.fields>>s&1 == 0 {
		return Num{}, false
	}
	return r.numbers[s], true
}

// Int64 returns the number in s: 0 if it is absent, and the nearest int64 if it does not fit.
func (r *Record) Int64(s Slot) int64 {
	n, _ := r.Num(s)
	return n.SaturateInt64()
}

// Text returns the text or the bytes in s, and whether they are present.
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

// CopyFrom makes r equal to o, in memory of its own.
func (r *Record) CopyFrom(o *Record) {
	r.fields, r.expiry = o.fields, o.expiry
	if r.layout != o.layout || r.texts != o.texts { // pointers are written only where they change: the collector may be told of each
		r.layout, r.texts = o.layout, o.texts
	}
	if cap(r.numbers) < len(o.numbers) {
		r.numbers = append(r.numbers[:0], o.numbers...)
		return
	}
	from, to := o.numbers, r.numbers[:len(o.numbers)]
	// One by one, because a processor that reads numbers in larger pieces, of which some were written just before, waits
	// until those have left its store buffer.
	for i := range from { //nolint:staticcheck // copy would read larger pieces
		to[i] = from[i]
	}
	r.numbers = to
}

// Equal reports whether both records have the same layout, presence, fields and expiry. Records that are not present are
// equal if their layouts are.
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

// Size returns the size that counts for [MaxRecord], in bytes: the lengths of names, texts and bytes, and 21 for each number,
// as the largest number takes in DynamoDB. The key does not count.
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

// grow makes room for exactly n numbers: there are many records, and they rarely grow twice.
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

// Int returns n as a Num.
func Int(n int64) Num { return num.FromInt64(n) }
