package conformance

import (
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine"
)

// bound is the guarantee of one limit: in every interval of length T at most
//
//	capacity + rate·(T + slack)
//
// tokens are admitted and not refunded, and as much again for each life of the bucket that begins in the interval. It is
// computed in whole numbers, without rounding. Slack is by how much clocks disagree, and how long a call may be under way.
//
// If sinceBegin is true, only intervals that start with the first life are looked at. That is for histories in which a
// refund may reach the bucket long after it was noted: in an interval that starts between the two it counts as admitted.
// Not safe for concurrent use.
type bound struct {
	limit      engine.Limit
	slack      time.Duration
	sinceBegin bool

	// All in units of which a token has RefillPeriod, in nanoseconds, and a nanosecond refills RefillAmount.
	level    backend.Num // admitted so far, less what has refilled and what the lives after the first allow
	at       time.Duration
	admitted int64

	lowest     backend.Num // of level, just before an admission, and when that was
	from       time.Duration
	worst      backend.Num // how much level was ever above lowest and what is allowed
	worstSince time.Duration
	worstAt    time.Duration
	seen       bool
}

// units returns the units of n tokens.
func (b *bound) units(n int64) backend.Num { return num.Mul64(n, int64(b.limit.RefillPeriod)) }

// refilled returns the units that refill in d.
func (b *bound) refilled(d time.Duration) backend.Num {
	return num.Mul64(b.limit.RefillAmount, int64(d))
}

// advance moves to a time since the beginning, which is never before the last one.
func (b *bound) advance(at time.Duration) {
	b.level = b.level.Sub(b.refilled(at - b.at))
	b.at = at
	if !b.seen && b.sinceBegin {
		b.seen = true // the first life begins at 0, with a full bucket
	}
	if !b.seen || !b.sinceBegin && b.level.Less(b.lowest) {
		b.lowest, b.from, b.seen = b.level, at, true
	}
}

// admit notes n tokens that were admitted at a time since the beginning, or refunded if n is negative.
func (b *bound) admit(at time.Duration, n int64) {
	b.advance(at)
	b.admitted += n
	b.level = b.level.Add(b.units(n))
	over := b.level.Sub(b.lowest).Sub(b.units(b.limit.Capacity)).Sub(b.refilled(b.slack))
	if b.worst.Less(over) {
		b.worst, b.worstSince, b.worstAt = over, b.from, at
	}
}

// begin notes that another life of the bucket began at a time since the beginning.
func (b *bound) begin(at time.Duration) {
	b.advance(at)
	b.level = b.level.Sub(b.units(b.limit.Capacity)).Sub(b.refilled(b.slack))
}

// broken says in which interval the bound was exceeded most, and by how much, or returns "" if it never was.
func (b *bound) broken() string {
	if b.worst.Sign() <= 0 {
		return ""
	}
	over := b.worst.DivCeil(int64(b.limit.RefillPeriod)).SaturateInt64()
	return fmt.Sprintf("%v: between %v and %v after the beginning %d tokens more were admitted than its capacity, what refills in that time and %v of slack allow",
		b.limit, b.worstSince, b.worstAt, over, b.slack)
}
