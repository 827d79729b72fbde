// Package peers measures the limiter beside the in-memory rate limiters that a Go program would otherwise use.
//
// Each contender answers one question: may this key do one more thing, under two limits at once? A peer knows one limit
// at a time, so it is asked twice, in two calls by the key which are not atomic: a refusal by the second limit leaves the
// first charged (only the reserve+cancel adapter gives it back, also not atomically). Where a peer has no keys of its own
// its limiters stand in a map per limit, once with a mutex per shard and once in a [sync.Map]. Ratios are taken to those.
// "paired" are adapters that find both limits of a key with one look-up of their own; they are shown beside. "floor" is
// about the least that two limits in one atomic step cost: two arrival times per key, no eviction, no configuration, no
// errors. "nothing" is the loop without a limiter.
//
// The comparison, about nine minutes on two cores. It prints one table per workload, then ours beside the fastest
// peer and the bounds:
//
//	go test -run TestRatios -ratios -v
//	go test -run TestRatios -ratios -v -workload hot/serial -among ours,failsafe,xtime,floor
//
// Contenders run in one process in turn, round after round in another order, so that a busy moment of the machine meets
// all of them; a ratio is the median over the rounds of ours divided by the peer's of the same round. Ratios carry over to other
// machines, nanoseconds do not. ns/op is processor time per goroutine over operations where no goroutine waits for
// another one, so that other programs do not count, and else wall time over operations. p50 and p99 are
// of single decisions, the clock's own cost included, from a histogram with steps of 6 %; there the goroutines also
// take turns, off the clock, every sixteen decisions. A denial by the first limit costs a peer one call, by the second
// one two: ours is held to the cheaper.
//
// The same loops as benchmarks, for profiles and for benchstat:
//
//	go test -run '^$' -bench 'Decide/hot/serial' -benchtime 200ms
//	go test -run '^$' -bench Heap
//	go test -run '^$' -bench . -benchtime 1x    # each once, on a hundredth of the keys
//
// Every run checks its own workload: the keys it was to touch were touched, admitted and denied add up to what was
// asked, nothing was denied where all is admitted, and nothing admitted where all is denied. A run that did something
// else fails, however fast it was. Heaps are weighed in a process for each contender. A plain go test proves each contender's limits and runs each workload once.
//
// Some peers do less than others: a fixed window (failsafe bursty, sethvargo) lets twice its limit through at a
// window's edge, a sliding one (httprate) estimates, and failsafe smooth has no burst at all: it is shown, but never
// counts as the fastest. The tables also name the fastest token bucket, which promises what ours does.
//
// Nothing here measures a store with I/O; package bench does.
package peers
