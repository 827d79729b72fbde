// Package sim runs fleets of processes in virtual time, with the real limiter in each of them: an [engine.Limiter] for each
// process, over one store in memory whose writes take 4 to 15 ms with a tail to 200 ms, and that throttles a record above
// 1,000 writes a second, as DynamoDB does. Its tables show what prefetch and Wait cost, what they admit, and how far they stay below their bounds.
//
// The simulation is a test, since virtual time is that of testing/synctest, which needs a test:
//
//	go test ./bench/sim                                       # a short version of each table, and the bounds that it must keep
//	go test ./bench/sim -run TestTablesPrefetch -v            # with the rows
//	make sim                                                  # the full tables, which take most of an hour
//	go test ./bench/sim -run TestTablesPrefetch/lost -v -timeout 1h -args -sim.full -sim.seed 7
//
// Each table prints its seed. Equal seeds give equal arrivals, amounts and latencies. Which of two goroutines runs first at the same
// instant is up to Go's scheduler, so figures of equal seeds may differ in their last digit.
//
// Package sim contains no code besides its tests.
package sim
