package bucket

import (
	"math"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/num"
)

// Num is a number of units or an arrival time.
type Num = num.Int

// Arrival is the theoretical arrival time of a limit; a bucket never seen, or reset, has none and is full.
type Arrival struct {
	At   Num
	Seen bool
}

// Rate is a legal limit prepared for arithmetic. The zero Rate is none.
type Rate struct {
	capacity int64 // C, tokens
	perNano  int64 // r, units that a nanosecond refills
	perToken int64 // p, units that a token costs
	full     Num   // C·p
}

// Rate prepares a limit whose Check found no fault.
func (l Limit) Rate() Rate {
	g := gcd(l.RefillAmount, int64(l.RefillPeriod))
	q := Rate{capacity: l.Capacity, perNano: l.RefillAmount / g, perToken: int64(l.RefillPeriod) / g}
	q.full = num.Mul64(q.capacity, q.perToken)
	return q
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Capacity is C.
func (q *Rate) Capacity() int64 { return q.capacity }

// Y is the instant now, in ns since the Unix epoch, in units.
func (q *Rate) Y(now int64) Num { return num.Mul64(now, q.perNano) }

// Cost is what n tokens cost, in units.
func (q *Rate) Cost(n int64) Num { return num.Mul64(n, q.perToken) }

// Ceiling is the largest arrival time that admission may lead to: y + C·p.
func (q *Rate) Ceiling(y Num) Num { return y.Add(q.full) }

// IsFull tells the regime: full (a write sets the arrival time) or active (a write adds to it).
func (q *Rate) IsFull(a Arrival, y Num) bool { return !a.Seen || a.At.LessEq(y) }

// Admits is the gate: whether n tokens fit at y. Zero fit unless the limit is in debt.
func (q *Rate) Admits(a Arrival, y Num, n int64) bool {
	return q.Base(a, y).Add(q.Cost(n)).LessEq(q.Ceiling(y))
}

// Base is max(tat, y): what a charge at y adds to.
func (q *Rate) Base(a Arrival, y Num) Num {
	if q.IsFull(a, y) {
		return y
	}
	return a.At
}

// Available is C − ceil(deficit / p) at y: the tokens that would be admitted now; negative in debt, saturated.
func (q *Rate) Available(a Arrival, y Num) int64 {
	if q.IsFull(a, y) {
		return q.capacity
	}
	return num.FromInt64(q.capacity).Sub(a.At.Sub(y).DivCeil(q.perToken)).SaturateInt64()
}

// Wait is how long after now n tokens will be admitted if nobody else comes: 0 where they are admitted now, the
// largest Duration where it is longer than that, false where they can never fit.
func (q *Rate) Wait(a Arrival, now, n int64) (time.Duration, bool) {
	if n > q.capacity {
		return math.MaxInt64, false
	}
	y := q.Y(now)
	if q.Admits(a, y, n) {
		return 0, true
	}
	earliest := a.At.Add(q.Cost(n)).Sub(q.full).DivCeil(q.perNano)
	return time.Duration(earliest.Sub(num.FromInt64(now)).SaturateInt64()), true
}

// FillTime is how long an empty bucket takes to be full: C·P/R, rounded up, saturated.
func (q *Rate) FillTime() time.Duration {
	return time.Duration(q.full.DivCeil(q.perNano).SaturateInt64())
}

// FullAt is the instant at which a bucket with this arrival time is full, in ns since the Unix epoch, saturated.
func (q *Rate) FullAt(tat Num) int64 { return tat.DivCeil(q.perNano).SaturateInt64() }

// FullAfter is how long after now a limit with this arrival time is full if nobody else comes: 0 if it is, saturated.
func (q *Rate) FullAfter(a Arrival, now int64) time.Duration {
	if q.IsFull(a, q.Y(now)) {
		return 0
	}
	return time.Duration(a.At.DivCeil(q.perNano).Sub(num.FromInt64(now)).SaturateInt64())
}

// DebtLimit is the largest arrival time that forced charges may lead to at y: a deficit of C + MaxDebt tokens, and of
// what clocks that disagree by ten seconds may add to it.
func (q *Rate) DebtLimit(y Num) Num {
	return q.Ceiling(y).Add(num.Mul64(MaxDebt, q.perToken)).Add(num.Mul64(clockSlack, q.perNano))
}
