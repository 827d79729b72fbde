package engine_test

import (
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// TestSlowLimitBesideBusyOne tells slowLimits.
func TestSlowLimitBesideBusyOne(t *testing.T) { tellEach(t, slowLimits, false) }

// slowLimits proves that a limit of one a day refills on time, however busy the other limits of the bucket are.
var slowLimits = stories{
	{"BesideAdmitted", func(r *story) { r.besideBusy(300, nil) }},
	{"BesideDenied", func(r *story) { r.besideBusy(5000, nil) }},
	{"BesideAdjusted", func(r *story) { r.besideBusy(300, engine.Tokens{"rpm": 50}) }},
	{"BesideRefunded", func(r *story) { r.besideBusy(300, engine.Tokens{"rpm": -50}) }},
	{"NeverNamed", slowNeverNamed},
	{"Prime", slowPrime},
}

const aDay = 24 * time.Hour

// besideBusy uses the busy limit all day, and the slow one now and then, which is full again at the exact nanosecond.
func (r *story) besideBusy(n int64, adjust engine.Tokens) {
	l := r.limiter()
	limits := []engine.Limit{engine.PerDay("rpd", 1), engine.PerMinute("rpm", 1000)}
	both := request(engine.Tokens{"rpd": 1, "rpm": 1}, limits...)
	r.mustAcquire(l, both)
	begun := r.clock.ns.Load()
	step := 97 * time.Second * time.Duration(1)
	for at := step; at < aDay; at += step {
		r.clock.set(begun + int64(at))
		lease, err := l.Acquire(r.Context(), request(tokens("rpm", min(n, 1000)), limits...))
		if err == nil && adjust != nil {
			r.must(lease.Adjust(adjust))
			r.must(lease.Commit(r.Context()))
		}
		for err == nil && n > 1000 { // more than there is
			_, err = l.Acquire(r.Context(), request(tokens("rpm", 700), limits...))
		}
		if int(at/step)%50 == 0 {
			r.wantWait(r.mustDeny(l, both), "rpd", aDay-at)
		}
	}
	r.clock.set(begun + int64(aDay) - 1)
	r.wantWait(r.mustDeny(l, both), "rpd", 1)
	r.clock.advance(1)
	r.mustAcquire(l, request(tokens("rpd", 1), limits...))
}

// wantWait compares the wait that a denial states for one limit.
func (r *story) wantWait(e *engine.ExceededError, name string, want time.Duration) {
	r.Helper()
	for _, s := range e.Statuses() {
		if s.Limit.Name == name {
			if s.RetryAfter != want {
				r.Errorf("%s of %s: retry after %v, not %v", name, s.Entity, s.RetryAfter, want)
			}
			return
		}
	}
	r.Errorf("the denial does not list %s: %v", name, e)
}

// slowNeverNamed: only the first request names the slow limit, which refills all the same.
func slowNeverNamed(r *story) {
	l, limits := r.limiter(), []engine.Limit{engine.PerDay("rpd", 24), engine.PerSecond("rps", 10)}
	r.mustAcquire(l, request(engine.Tokens{"rpd": 24, "rps": 1}, limits...))
	for hour := range 24 {
		for range 60 {
			r.clock.advance(time.Hour / time.Duration(60))
			r.mustAcquire(l, request(tokens("rps", 10), limits...))
		}
		if got := r.left(l, user, limits...)["rpd"]; got != int64(hour+1) {
			r.Fatalf("after %d hours %d are available, one an hour", hour+1, got)
		}
	}
}

// slowPrime has a rate that is no binary or decimal fraction: 7 tokens in 13 hours.
func slowPrime(r *story) {
	l, limits := r.limiter(), []engine.Limit{engine.Every("slow", 7, 13*time.Hour), engine.PerSecond("rps", 100)}
	r.mustAcquire(l, request(engine.Tokens{"slow": 7, "rps": 1}, limits...))
	begun := r.clock.ns.Load()
	touches := 2000
	for i := range touches {
		r.clock.set(begun + int64(i)*int64(13*time.Hour)/int64(touches))
		r.mustAcquire(l, request(engine.Tokens{"rps": 3}, limits...))
	}
	r.clock.set(begun + int64(13*time.Hour) - 1)
	r.wantWait(r.mustDeny(l, request(tokens("slow", 7), limits...)), "slow", 1)
	r.clock.advance(1)
	r.mustAcquire(l, request(tokens("slow", 7), limits...))
}
