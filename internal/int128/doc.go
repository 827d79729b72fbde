// Package int128 is a signed 128-bit integer held by value.
//
// An [Int] ranges over -2^127 .. 2^127-1 (about ±1.7e38) in two's complement.
// It is comparable with ==, usable as a map key, and its zero value is 0.
// Arithmetic, comparison, division and the appending codecs do not allocate;
// String, MarshalText, Big and the errors do.
//
// Add, Sub and Neg wrap around; AddChecked says when it would have. The sum of
// two exact products of 64-bit numbers ([Mul64]) never wraps unless all four
// factors are the least int64.
//
// It is not a general bignum: there is no 128 by 128 multiplication or
// division, no shifting, no formatting in other bases, and no floating point.
package int128
