// Package bucket is the exact arithmetic of one limit: the continuous token bucket in integers.
//
// A [Limit] of capacity C refills R tokens in P nanoseconds. With g = gcd(R, P), r = R/g and p = P/g, one token costs
// p units and one nanosecond of time refills r units. All state of a limit is one number, its theoretical arrival time
// in units, as in the generic cell rate algorithm (ITU-T I.371, 1993), scaled so that it is an integer without rounding:
//
//	tat       = (instant at which the bucket will be full again, in ns since the Unix epoch) · r
//	y         = now · r
//	deficit   = max(0, tat − y) units; a bucket never seen has none: it is full
//	available = C − ceil(deficit / p) tokens; negative: debt
//	admit n   iff max(tat, y) + n·p ≤ y + C·p, and then tat ← max(tat, y) + n·p
//	admit 0   iff tat ≤ y + C·p, without effect
//	earliest  = ceil((tat + n·p − C·p) / r); never for n > C
//
// Nothing is rounded, so nothing drifts, however often a bucket is touched. Within the ranges of [Limit] and of
// [MinTime] to [MaxTime] every value fits 113 bits, the deepest debts 114; the one larger product, in [Convert], goes
// through math/big.
//
// Package bucket reads no clock, does no I/O and knows no floating point.
package bucket
