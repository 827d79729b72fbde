// Package aggregator makes usage of what changes in a store: it adds up, by hour, day or month, how many tokens each entity
// consumed of each resource, and keeps audit events beyond their time in an archive.
//
// # What counts
//
// A change of a bucket consumed, of each limit, what "used" is after it less what it was before, and likewise for acquires.
// A limit that was not there before counts from zero, one that is not there any more counts nothing, and neither does a
// bucket that goes because it expired. The window is that of the writer's clock at the change, so a give-back in a later
// window may make that window negative, and the sum of all windows of a kind is what was consumed.
//
// A bucket that goes before its expiry was deleted with its entity or namespace, and takes its usage with it.
//
// # Exactly once
//
// A bucket's version grows with each write. A snapshot remembers the version of the last change that it has taken in, and is
// written on condition that this is below the first of those that come: so changes may come again, in batches cut anew,
// after a crash, and to several processes at once. What a snapshot has already is skipped. Changes of one key must come
// in order, as [backend.FeedFunc] and DynamoDB Streams give them.
//
// # Where it runs
//
// On DynamoDB [Aggregator.Process] runs in a Lambda behind the table's stream, see package lambda. In one process, over a store
// that keeps its changes, [Count] is all that is needed:
//
//	store, err := aggregator.Count(memory.New(&memory.Options{Feed: true}), nil)
//	limiter, err := engine.New(store, nil)
//
// Package aggregator knows no store by name, and does not read usage: the engine does.
package aggregator
