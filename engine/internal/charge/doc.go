// Package charge has one bucket's part in an acquire, and what this process knows of each bucket.
//
// A [State] is what is known of a bucket: its configuration ([Config]), its last seen record, and the [Desk] where callers meet that
// charge it. A [Charge] is one attempt to take tokens from it. [Charger.Prepare] says which limits count. [Charger.Charge] then goes
// around a loop:
//
//	build      one conditional write, from the last seen record (guess.go, swap.go): record in, conditions and effects out
//	send       the write to the store (send.go); what callers share goes by their desk (desk.go, meeting.go, sharedwrite.go)
//	interpret  a refusal, by the record that it carries (refusal.go, changed.go): denied, write again, or convert the bucket
//
// The same loop makes the writes that callers share ([Charger.NewShared]). Settlements ([Charger.NewSettlement]) are written without the
// token check; package settle decides what is in them.
//
// What happens to a bucket is told to Options.Report. Errors of the store are those of package store. A [Charge] is used by one
// goroutine at a time; everything else is safe for concurrent use.
//
// The package knows neither paths of several buckets nor leases.
package charge
