// Package settle writes what is due when a lease changes or ends. A [Holding] is what a lease holds: a [Part] for each bucket of its
// path (holding.go). A part has what was charged to its bucket, what is pending to be charged or refunded, and what is uncertain
// (part.go; lease.go has what a lease asks of it).
//
// [Settler.Settle] writes what is due of a part in one write. Leases that settle on one bucket at the same time share a write
// (settletogether.go). A charge whose outcome is unknown is settled first, alone, under its nonce (doubt.go). [WriteBack] writes back
// what the local buckets of an outage owe to the store (writeback.go).
//
// The package decides no requests, and does not know whose lease a part belongs to.
package settle
