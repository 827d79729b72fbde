// Package num is the number of the records: a signed 128-bit integer, held by value.
//
// The limiter keeps points in time in units that are small enough for every limit to be exact, which takes more than
// 64 bits. Its numbers have at most 38 decimal digits, which is what DynamoDB stores without rounding and what
// [Int.Fits38] reports. backend.Num is another name of [Int].
//
// An [Int] ranges over -2^127 .. 2^127-1 (about ±1.7e38) in two's complement. It is comparable with ==, usable as a map
// key, and its zero value is 0. All methods have value receivers, except UnmarshalText, so that Ints are safe for
// concurrent use in the way that int64 is.
//
// A store writes a number in one of two forms, and neither loses a digit: as decimal text ([Int.AppendText] and
// [Parse]), or as 16 bytes ([Int.AppendBinary] and [FromBinary]). In JSON a number is a string.
//
// [Int.Add], [Int.Sub] and [Int.Neg] wrap around. [Int.AddChecked] reports whether the sum wrapped around. The sum of
// two exact products of 64-bit numbers ([Mul64]) never wraps around, unless all four factors are the least int64.
//
// Arithmetic, comparison, division and the appending codecs do not allocate; String, MarshalText, Big and the errors
// do.
//
// The package is not a general library for large integers: there is no 128 by 128 multiplication or division, no
// shifting, no formatting in other bases, and no floating point.
package num
