package num

import "errors"

// What Parse and UnmarshalText answer; test with errors.Is.
var (
	// ErrSyntax says that the text is not an optional '-' and one or more of the digits 0 to 9.
	ErrSyntax = errors.New("num: not a decimal integer")
	// ErrRange says that the text is a number outside -2^127 .. 2^127-1.
	ErrRange = errors.New("num: number out of range")
)

// What FromBinary answers; test with errors.Is.
var (
	// ErrLength says that the encoding is not exactly 16 bytes long.
	ErrLength = errors.New("num: encoding is not 16 bytes")
)

// What DivCeil and DivFloor panic with.
var (
	// ErrDivisor says that the divisor was zero or negative.
	ErrDivisor = errors.New("num: divisor is not positive")
)
