package main

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// rates holds the changes per second between the last two readings.
type rates struct {
	acquires, writes float64
	tokens           []float64 // of each limit; negative if more tokens were refunded than consumed, as acquires may be
}

// maxReadingGap is the longest time between two readings for which a rate is computed.
const maxReadingGap = time.Hour

// ratesOf compares two readings of a bucket. A bucket whose record was removed in between counts from zero.
func ratesOf(before, after *engine.BucketState, elapsed time.Duration) *rates {
	a := *before
	writes := after.Version - before.Version
	// The version of a new record starts at the current time in ns, far above any number of writes. The counters tell nothing: they
	// also decrease if tokens are refunded, or if another bucket of a path denies an acquire that was counted.
	if writes < 0 || writes > int64(elapsed)/10+1000 {
		a, writes = engine.BucketState{}, after.Acquires
	}
	r := &rates{tokens: make([]float64, len(after.Limits))}
	second := elapsed.Seconds()
	r.acquires, r.writes = float64(after.Acquires-a.Acquires)/second, float64(writes)/second
	for i, l := range after.Limits {
		used := l.Used
		if j := slices.IndexFunc(a.Limits, func(b engine.LimitState) bool { return b.Limit.Name == l.Limit.Name }); j >= 0 {
			used -= a.Limits[j].Used
		}
		r.tokens[i] = float64(used) / second
	}
	return r
}

// ratesOfNew returns the rates of a bucket that did not exist when all buckets were last read, or nil if that is uncertain.
func (s *sampler) ratesOfNew(b *engine.BucketState, now time.Time) *rates {
	elapsed := now.Sub(s.since)
	if s.since.IsZero() || b.Version < s.since.UnixNano() || elapsed <= 0 || elapsed > maxReadingGap {
		return nil
	}
	return ratesOf(&engine.BucketState{}, b, elapsed)
}

// namePattern returns a pattern in which * stands for any characters. An empty text matches all names.
func namePattern(text string) *regexp.Regexp {
	return regexp.MustCompile("(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(cmp.Or(text, "*")), `\*`, ".*") + "$")
}
