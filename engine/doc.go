// Package engine is a rate limiter whose limits hold exactly, over any store that keeps the contract of package backend.
//
// An entity (a user, an API key, a tenant) uses a resource (a model, an API). For each such pair there is one bucket,
// with named limits such as rpm and tpm. [Limiter.Acquire] takes tokens from all limits of the bucket, or from none; if the
// entity cascades, the buckets of its parents are charged too. The [Lease] that it returns corrects the amount afterwards
// ([Lease.Adjust], which may lead to debt), commits, or rolls back. [Limiter.Do] does all of this around a function.
//
// An entity's id is whatever the program calls it: any valid UTF-8 of 1 to 256 bytes without control characters, compared byte
// by byte. Resources have 1 to 128 bytes: letters, digits and _.-:/, beginning with a letter or digit.
//
// The token check never over-admits: over any interval T, the tokens admitted minus those refunded are at most
// capacity + rate·T, whatever the number of processes, retries, lost replies and crashes. Every decision is that of the
// ideal continuous token bucket, in exact arithmetic. Adjusting a lease upwards is not checked and may lead to debt: then the
// bucket denies all requests until the debt has refilled. [PrefetchOptions], [PolicyAllow] and [PolicyLocal] admit more.
//
// Limits are stored for an entity and resource, an entity, a resource, or the system: the first of these levels that has any
// supplies all of them ([Limiter.Explain]). Request.Limits are used if no limits are stored, and Request.Override is used in
// place of stored limits. A change of the limits takes effect in a bucket at the next acquire by a process that knows
// the change. Other processes look for changes once in Options.FollowInterval while they are used, and also learn of a change
// when the store refuses one of their writes. [Limiter.Refresh] makes a process use all changes at once.
//
// A [Setting] is one part of the configuration. A manifest is a name for settings that are declared together. It manages
// the settings that [Limiter.ApplyManifest] sets in its name: many settings in few commits, with an audit event for each.
//
// Time is Options.Now; nothing else reads a clock, so programs can be tested without waiting (the memory store does no
// I/O). Clocks of several processes may disagree by s: that adds rate·s to the bound, once.
//
// If the store cannot be reached, a call fails with [ErrUnavailable] within Options.Timeout. It is the only error that a [Policy]
// can turn into an admission. Under [PolicyLocal] each process then decides by its share of the limits, and later writes back
// what it has admitted. For bad input, calls return a [ValidationError] or one of the other errors of this package, and do nothing.
// A denial is an [ExceededError], which says what is available and when to retry. All work with errors.Is and errors.As.
//
// Package engine does not depend on any particular store, and deploys nothing.
package engine
