// Package load sends limiters open-loop load and checks that they hold their bound.
//
// Arrivals are scheduled by a clock that replies do not touch, and latency counts from an arrival's scheduled time: a store
// that stalls is charged with all that would have come meanwhile. While it runs, a ledger adds up for each limit of each
// bucket what was admitted and given back, and holds that against capacity + rate·T over every interval, in whole
// numbers. Who calls it makes the limiters, with a [Meter] as their observer, and owns the store.
//
// Package load prints nothing, reads no clock but the one it is given, and makes no limits.
package load
