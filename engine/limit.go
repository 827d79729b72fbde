package engine

import (
	"strconv"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
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
	name, rest, ok := strings.Cut(s, ":")
	if !ok {
		return Limit{}, &ValidationError{"limit", s, `write name:rate[/period][:burst], for example "rpm:100" or "tpm:10000/min:15000"`}
	}
	rate, burst, hasBurst := strings.Cut(rest, ":")
	rate, unit, hasPeriod := strings.Cut(rate, "/")
	limit := Every(name, 0, time.Minute)
	var err error
	if limit.RefillAmount, err = parseAmount("rate", s, rate); err != nil {
		return Limit{}, err
	}
	limit.Capacity = limit.RefillAmount
	if hasBurst {
		if limit.Capacity, err = parseAmount("burst", s, burst); err != nil {
			return Limit{}, err
		}
	}
	if hasPeriod {
		if limit.RefillPeriod, err = parsePeriod(s, unit); err != nil {
			return Limit{}, err
		}
	}
	if fault := checkLimit(limit); fault != nil {
		return Limit{}, &ValidationError{"limit." + fault.Field, fault.Value, fault.Reason}
	}
	return limit, nil
}

func parseAmount(part, whole, s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || s[0] == '+' {
		return 0, &ValidationError{part + " of limit " + strconv.Quote(whole), s, "must be a whole number from 1 to 10^15"}
	}
	return n, nil
}

var units = map[string]time.Duration{
	"s": time.Second, "sec": time.Second, "second": time.Second,
	"min": time.Minute, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour,
}

func parsePeriod(whole, s string) (time.Duration, error) {
	bad := &ValidationError{"period of limit " + strconv.Quote(whole), s, `must be s, min, hour or day, a number of them such as "5min", or a duration such as "1m30s"`}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	unit, known := units[s[digits:]]
	if one := strings.TrimSuffix(s[digits:], "s"); !known && one != "s" {
		unit, known = units[one]
	}
	if !known {
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, bad
		}
		return d, nil
	}
	n := int64(1)
	if digits > 0 {
		var err error
		if n, err = strconv.ParseInt(s[:digits], 10, 64); err != nil || n > int64(bucket.MaxPeriod/unit) {
			return 0, bad
		}
	}
	return time.Duration(n) * unit, nil
}
