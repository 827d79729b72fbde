package num

import (
	"encoding/binary"
	"math"
	"math/big"
)

// 10^38, the first number with more than 38 digits, as halves: constants, so that
// Fits38 loads nothing.
const (
	ten38Hi = 5_421_010_862_427_522_170
	ten38Lo = 687_399_551_400_673_280
)

// Int64 returns a and true, or 0 and false if a is outside -2^63 .. 2^63-1.
func (a Int) Int64() (int64, bool) {
	if v := int64(a.lo); a.hi == v>>63 {
		return v, true
	}
	return 0, false
}

// SaturateInt64 returns the int64 nearest to a: a itself in -2^63 .. 2^63-1,
// else the bound on its side.
func (a Int) SaturateInt64() int64 {
	if v := int64(a.lo); a.hi == v>>63 {
		return v
	}
	if a.hi < 0 {
		return math.MinInt64
	}
	return math.MaxInt64
}

// Fits38 reports whether |a| < 10^38: whether a has at most the 38 significant
// digits that a DynamoDB number holds.
func (a Int) Fits38() bool {
	// The upper half decides, but for the two values that it has next to the bounds; small enough to be inlined.
	return uint64(a.hi)+ten38Hi-1 < 2*ten38Hi-1 || a.fits38ByBoth()
}

func (a Int) fits38ByBoth() bool {
	ten38 := Int{ten38Hi, ten38Lo}
	return a.Less(ten38) && ten38.Neg().Less(a)
}

// Big returns a as a new big.Int, which the caller owns.
func (a Int) Big() *big.Int {
	m := a.magnitude()
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], m.hi)
	binary.BigEndian.PutUint64(b[8:], m.lo)
	x := new(big.Int).SetBytes(b[:])
	if a.hi < 0 {
		x.Neg(x)
	}
	return x
}

// FromBig returns x and true, or 0 and false if x is nil or outside
// -2^127 .. 2^127-1. It does not keep x.
func FromBig(x *big.Int) (Int, bool) {
	if x == nil || x.BitLen() > 128 {
		return Int{}, false
	}
	var b [16]byte
	x.FillBytes(b[:])
	m := magnitude{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
	return m.signed(x.Sign() < 0)
}

// signed returns m, or -m if negative, and whether it is in -2^127 .. 2^127-1;
// 0 if it is not. Here m may be any unsigned 128-bit number.
func (m magnitude) signed(negative bool) (Int, bool) {
	a := Int{int64(m.hi), m.lo}
	if negative {
		a = a.Neg()
	}
	// Out of range shows as the wrong sign, except for zero, which has none.
	if a.hi < 0 != negative && a != (Int{}) {
		return Int{}, false
	}
	return a, true
}
