package sim

import (
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// account compares what a fleet is admitted of one limit with capacity + rate·T over every interval T, and with the ideal
// bucket, which decides without latency.
type account struct {
	capacity, rate float64 // tokens, a second
	began          time.Time

	sum, least float64 // admitted less refunded; the least of that less what has refilled
	most       float64 // excess over capacity + rate·T in the worst interval

	ideal float64 // tokens in the ideal bucket at the time at
	at    time.Time
}

func newAccounts(limits []engine.Limit) (all []*account) {
	for _, l := range limits {
		now := time.Now()
		all = append(all, &account{
			capacity: float64(l.Capacity), rate: rate(l), began: now, ideal: float64(l.Capacity), at: now,
		})
	}
	return all
}

// admit counts tokens that are admitted now, or refunded if n is negative.
func (a *account) admit(n int64) {
	refilled := time.Since(a.began).Seconds() * a.rate
	a.least = min(a.least, a.sum-refilled)
	a.sum += float64(n)
	a.most = max(a.most, a.sum-refilled-a.least-a.capacity)
}

// excess is the worst excess in seconds of rate.
func (a *account) excess() float64 { return a.most / a.rate }

// holds reports whether the ideal bucket holds n tokens now.
func (a *account) holds(n int64) bool {
	now := time.Now()
	a.ideal, a.at = min(a.capacity, a.ideal+now.Sub(a.at).Seconds()*a.rate), now
	return a.ideal >= float64(n)
}

// take takes n tokens of the ideal bucket.
func (a *account) take(n int64) { a.ideal -= float64(n) }
