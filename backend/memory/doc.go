// Package memory is a store in the memory of one process: exact, fast, and gone when the process ends.
//
// It keeps every promise of package backend and refuses what production would refuse, so it is the store for tests, for
// development and for programs that run once. It needs no I/O, and has the powers Feed (with Options.Feed), Sweep, Scan and Max.
//
// # How it works
//
// Records stand in hash tables, one for each shard. A shard's lock guards what there is: a write that makes, moves
// or removes a record holds it alone. A record's own spin lock guards what it says: a write that only changes values
// holds that one, for tens of nanoseconds. The write's Memo is the record itself, so that the next write neither
// hashes nor looks up; a record that was removed is empty, and a memo of it is looked up again.
//
// Locks are taken in one order: shards by number, then the order of listing, then records. Who holds more than one
// record holds all their shards, so no circle can close.
//
// The order of keys is not kept until somebody lists or scans for the first time; then it is built, shard by shard, and
// kept. A program that never lists pays nothing for it.
//
// Package memory is not a cache in front of another store, and keeps nothing across restarts.
package memory
