package pocket

import "github.com/zeroae/zae-limiter-go/engine/bucket"

// Verdict is how a caller stands.
type Verdict uint8

// Verdicts.
const (
	Pending   Verdict = iota // the caller waits, until a Step names it in Decided
	Admitted                 // its tokens are charged on the record
	Denied                   // until Caller.Until
	Failed                   // the store failed; the driver knows the error
	Contended                // too many tries lost against other writers
	Again                    // the limit set has changed: resolve the limits again, and ask another buyer
	Closed                   // the limiter is closed
)

// Caller is one request for tokens. The driver sets Need, which it must not change while the verdict is Pending, and reads
// the rest. A caller that has a verdict, or has left, may be used again.
type Caller struct {
	Need Tokens // by position, none above the capacity
	Tag  any    // the driver's: how it wakes the caller
	// Within says that the request belongs to an acquire that was counted before.
	Within bool

	Verdict Verdict
	Until   int64      // denied: when the request could be admitted, ns since the Unix epoch
	Born    bucket.Num // admitted: the life of the record that was charged
	// Behind is what the caller's write charged after it, for callers behind it and for the pocket: the caller's own status
	// is that of the record after the write, plus Behind. Empty if it was served from the pocket.
	Behind Tokens

	waits  bool   // the caller of Ask has returned with Pending
	write  *Write // that carries it, nil: none
	place  int    // in its callers
	passed bool   // others were chosen for a write before it
	losses int    // writes that carried it and were refused
	tries  int    // sends of them
}

// acquires is what the caller adds to the count of acquires.
func (c *Caller) acquires() int64 {
	if c.Within {
		return 0
	}
	return 1
}

// acquires is what the callers that have not left add to the count of acquires.
func acquires(callers []*Caller) (n int64) {
	for _, c := range callers {
		if c != nil {
			n += c.acquires()
		}
	}
	return n
}

// Step is what the driver has to do after a call, outside its lock.
type Step struct {
	// Decided are the callers that waited and have their verdict now, in order of arrival. The one that called Ask itself is
	// not among them. The slice is valid until the next call of the buyer.
	Decided []*Caller
	// Send is the write to send, nil if none, and After how many nanoseconds later: 0 but for one that was throttled.
	Send  *Write
	After int64
}

// decide gives a caller its verdict.
func (b *Buyer) decide(c *Caller, v Verdict) {
	c.Verdict, c.write = v, nil
	if c.waits {
		c.waits = false
		b.decided = append(b.decided, c)
	}
}

func (b *Buyer) deny(c *Caller, until int64) {
	c.Until = until
	b.decide(c, Denied)
}
