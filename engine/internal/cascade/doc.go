// Package cascade has what an acquire does with all buckets of its path: those of an entity and of its parents. [Path.ChargeAll] charges
// all of them or none. A request that is known to be denied, or that takes no tokens, is decided without a write of its own.
//
// The package does not find out which buckets are on a path.
package cascade
