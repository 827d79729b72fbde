package pocket

import (
	"math"
	"math/bits"
)

// Tokens are amounts by position in the limit set.
type Tokens []int64

// mostSum bounds sums of tokens, so that they can be multiplied by heldNum: a request may ask for 10^15 tokens.
const mostSum = 1_000_000_000_000_000_000

func (t Tokens) add(u Tokens) {
	for i, n := range u {
		t[i] += n
	}
}

func (t Tokens) sub(u Tokens) {
	for i, n := range u {
		t[i] -= n
	}
}

// moveFrom adds all of u to t and leaves u empty.
func (t Tokens) moveFrom(u Tokens) {
	t.add(u)
	clear(u)
}

func (t Tokens) isZero() bool {
	for _, n := range t {
		if n != 0 {
			return false
		}
	}
	return true
}

func (t Tokens) covers(u Tokens) bool {
	for i, n := range u {
		if t[i] < n {
			return false
		}
	}
	return true
}

// scale is floor(a·b/c), saturated; a and b below 0 count as 0, c is above 0.
func scale(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(max(0, a)), uint64(max(0, b)))
	if hi >= uint64(c) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(min(q, math.MaxInt64))
}
