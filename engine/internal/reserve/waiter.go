package reserve

import "github.com/zeroae/zae-limiter-go/engine/bucket"

// Verdict is how a waiter stands.
type Verdict uint8

// Verdicts.
const (
	Pending    Verdict = iota // the waiter waits, until a Step names it in Decided
	Admitted                  // its tokens are charged, and due
	Denied                    // its deadline is before Until, when the request could be admitted
	OutOfRange                // it would take a limit too far below zero
	Failed                    // the store failed; the driver knows the error
	Again                     // the limits or the path have changed: resolve them again, and join another line
	Closed                    // the limiter is closed
)

// Waiter is one request for tokens. The driver sets the first three fields, which it must not change while the verdict is
// Pending, and reads the rest. A waiter that has a verdict, or has left, may be used again.
type Waiter struct {
	Need     []int64 // tokens of each limit of the path, at least 0
	Deadline int64   // when its context ends, ns since the Unix epoch; MaxInt64: never
	Tag      any     // the driver's: how it wakes the waiter

	Verdict Verdict
	// Until is when the request could be admitted, ns since the Unix epoch: after a denial, and after Leave.
	Until int64
	After []bucket.Num // admitted: the arrival time of each limit right after the charge
	Born  []bucket.Num // admitted: the life of each bucket's record that was charged

	waits bool   // the caller of Join has returned with Pending
	group *group // that carries it, nil: none
	slot  *slot  // that it holds, nil: none
}

// slot is a reservation: at its due time it admits a request that needs no more than it has.
type slot struct {
	due     int64
	n       []int64      // tokens of each limit
	after   []bucket.Num // arrival time of each limit right after the charge
	born    []bucket.Num // of each bucket
	has     uint8        // by bit: buckets that it is charged to
	count   int64        // acquires that it counts as
	settled bool         // it is not to be refunded before it is due
}

// fits reports whether the slot has what a request needs.
func (s *slot) fits(need []int64) bool {
	for i, n := range need {
		if s.n[i] < n {
			return false
		}
	}
	return true
}

// Refund is what the driver refunds without a condition on the limits, at its leisure. It is void for another life of the
// record than Born.
type Refund struct {
	Bucket   int
	Tokens   []int64 // of each limit of the bucket
	Acquired int64   // what the count of acquires falls by
	Born     bucket.Num
}

// Step is what the driver has to do after a call, outside its lock. Its slices are valid until the next call of the line.
type Step struct {
	// Decided are the waiters that have their verdict now. The one that called Join or Leave itself is not among them.
	Decided []*Waiter
	// Send is the write to send, nil if none.
	Send *Write
	// Refunds are to be settled.
	Refunds []Refund
}

// decide gives a waiter its verdict.
func (l *Line) decide(x *Waiter, v Verdict) {
	x.Verdict, x.group, x.slot = v, nil, nil
	if x.waits {
		x.waits = false
		l.step.Decided = append(l.step.Decided, x)
	}
}
