package engine

import (
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
)

// Limit is one named limit of a bucket, which holds at most Capacity tokens and gets RefillAmount tokens in each
// RefillPeriod, evenly spread.
type Limit = bucket.Limit

// PerSecond returns a limit of n tokens a second with a burst of n.
func PerSecond(name string, n int64) Limit { return Every(name, n, time.Second) }

// PerMinute returns a limit of n tokens a minute with a burst of n.
func PerMinute(name string, n int64) Limit { return Every(name, n, time.Minute) }

// PerHour returns a limit of n tokens an hour with a burst of n.
func PerHour(name string, n int64) Limit { return Every(name, n, time.Hour) }

// PerDay returns a limit of n tokens in 24 hours with a burst of n.
func PerDay(name string, n int64) Limit { return Every(name, n, 24*time.Hour) }

// Every returns a limit of n tokens in each period with a burst of n.
func Every(name string, n int64, period time.Duration) Limit {
	return Limit{Name: name, Capacity: n, RefillAmount: n, RefillPeriod: period}
}

// ParseLimit parses name:rate[/period][:burst], for example "rpm:100", "tpm:10000/min:15000" or "calls:5/30s". A period is
// a unit (s, sec, second, min, minute, hour or day, also in the plural), a number and a unit ("5min", "2day"), or a Go
// duration. Without a period the rate is per minute, and without a burst the burst is the rate. It returns a
// *ValidationError that names the part which is wrong.
func ParseLimit(s string) (Limit, error) {
	limit, fault := limitset.Parse(s)
	if fault != nil {
		return Limit{}, &ValidationError{fault.Field, fault.Value, fault.Reason}
	}
	if fault := checkLimit(limit); fault != nil {
		return Limit{}, &ValidationError{"limit." + fault.Field, fault.Value, fault.Reason}
	}
	return limit, nil
}
