package num

import "errors"

// The errors of Parse and UnmarshalText, for errors.Is.
var (
	// ErrSyntax says that the text is not an optional '-' and one or more of the digits 0 to 9.
	ErrSyntax = errors.New("num: not a decimal integer")
	// ErrRange says that the text is a number outside -2^127 .. 2^127-1.
	ErrRange = errors.New("num: number out of range")
)

// The error of FromBinary, for errors.Is.
var (
	// ErrLength says that the encoding is not exactly 16 bytes long.
	ErrLength = errors.New("num: encoding is not 16 bytes")
)

// The value with which DivCeil and DivFloor panic.
var (
	// ErrDivisor says that the divisor was zero or negative.
	ErrDivisor = errors.New("num: divisor is not positive")
)
