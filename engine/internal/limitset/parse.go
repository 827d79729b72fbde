package limitset

import (
	"strconv"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// Parse parses name:rate[/period][:burst], as package engine describes it. It does not check whether the limit is legal.
func Parse(s string) (bucket.Limit, *bucket.Fault) {
	name, rest, ok := strings.Cut(s, ":")
	if !ok {
		return bucket.Limit{}, &bucket.Fault{Field: "limit", Value: s, Reason: `write name:rate[/period][:burst], for example "rpm:100" or "tpm:10000/min:15000"`}
	}
	rate, burst, hasBurst := strings.Cut(rest, ":")
	rate, unit, hasPeriod := strings.Cut(rate, "/")
	limit := bucket.Limit{Name: name, RefillPeriod: time.Minute}
	var fault *bucket.Fault
	if limit.RefillAmount, fault = parseAmount("rate", s, rate); fault != nil {
		return bucket.Limit{}, fault
	}
	limit.Capacity = limit.RefillAmount
	if hasBurst {
		if limit.Capacity, fault = parseAmount("burst", s, burst); fault != nil {
			return bucket.Limit{}, fault
		}
	}
	if hasPeriod {
		if limit.RefillPeriod, fault = parsePeriod(s, unit); fault != nil {
			return bucket.Limit{}, fault
		}
	}
	return limit, nil
}

func parseAmount(part, whole, s string) (int64, *bucket.Fault) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || s[0] == '+' {
		return 0, &bucket.Fault{Field: "limit " + strconv.Quote(whole) + ": " + part, Value: s, Reason: "must be a whole number from 1 to 10^15"}
	}
	return n, nil
}

var units = map[string]time.Duration{
	"s": time.Second, "sec": time.Second, "second": time.Second,
	"min": time.Minute, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour,
}

func parsePeriod(whole, s string) (time.Duration, *bucket.Fault) {
	bad := &bucket.Fault{Field: "limit " + strconv.Quote(whole) + ": period", Value: s, Reason: `must be s, min, hour or day, a number of them such as "5min", or a duration such as "1m30s"`}
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
