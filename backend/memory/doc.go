// Package memory is a store in the memory of one process: exact, fast, and gone when the process ends.
//
// It keeps every promise of package backend and refuses what the stores in production refuse, so it is the store for
// tests, for development and for programs that run once:
//
//	limiter, err := engine.New(memory.New(nil), nil)
//
// It needs no I/O, and has the powers Feed (with Options.Feed), Sweep, Scan and Max.
//
// # How it works
//
// Records are in hash tables, one for each shard. The lock of a shard guards which records there are: a write that
// creates, moves or removes a record holds it alone. A spin lock of each record guards its values: a write that only
// changes values holds that one, for tens of nanoseconds. The Memo of a write is the record itself, so that the next
// write neither hashes the key nor looks it up. A record that was removed is empty, and a memo of it is ignored.
//
// Locks are taken in one order: shards by number, then the order of listing, then records. A call that locks more than
// one record holds all their shards, so that no two calls wait for each other.
//
// The order of keys is not kept before the first listing or scan, which builds it, shard by shard; from then on it is
// kept. A program that never lists pays nothing for it.
//
// Package memory is not a cache in front of another store, and keeps nothing across restarts.
package memory
