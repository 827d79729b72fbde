// Package conformance proves that a store keeps the contract of package backend, and that the limiter keeps its guarantees
// over the store. The tests of a store, in an external test package, call it:
//
//	func open(t testing.TB) backend.Backend { return mustOpen(t, t.TempDir()) } // new and empty each time
//
//	func TestConformance(t *testing.T)   { conformance.Run(t, open) }
//	func TestModel(t *testing.T)         { conformance.RunModel(t, open) }
//	func TestEngine(t *testing.T)        { conformance.RunEngine(t, open) }
//	func FuzzModel(f *testing.F)         { conformance.Fuzz(f, open) }
//	func BenchmarkStore(b *testing.B)    { conformance.Benchmark(b, open) }
//
// If the store has the capabilities, they also call [RunScan], [RunSweep], [RunFeed], [RunUsage] and [RunMax], and
// [RunDurable] if it keeps its records when it is closed. docs/writing-a-backend.md explains how to write a store, how to
// run the suite, and how to read its failures.
//
// # The contract
//
// [Run] has one subtest for each promise of the contract, of the same name, and below it one for each side of the promise,
// each with a store of its own. If a store has a mistake, the promise that it breaks fails, and as few others as possible:
// the suite is tested on stores that are broken on purpose, each of which fails its own promise alone. A failure says what
// the promise means, where the guide explains it, and how to run it again. After every subtest the suite compares reads,
// listings and scan of the whole store, if it can be scanned.
//
// [RunModel] gives the store and a model of the contract the same random operations, and [Compare] does so with several
// stores. What the contract leaves open, such as which of several reasons a refused commit names, is left open there, too.
// A failure is reduced to a short list of operations, and printed with the flags that run it again.
//
// Subtests never sleep and read no clock. If the contract allows a store to lag, in an index listing or a feed, they ask
// again for up to ten seconds; a store that does not lag is asked once. A write that returns ErrContention is sent again.
//
// # The limiter
//
// [RunEngine] proves that a limiter over the store keeps its guarantees: many processes race, requests fail, and clocks
// disagree. It has one subtest for each outcome that a store can spoil; outcomes that no store decides are tests of package
// engine.
//
// Requests are made to fail by a [limitertest.Fault], which tests of stores can use, too: it counts what happened to which requests, so that
// a test can prove that its fault occurred.
//
// Package conformance has no part in a running program, and knows no store by name.
package conformance
