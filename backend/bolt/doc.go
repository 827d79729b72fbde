// Package bolt is a store in one bbolt file, durable and for one process at a time.
//
//	store, err := bolt.Open("/var/lib/app/limiter.db", nil)
//
// A write returns after it is on the disk, so that what was acknowledged survives the death of the process at any moment.
// A batch in which no write took effect is rolled back, so that a refused write costs no sync. Besides the promises of
// package backend the store keeps Durable, Sweep, Scan, Max and, with Options.Feed, Feed.
//
// # One sync for many writers
//
// The first writer to arrive becomes the leader: it checks and commits all writes that wait, in one transaction of bbolt,
// and then the next writer that waits becomes the leader. There is no timer and no goroutine. A writer whose context ends
// while it waits leaves the queue, and nothing is written. If a leader has taken its write already, the writer returns at
// once with an unknown outcome, and the write stays in the batch, because the leader has a copy of it. A leader always
// finishes its batch.
//
// If a commit fails, the batch is not applied, and all its writers get an error. The store works again when the cause is
// gone, for example a full disk. Only if the new state is visible although its commit failed is the outcome unknown: it
// was written, but perhaps not synced.
//
// # The file
//
// The file never shrinks: the pages of removed records are used for others. [Compact] rewrites it at its least size.
//
// It has these buckets:
//
//	meta      the name of the format and its version
//	records   key → record
//	index     namespace, partition and sort of the place, partition and sort of the key → nothing
//	expiry    time, key → nothing: no record expires before its time here, which is moved lazily
//	feed      number, ascending → key, record before, record after
//
// The parts of a key are escaped (0x00 becomes 0x00 0xFF) and followed by 0x00 0x01, which keeps the order of their bytes
// and keeps different keys different. A record has its expiry, its time in the bucket expiry, its place, and its fields by
// their names, so that a later version of a layout may have more fields. A record with a field that the caller's layout
// does not have was written by a newer program. It is refused with ErrInvalid, because a write would lose that field.
//
// Open reads an existing file before it writes to it. It refuses a damaged file and a file of another program, both with
// backend.ErrCorrupt, and other versions of the format. A bbolt file has two copies of its first page. A file with one
// damaged copy is refused, too, because the other copy may be one transaction older than what was acknowledged.
//
// Package bolt is not for several processes on one file, nor for file systems without locks and syncs.
package bolt
