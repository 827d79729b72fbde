package main

import (
	"slices"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// rates are what happened between the last two readings, a second.
type rates struct {
	acquires, writes float64
	tokens           []float64 // of each limit; negative where more went back than was taken
}

// mostAway is the longest that two readings of a bucket lie apart whose difference means something.
const mostAway = time.Hour

// ratesOf compares two readings of a bucket. One whose record was removed in between counts from zero.
func ratesOf(before, after *engine.BucketState, elapsed time.Duration) *rates {
	a := *before
	writes := after.Version - before.Version
	// A record made anew begins at the present instant, in ns: far above what any number of writes leads to.
	if after.Acquires < before.Acquires || writes < 0 || writes > int64(elapsed)/10+1000 {
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

// ratesOfNew are those of a bucket that was not there when all were read; nil where its record may be older than that.
func (s *sampler) ratesOfNew(b *engine.BucketState, now time.Time) *rates {
	elapsed := now.Sub(s.since)
	if s.since.IsZero() || b.Version < s.since.UnixNano() || elapsed <= 0 || elapsed > mostAway {
		return nil
	}
	return ratesOf(&engine.BucketState{}, b, elapsed)
}

// pattern is a name, or one with * for any characters; "" for all names.
type pattern string

// open reports whether more than one name may match.
func (p pattern) open() bool { return p == "" || strings.Contains(string(p), "*") }

func (p pattern) matches(name string) bool {
	if p == "" {
		return true
	}
	parts := strings.Split(string(p), "*")
	if len(parts) == 1 {
		return name == parts[0]
	}
	name, begins := strings.CutPrefix(name, parts[0])
	if !begins {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name = name[at+len(part):]
	}
	return strings.HasSuffix(name, parts[last])
}
