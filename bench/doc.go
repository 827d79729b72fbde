// Package bench measures the limiter on its stores, beside the least that each store costs by itself, and holds it to
// its prices.
//
// The price of each operation in calls to the store, and that a denial on bbolt commits nothing, are tests:
//
//	go test ./bench
//
// The comparison with what bbolt does by itself takes about two minutes. Contenders run in turn in one process, in many
// short rounds, so that a busy moment of the machine or its disk meets all of them; a ratio is the median over the rounds of one's
// time divided by the other's of the same round. It prints a table per workload, and one of the bounds, kept or OVER:
//
//	go test ./bench -run TestRatios -ratios -v
//	go test ./bench -run TestRatios -ratios -v -workload durable -rounds 200
//
// Ratios carry over to other machines, nanoseconds do not. Files are made in the folder that TMPDIR names: on a disk,
// where the figures are to mean anything.
//
// The benchmarks, each store with the same scenarios; the number behind a scenario's name is that of its goroutines:
//
//	go test ./bench -run '^$' -bench 'Bolt/hot/64'
//	go test ./bench -run '^$' -bench . -benchtime 1x    # each once, on few keys
//
// Contenders whose names begin with "floor" have no limiter: floor-apply sends the store the very write that a limiter would
// send, floor-update and floor-batch read and write 16 bytes in a bbolt file of their own. To compare two commits, run on each,
// and then compare:
//
//	go test ./bench -run '^$' -bench . -benchmem -count 6 | tee old.bench
//	go tool -modfile=tools/go.mod benchstat old.bench new.bench
//
// or, shorter, make bench NEW=old.bench on one, make bench on the other, and make bench-compare. To see where the time goes: add -cpuprofile cpu.out to a benchmark, and
// go tool pprof -top cpu.out.
//
// Every run checks its own workload: admitted and denied add up to what was asked, and the store's records of exactly
// the keys that were to be met, and of their parents, say the same. A run that did something else fails, however fast it was.
//
// Package bench does not compare with other rate limiters, which is what the module in bench/peers is for.
package bench
