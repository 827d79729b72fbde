package num

import "math/bits"

// Int is a signed integer in -2^127 .. 2^127-1. The zero value is 0.
// Two Ints are equal exactly when they are ==.
type Int struct {
	hi int64  // the upper 64 bits, with the sign
	lo uint64 // the lower 64 bits
}

// FromInt64 returns v; every int64 fits.
func FromInt64(v int64) Int {
	return Int{v >> 63, uint64(v)}
}

// FromParts returns hi*2^64 + lo, the two's complement halves of a number.
// Every pair is a number, and every number is exactly one pair.
func FromParts(hi int64, lo uint64) Int {
	return Int{hi, lo}
}

// Parts returns the halves of a, so that a = hi*2^64 + lo; the inverse of FromParts.
func (a Int) Parts() (hi int64, lo uint64) {
	return a.hi, a.lo
}

// Mul64 returns the exact product a*b. It cannot overflow: the result is in
// -2^126+2^63 <= p <= 2^126.
func Mul64(a, b int64) Int {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// A negative factor was read as 2^64 too large: take the other factor off the upper half.
	hi -= uint64(a>>63)&uint64(b) + uint64(b>>63)&uint64(a)
	return Int{int64(hi), lo}
}

// Add returns a+b modulo 2^128: it wraps around if the sum is outside
// -2^127 .. 2^127-1. AddChecked tells.
func (a Int) Add(b Int) Int {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(uint64(a.hi), uint64(b.hi), carry)
	return Int{int64(hi), lo}
}

// Sub returns a-b modulo 2^128: it wraps around if the difference is outside
// -2^127 .. 2^127-1.
func (a Int) Sub(b Int) Int {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	hi, _ := bits.Sub64(uint64(a.hi), uint64(b.hi), borrow)
	return Int{int64(hi), lo}
}

// Neg returns -a. It wraps around for one number: the negative of -2^127 is itself.
func (a Int) Neg() Int {
	return Int{}.Sub(a)
}

// AddChecked returns a+b and true, or, if the sum is outside
// -2^127 .. 2^127-1, the sum wrapped around as by Add and false.
func (a Int) AddChecked(b Int) (Int, bool) {
	sum := a.Add(b)
	// It overflowed exactly when both terms have the sign that the sum has not.
	return sum, (a.hi^sum.hi)&(b.hi^sum.hi) >= 0
}
