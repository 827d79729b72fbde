package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestTrueDenials proves that a denial is true for as long as it is repeated, and that the same request is admitted at the time that it
// states.
func TestTrueDenials(t *testing.T) { tellOnEachKind(t, truth, true) }

var truth = stories{
	{"ZerosConvert", truthZeros},
	{"TimeBeforeConversion", func(r *story) { r.timeBeforeConversion(user, 3) }},
	{"TimeBeforeConversionOfParent", func(r *story) { r.timeBeforeConversion("parent", 4) }},
	{"DenialTTL", truthDenialTTL},
	{"OwnResetBesideReply", truthOwnReset},
	{"OwnChangeBesideRead", truthOwnChange},
	{"SixteenStoredAndOneBrought", truthSixteen},
}

// slowThenFast empties a bucket of 10 a day whose resource then gets 1 a second.
func (r *story) slowThenFast(l *engine.Limiter, spender string) {
	r.must(l.SetResourceDefaults(r.Context(), api, []engine.Limit{engine.PerDay("a", 10)}))
	if spender != user {
		r.mustEntity(l, engine.Entity{ID: spender})
		r.mustEntity(l, engine.Entity{ID: user, Parent: spender, Cascade: true})
		r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 1000)}))
	}
	r.mustAcquire(l, engine.Request{Entity: spender, Resource: api, Consume: tokens("a", 10)})
	r.must(l.SetResourceDefaults(r.Context(), api, []engine.Limit{engine.PerSecond("a", 1).WithBurst(10)}))
}

// truthZeros: a denied request of zeros converts the bucket like any other.
func truthZeros(r *story) {
	l := r.limiter()
	r.must(l.SetResourceDefaults(r.Context(), api, []engine.Limit{engine.PerDay("a", 10)}))
	lease := r.mustAcquire(l, request(tokens("a", 10)))
	r.must(lease.Adjust(tokens("a", 5)))
	r.must(lease.Commit(r.Context()))
	r.must(l.SetResourceDefaults(r.Context(), api, []engine.Limit{engine.PerSecond("a", 1).WithBurst(10)}))
	d, err := l.Allow(r.Context(), request(tokens("a", 0)))
	if r.must(err); d.Allowed || d.RetryAfter != 5*time.Second {
		r.Errorf("zeros of a bucket in debt by 5, at 1/s: %+v", d)
	}
	r.clock.advance(d.RetryAfter - 1)
	if again, err := r.limiter().Allow(r.Context(), request(tokens("a", 0))); err != nil || again.Allowed || again.RetryAfter != 1 {
		r.Errorf("a nanosecond before its time: %+v, %v", again, err)
	}
	r.clock.advance(1)
	if again, err := r.limiter().Allow(r.Context(), request(tokens("a", 0))); err != nil || !again.Allowed {
		r.Errorf("at its time: %+v, %v", again, err)
	}
}

// timeBeforeConversion: until the bucket is converted it refills by the limits in its record, which TimeUntilAvailable uses. It
// writes nothing.
func (r *story) timeBeforeConversion(spender string, reads int) {
	l := r.limiter()
	r.slowThenFast(l, spender)
	q := request(tokens("a", 1))
	const day = 24 * time.Hour
	for _, passed := range []time.Duration{0, 10 * time.Second, day/10 - 10*time.Second - 1} {
		r.clock.advance(passed)
		var wait time.Duration
		r.wantRequests("TimeUntilAvailable", 0, reads, func() {
			var err error
			wait, err = r.limiter().TimeUntilAvailable(r.Context(), q)
			r.must(err)
		})
		if want := time.Duration(epoch + int64(day/10) - r.clock.Now().UnixNano()); wait != want {
			r.Errorf("TimeUntilAvailable %v later: %v, not %v", passed, wait, want)
		}
	}
	r.clock.advance(1)
	r.mustAcquire(l, q)
	r.mustDeny(l, q)
	r.clock.advance(time.Second)
	r.mustAcquire(l, q)
}

// truthDenialTTL: a denial is repeated from memory for DenialTTL since the record was seen, however often it is asked for.
func truthDenialTTL(r *story) {
	l, q := r.limiter(), request(tokens("a", 1), stored("a", 10))
	q.Consume = tokens("a", 10)
	r.mustAcquire(l, q)
	q.Consume = tokens("a", 1)
	for range 3 { // over again, for denials are made ready to be repeated
		r.clock.advance(333 * time.Millisecond)
		for range 3 {
			r.mustDeny(l, q)
		}
	}
	r.must(r.limiter().ResetBucket(r.Context(), user, api))
	r.clock.advance(2 * time.Millisecond)
	r.mustAcquire(l, q)
}

// truthOwnReset: a slow reply from before the process's own reset does not restore a denial.
func truthOwnReset(r *story) {
	for i, then := range []func(l *engine.Limiter, id string){
		func(l *engine.Limiter, id string) { r.must(l.ResetBucket(r.Context(), id, api)) },
		func(l *engine.Limiter, id string) {
			r.must(l.ResetBucket(r.Context(), id, api))
			q := request(tokens("a", 1), stored("a", 10))
			q.Entity = id
			r.mustAcquire(l, q)
		},
	} {
		l, q := r.limiter(), request(tokens("a", 10), stored("a", 10))
		q.Entity = fmt.Sprintf("user-%d", i)
		r.mustAcquire(r.limiter(), q)
		q.Consume = tokens("a", 2)
		r.faults.SetHooks(nil, func(_ context.Context, c limitertest.Call) {
			if c.Op == limitertest.OpApply {
				r.faults.SetHooks(nil, nil)
				then(l, q.Entity)
			}
		})
		r.mustDeny(l, q)
		r.faults.SetHooks(nil, nil)
		r.mustAcquire(l, q)
	}
}

// truthOwnChange: a slow read from before the process's own change does not restore the old configuration.
func truthOwnChange(r *story) {
	change := func(l *engine.Limiter, level, n int64) error {
		limits := []engine.Limit{stored("a", n)}
		switch level {
		case 0:
			return l.SetSystemDefaults(r.Context(), limits, nil)
		case 1:
			return l.SetResourceDefaults(r.Context(), api, limits)
		case 2:
			return l.SetLimits(r.Context(), user, "", limits)
		}
		return l.SetLimits(r.Context(), user, api, limits)
	}
	for level := range int64(4) {
		l := r.limiter()
		r.must(change(l, level, 10+level))
		fresh := r.limiter()
		r.faults.SetHooks(nil, func(_ context.Context, c limitertest.Call) {
			if c.Op == limitertest.OpRead && len(c.Keys) > 1 { // not that of a look, for which the change would wait
				r.faults.SetHooks(nil, nil)
				r.must(change(fresh, level, 20+level))
			}
		})
		_, err := fresh.Available(r.Context(), user, api)
		r.must(err)
		r.faults.SetHooks(nil, nil)
		if x, err := fresh.Explain(r.Context(), user, api); err != nil || x.Path[0].Limits[0].Capacity != 20+level {
			r.Errorf("level %d: %+v, %v", level, x, err)
		}
		r.wantLeft(fresh, fmt.Sprintf("level %d", level), fmt.Sprintf("a:%d", 20+level))
	}
}

// truthSixteen: 16 stored limits fit into a bucket, whatever limits other callers have brought.
func truthSixteen(r *story) {
	l := r.limiter()
	r.mustAcquire(r.limiter(), request(tokens("zz", 3), stored("zz", 5)))
	var limits []engine.Limit
	for i := range 16 {
		limits = append(limits, stored(fmt.Sprintf("l%02d", i), 100))
	}
	r.must(l.SetResourceDefaults(r.Context(), api, limits))
	for range 3 {
		r.mustAcquire(l, request(tokens("l07", 1)))
	}
	if left := r.left(r.limiter(), user); len(left) != 16 || left["l07"] != 97 {
		r.Errorf("left of 16 stored limits: %v", left)
	}
}
