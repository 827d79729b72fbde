package num

// Cmp returns -1 if a < b, 0 if a = b, and +1 if a > b.
func (a Int) Cmp(b Int) int {
	switch {
	case a.Less(b):
		return -1
	case a == b:
		return 0
	default:
		return 1
	}
}

// Less reports whether a < b.
func (a Int) Less(b Int) bool {
	return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo
}

// LessEq reports whether a <= b.
func (a Int) LessEq(b Int) bool {
	return a.hi < b.hi || a.hi == b.hi && a.lo <= b.lo
}

// Sign returns -1, 0 or +1: the sign of a.
func (a Int) Sign() int {
	switch {
	case a.hi < 0:
		return -1
	case a == Int{}:
		return 0
	default:
		return 1
	}
}

// IsZero reports whether a is 0.
func (a Int) IsZero() bool {
	return a == Int{}
}

// Max returns the larger of a and b.
func Max(a, b Int) Int {
	if a.Less(b) {
		return b
	}
	return a
}

// Min returns the smaller of a and b.
func Min(a, b Int) Int {
	if b.Less(a) {
		return b
	}
	return a
}
