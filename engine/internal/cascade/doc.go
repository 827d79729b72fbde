// Package cascade decides an acquire over all buckets of its path: those of an entity and of its parents. [Path.Resolve] finds the
// buckets, and what the request needs of each. Package engine then calls one of these:
//
//	ChargeAll        charges all of the buckets or none (cascade.go)
//	DenyKnown        denies without a write (denial.go)
//	DenyBeyond       denies what is larger than a capacity (denial.go)
//	DecideByReading  decides a request that takes no tokens (reading.go)
//	DecideLocally    decides by local buckets, while the store is away (local.go)
//
// [Path.Fill] then says what the decision saw. The package knows no policies.
package cascade
