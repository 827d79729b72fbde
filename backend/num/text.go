package num

import (
	"fmt"
	"math/bits"
	"strconv"
)

const (
	// chunk is 10^19, the largest power of ten in a uint64.
	chunk       = 10_000_000_000_000_000_000
	chunkDigits = 19
	// maxDigits is the number of digits of 2^127.
	maxDigits = 39
	// maxText is the length of the longest text, that of -2^127.
	maxText = maxDigits + 1
	// maxQuote is how much of a bad text an error repeats.
	maxQuote = 64
)

// String returns a in decimal: an optional '-' and at most 39 digits without
// leading zeros.
func (a Int) String() string {
	var buf [maxText]byte
	return string(a.appendDecimal(buf[:0]))
}

// AppendText appends the decimal form that String returns. The error is always nil.
func (a Int) AppendText(dst []byte) ([]byte, error) {
	return a.appendDecimal(dst), nil
}

// MarshalText returns the decimal form that String returns. The error is always
// nil. In JSON the number is thus a string, which no reader rounds to a float.
func (a Int) MarshalText() ([]byte, error) {
	return a.appendDecimal(make([]byte, 0, maxText)), nil
}

// UnmarshalText sets a to the number in text, with the errors of Parse;
// on an error a is unchanged.
func (a *Int) UnmarshalText(text []byte) error {
	v, err := parse(text)
	if err != nil {
		return fmt.Errorf("%w: %q", err, text[:min(len(text), maxQuote)])
	}
	*a = v
	return nil
}

// Parse reads a decimal number in -2^127 .. 2^127-1: an optional '-' and one or
// more of the digits 0 to 9, leading zeros allowed, and nothing else (no '+', no
// space, no underscore). Other text is an ErrSyntax, a larger number an ErrRange.
func Parse(s string) (Int, error) {
	v, err := parse(s)
	if err != nil {
		return Int{}, fmt.Errorf("%w: %q", err, s[:min(len(s), maxQuote)])
	}
	return v, nil
}

func (a Int) appendDecimal(dst []byte) []byte {
	m := a.magnitude()
	if a.hi < 0 {
		dst = append(dst, '-')
	}
	if m.hi == 0 {
		return strconv.AppendUint(dst, m.lo, 10)
	}
	// m <= 2^127, so the upper half is less than chunk and head fits.
	head, tail := bits.Div64(m.hi, m.lo, chunk)
	dst = strconv.AppendUint(dst, head, 10)
	var buf [chunkDigits]byte
	for i := chunkDigits - 1; i >= 0; i-- {
		buf[i] = '0' + byte(tail%10)
		tail /= 10
	}
	return append(dst, buf[:]...)
}

// parse is Parse with the bare sentinel as its error.
func parse[T string | []byte](s T) (Int, error) {
	negative := len(s) > 0 && s[0] == '-'
	if negative {
		s = s[1:]
	}
	if len(s) == 0 {
		return Int{}, ErrSyntax
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return Int{}, ErrSyntax
		}
	}
	for len(s) > 1 && s[0] == '0' {
		s = s[1:]
	}
	if len(s) > maxDigits {
		return Int{}, ErrRange
	}
	cut := max(0, len(s)-chunkDigits)
	head, ok := digits(s[:cut])
	if !ok {
		return Int{}, ErrRange
	}
	tail, _ := digits(s[cut:]) // at most 19 digits always fit
	hi, lo := bits.Mul64(head, chunk)
	lo, carry := bits.Add64(lo, tail, 0)
	v, ok := magnitude{hi + carry, lo}.signed(negative)
	if !ok {
		return Int{}, ErrRange
	}
	return v, nil
}

// digits returns the value of at most 20 decimal digits; false if it exceeds a uint64.
func digits[T string | []byte](s T) (uint64, bool) {
	var v uint64
	for i := range len(s) {
		over, times := bits.Mul64(v, 10)
		sum, carry := bits.Add64(times, uint64(s[i]-'0'), 0)
		if over|carry != 0 {
			return 0, false
		}
		v = sum
	}
	return v, true
}
