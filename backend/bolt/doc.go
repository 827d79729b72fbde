// Package bolt is a store in one file, durable and for one process at a time, over bbolt.
//
// A write has returned when it is on the disk; what was acknowledged survives the death of the process at any moment.
// A batch in which nothing took effect is rolled back, so a refused write costs no sync. Besides package backend's
// promises the store keeps Durable, Feed (when opened with it), Sweep, Scan and Max.
//
// # One sync for many writers
//
// The first writer to arrive leads: it judges and commits everything that waits, in one transaction of bbolt, and then
// hands the lead to the next that waits. No timer is involved and no goroutine started. A waiter whose context ends
// leaves the queue with nothing written; once a leader has picked it up it returns at once with an unknown outcome, and
// its write, of which the leader has a copy, stays in the batch. A leader finishes its batch.
//
// Where a commit fails the batch is not applied, and every writer in it is told so; the store goes on when the cause
// has gone (a full disk, for one). Only where the new state can be seen although its commit failed is the outcome
// unknown: it was written, but perhaps not synced.
//
// # The file
//
// It never shrinks: the pages of records that went are used for others. [Compact] rewrites it at its least size.
//
// It has these buckets:
//
//	meta      the name of the format and its version
//	records   key → record
//	index     namespace, partition and sort of the place, partition and sort of the key → nothing
//	expiry    instant, key → nothing: no record expires before its instant here, which is moved lazily
//	feed      number, ascending → key, record before, record after
//
// The parts of a key are escaped (0x00 becomes 0x00 0xFF) and ended by 0x00 0x01, which keeps the order of their bytes
// and lets no two keys meet. A record has its expiry, its instant in the bucket expiry, its place, and its fields by
// their names, so that a layout may gain fields. A record with a field that the caller's layout does not know was
// written by a newer program: it is refused with ErrInvalid, since a write would lose that field.
//
// Open looks at an existing file without writing to it, and refuses what is damaged, what is another program's (both
// backend.ErrCorrupt), and other versions of the format. A bbolt file has two copies of its first page; one that is
// damaged is refused too, because the other copy alone could be a step behind what was acknowledged.
//
// Package bolt is not for several processes on one file, nor for file systems without locks and syncs.
package bolt
