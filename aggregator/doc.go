// Package aggregator computes usage from the changes of a store: how many tokens each entity has consumed of each resource, by
// hour, day or month. It also archives expired audit events.
//
// # What counts
//
// The consumption of a change of a bucket is, for each limit, the field "used" after the change minus before it, and likewise
// for the number of acquires. A new limit counts from zero. A removed limit counts nothing, and neither does a bucket that
// expires. The window is that of the writer's clock at the time of the change, so a refund in a later window can make that
// window negative; the sum of all windows of one kind is what was consumed.
//
// A bucket that is removed before it expires was deleted with its entity or namespace, and its usage is deleted too.
//
// # Exactly once
//
// The version of a bucket grows with each write. A snapshot stores the version of the last change that it includes, and is
// written on the condition that this version is lower than that of the first new change. Changes may therefore be delivered
// again, in other batches, after a crash, and to several processes at once: a snapshot skips changes that it includes. The
// changes of one key must come in order, as [backend.FeedFunc] and DynamoDB Streams deliver them.
//
// # Where it runs
//
// On DynamoDB, [Aggregator.Process] runs in a Lambda function that reads the table's stream; see package lambda. In one process,
// with a store that keeps its changes, use [Count]:
//
//	store, err := aggregator.Count(memory.New(&memory.Options{Feed: true}), nil)
//	limiter, err := engine.New(store, nil)
//
// Package aggregator does not depend on any driver, and does not query usage: the engine does.
package aggregator
