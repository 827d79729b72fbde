// Package local has the buckets by which one process decides while the store is out of reach, and keeps what they owe to the
// store.
//
// # The bound
//
// A local bucket has the limits of the bucket in the store, times a share s. A limit with capacity C tokens and a refill of R
// tokens per P has, in the local bucket, the capacity max(1, ⌊s·C⌋) and the refill R per ⌈P/s⌉. Its rate is therefore at most
// s·R/P. The token check is that of package bucket. So in any interval of length T, one process admits without the store at most
//
//	max(1, ⌊s·C⌋) + s·(R/P)·T
//
// tokens, minus what it refunds, and N processes at most N times that.
//
// Proof. Let y(t) be the instant t in units of the local rate, p the units of one token, and C′ the local capacity. The arrival
// time tat of a limit changes in three ways only. An admission of n tokens sets it to max(tat, y) + n·p, which the token check
// bounds by y + C′·p. An upward adjustment, which is no admission, adds to it. A refund of n tokens sets it to max(tat, y) − n·p. So an
// admission raises it by n·p at least, and a refund lowers it by n·p at most. Take the first admission in an interval, at t0, and the
// last one, at t1. After the first, tat is at least y(t0) + n·p; after the last, it is at most y(t1) + C′·p. So what is admitted, minus
// what is refunded in between, costs at most y(t1) − y(t0) + C′·p units: that is C′ tokens, and what the local rate yields in the
// interval. The argument does not use whether the store was reached meanwhile: a local bucket keeps its arrival time until it is full,
// also when the store is back. So the bound holds for all outages within the interval together, however often the store comes and goes,
// and includes the burst at the start of each. The process's clock must not step back; if it does, the bucket denies until the clock
// has caught up.
//
// A process that starts has full local buckets, and counts as another process. If the limits change, the deficit is converted as
// in the store; each change may admit one local capacity more. A limit whose local period would be above the longest legal one
// has a refill rounded down to whole tokens, or, below one token in 3,650 days, one token in 3,650 days.
//
// # What is owed
//
// All tokens that a local bucket has admitted or been adjusted by, net of refunds, are usage, which the store's counters get in
// full. The store's bucket is charged less: what was admitted since the last write-back, but at most the deficit that the local
// bucket has at that time. The rest has refilled meanwhile. A refund of what has been written back goes to the store's bucket
// too, up to what write-backs have charged: it never creates tokens there.
//
// The package does no I/O and reads no clock.
package local
