// Package charge has one bucket's part in an acquire, and what this process knows of each bucket.
//
// A [State] is what is known of a bucket: its configuration ([Config]), its last seen record, and the [Desk] where callers meet that
// charge it. A [Charge] takes tokens from one bucket, and an [Attempt] is what the charges of one acquire have in common.
// [Charger.Prepare] finds which limits count, and denies if the last seen record suffices for that. [Charger.Charge] then repeats:
//
//	build      one conditional write, from the last seen record (guess.go, swap.go): record in, conditions and effects out
//	send       the write to the store (send.go); what callers share goes by their desk (desk.go, meeting.go, sharedwrite.go)
//	interpret  a refusal, by the record that it carries (refusal.go, changed.go): denied, write again, or convert the bucket
//
// The writes that callers share ([Charger.NewShared]) use the same loop (sharedguess.go, reservedguess.go). Settlements
// ([Charger.NewSettlement]) are written without the token check; package settle decides what is in them.
//
// Options.Report is called for what happens to a bucket. Errors of the store are those of package store. A [Charge] is used by one
// goroutine at a time; everything else is safe for concurrent use.
//
// The package knows neither paths of several buckets nor leases.
package charge
