// Package cascade has what an acquire does with all buckets of its path: those of an entity and of its parents. [Path.Resolve] finds
// them and what the request needs of each. [Path.ChargeAll] charges all of them or none. A request that is known to be denied, or that
// takes no tokens, is decided without a write of its own. [Path.DecideLocally] decides by local buckets while the store is away.
//
// The package knows no policies, and does not choose who decides.
package cascade
