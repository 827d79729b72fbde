package num

import "math/bits"

// DivCeil returns a/d rounded toward +inf. The result always fits.
// It panics with ErrDivisor unless d > 0.
func (a Int) DivCeil(d int64) Int {
	q, exact := a.magnitude().div(d)
	if a.hi < 0 {
		return q.Neg()
	}
	if !exact {
		return q.Add(Int{0, 1})
	}
	return q
}

// DivFloor returns a/d rounded toward -inf. The result always fits.
// It panics with ErrDivisor unless d > 0.
func (a Int) DivFloor(d int64) Int {
	q, exact := a.magnitude().div(d)
	if a.hi >= 0 {
		return q
	}
	if !exact {
		q = q.Add(Int{0, 1})
	}
	return q.Neg()
}

// magnitude is |a|, unsigned, in 0 .. 2^127.
type magnitude struct{ hi, lo uint64 }

// magnitude returns |a|; unlike Neg it is right for -2^127 too.
func (a Int) magnitude() magnitude {
	if a.hi < 0 {
		a = a.Neg()
	}
	return magnitude{uint64(a.hi), a.lo}
}

// div returns m/d rounded toward zero, and whether nothing was left over.
// The quotient 2^127, which is 2^127/1, reads as the Int -2^127.
func (m magnitude) div(d int64) (q Int, exact bool) {
	if d <= 0 {
		panic(ErrDivisor)
	}
	u := uint64(d)
	if m.hi == 0 {
		lo := m.lo / u
		return Int{0, lo}, lo*u == m.lo
	}
	var hi uint64
	if m.hi >= u {
		hi = m.hi / u
	}
	lo, rest := bits.Div64(m.hi-hi*u, m.lo, u)
	return Int{int64(hi), lo}, rest == 0
}
