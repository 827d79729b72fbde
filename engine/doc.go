// Package engine is a rate limiter for limits that must really hold, over any store that keeps the contract of package
// backend.
//
// An entity (a user, an API key, a tenant) uses a resource (a model, an API). For each such pair there is one bucket,
// holding named limits such as rpm and tpm. [Limiter.Acquire] takes tokens from all limits of the bucket, and of the
// buckets of the entity's parents where it cascades, or from none. The [Lease] it returns corrects the amount afterwards
// ([Lease.Adjust], debt allowed), commits, or rolls back; [Limiter.Do] does all of it around a function.
//
// An entity's id is whatever the program calls it: any valid UTF-8 of 1 to 256 bytes without control characters, compared byte
// by byte. Resources have 1 to 128 bytes: letters, digits and _.-:/, beginning with a letter or digit.
//
// The gate never over-admits: over any interval T, the tokens admitted minus those refunded are at most
// capacity + rate·T, whatever the number of processes, retries, lost replies and crashes. Every decision is that of the
// ideal continuous token bucket, in exact arithmetic. Charges by force (adjusting upwards) may lead to debt, which blocks
// the bucket until it is refilled.
//
// Limits are stored, for an entity and resource, an entity, a resource or the system: the first level that has any
// supplies all of them ([Limiter.Explain]). Request.Limits are used where nothing is stored, and Request.Override is used
// instead of what is stored. A change of the limits takes effect in a bucket at the next acquire by a process that knows
// the change. Other processes look for changes once in Options.FollowInterval while they are used, and also learn of a change
// when the store refuses one of their writes. [Limiter.Refresh] makes a process use all changes at once.
//
// A [Setting] is one part of the configuration. A manifest is a name for settings that are declared together. It manages
// the settings that [Limiter.ApplyManifest] sets in its name: many settings in few commits, with an audit event for each.
//
// Time is Options.Now; nothing else reads a clock, so programs can be tested without waiting (the memory store does no
// I/O). Clocks of several processes may disagree by s: that adds rate·s to the bound, once.
//
// Trouble with the store is [ErrUnavailable], bounded by Options.Timeout, and the only thing that a [Policy] lets
// through. Under [PolicyLocal] each process decides by its share of the limits meanwhile, and writes back what it has
// admitted. Bad input is a [ValidationError] or one of the other errors of this package before anything is done; a denial
// is an [ExceededError], which tells what is available and when to come again. All work with errors.Is and errors.As.
//
// Package engine does not depend on any particular store, and deploys nothing.
package engine
