package pocket

import "github.com/zeroae/zae-limiter-go/engine/bucket"

// Write is one write to the bucket's record. The driver reads it and changes nothing. All amounts are by position.
type Write struct {
	// Take is what the write takes under the token check.
	Take Tokens
	// Charge is what it takes without the check: corrections of leases.
	Charge Tokens
	// Refund is what it refunds. A write with refunds has the condition that the record's born is Born.
	Refund Tokens
	Born   bucket.Num
	// Used is what the usage counters grow by, Acquired what the count of acquires grows by; both may be negative.
	Used     Tokens
	Acquired int64
	// Checked: the write admits callers or buys, so no limit of the record may be in debt. Otherwise it is a settlement
	// without conditions on the limits.
	Checked bool
	// Active is, by bit, the regime that is likely for each limit; with prefetch the active condition reaches Slack
	// nanoseconds below now.
	Active uint16
	Slack  int64
	// Tries counts the sends that were refused in a row, those of earlier compositions of the same callers included.
	Tries int
	// Tag is the driver's, nil in each new write: its nonce, for example. Another composition of callers is another Write.
	Tag any

	callers   []*Caller // nil: has left
	need      Tokens    // of callers, the ones that left included
	reserved  Tokens    // of need: out of the pocket
	extra     Tokens    // of Take: for the pocket
	left      Tokens    // need of the callers that left
	leftCount int64
	// What callers adds to Acquired, and how much of that the callers that left do.
	acquires, leftAcquired int64
	doubtful               Tokens // refunds of a send whose outcome is unknown
	lowering               Tokens // by how much that send lowered counters
	cut                    bool   // tokens are scarce if the write is applied
	first                  int64  // when it was sent first
	sent                   int64  // when it was sent last
	owedAt                 int64  // since when what it refunds and charges had waited, 0: nothing had
	usedAt                 int64  // the same, of usage
	throttles              int
	begun                  int    // Tries when it was composed
	life                   uint32 // Buyer.life when it was composed
}

func newWrite(n int) *Write {
	all := make(Tokens, 10*n) // one allocation for all amounts
	next := func() Tokens {
		t := all[:n:n]
		all = all[n:]
		return t
	}
	return &Write{
		Take: next(), Charge: next(), Refund: next(), Used: next(),
		need: next(), reserved: next(), extra: next(), left: next(), doubtful: next(), lowering: next(),
	}
}

// isEmpty reports whether a settlement has nothing to say.
func (w *Write) isEmpty() bool {
	return w.Charge.isZero() && w.Refund.isZero() && w.Used.isZero() && w.Acquired == 0
}

// Once reports whether the write must not be sent twice: it refunds, or lowers counters. Unknown takes that out.
func (w *Write) Once() bool {
	for i, need := range w.need {
		if w.Refund[i] > 0 || w.Used[i] < need {
			return true
		}
	}
	return w.Acquired < w.acquires
}

// Sent is when the write was sent last, or is to be sent, in ns since the Unix epoch.
func (w *Write) Sent() int64 { return w.sent }

// Callers is how many callers the write serves.
func (w *Write) Callers() int { return len(w.callers) - int(w.leftCount) }
