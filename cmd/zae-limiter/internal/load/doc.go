// Package load sends an open-loop load to limiters and checks that the limits hold.
//
// Arrivals follow a schedule that does not depend on replies, and latency counts from the scheduled time of an arrival, so a store
// that stalls is measured with all arrivals during the stall. Meanwhile, a ledger sums the tokens admitted and refunded for each
// limit of each bucket, and compares them with capacity + rate·T over every interval T, in exact integers. The caller creates the
// limiters, with a [Meter] as their observer, and owns the store.
//
// Package load does not print, does not configure limits, and uses only the clock in its options.
package load
