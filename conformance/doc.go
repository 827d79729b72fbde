// Package conformance is the proof that a store keeps the contract of package backend, and that the engine does over it
// what its users rely on. The test of a new store, in an external test package, calls it in five lines:
//
//	func open(t testing.TB) backend.Backend { return mustOpen(t, t.TempDir()) } // fresh and empty, each time
//
//	func TestConformance(t *testing.T)   { conformance.Run(t, open) }
//	func TestModel(t *testing.T)         { conformance.RunModel(t, open) }
//	func TestEngine(t *testing.T)        { conformance.RunEngine(t, open) }
//	func FuzzModel(f *testing.F)         { conformance.Fuzz(f, open) }
//	func BenchmarkStore(b *testing.B)    { conformance.Benchmark(b, open) }
//
// and, where the store has these powers, [RunFeed] and [RunUsage], [RunSweep], [RunScan], [RunMax] and [RunDurable].
//
// # The contract
//
// [Run] has one subtest for each promise of the contract, of the same name, and below it one for each side of it, with
// a store of its own. When a store has a bug, the promise that it breaks fails, and as few others as can be: the suite
// is run on stores that are broken on purpose, each of which must fail its own promise alone. After every subtest the
// store is looked over, if it can be scanned: reads, listings and scan must agree.
//
// [RunModel] asks the store and a model the same random things, and [Compare] several stores: what the model leaves
// open, such as the reason of several for which a commit is refused, is left open there too. rapid makes failures
// small, and prints how to run them again.
//
// Subtests never sleep and read no clock. Where the contract lets a store take its time (an index listing, a feed), they
// ask again, up to ten seconds; a store that is complete at once is asked once. ErrContention is always tried again.
//
// # Faults
//
// [Fault] wraps a store and lets requests go wrong: fail before they are sent, be carried out and reported lost, be
// carried out late, hang with and without regard for the context, lose races; by a [Plan], which may look at the number
// of the call, its operation and its keys, or draw by a seed. It counts what befell which requests, so that a test can
// prove that its fault was met.
//
// Package conformance has no part in a running program, and knows no store by name.
package conformance
