package engine_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestRefusesBadInput tells badInput.
func TestRefusesBadInput(t *testing.T) { tellEach(t, badInput, false) }

// TestNeverFits tells neverFits.
func TestNeverFits(t *testing.T) { tellEach(t, neverFits, false) }

// badInput proves that invalid input is refused before anything is written, by every call, whatever state the store is in.
var badInput = stories{
	{"Requests", func(r *story) { r.refuseAll(badRequests()) }},
	{"StoreDown", func(r *story) {
		r.slow().faults.SetPlan(limitertest.Always(limitertest.Fail))
		r.refuseAll(badRequests())
	}},
	{"WarmCaches", inputWarm},
	{"UnknownNames", inputUnknown},
	{"NoLimits", inputNoLimits},
	{"Configuration", inputConfiguration},
	{"Clock", inputClock},
	{"Largest", inputLargest},
}

// neverFits proves that a request above a capacity never fits, and changes nothing.
var neverFits = stories{
	{"Brought", func(r *story) { r.neverFits(false) }},
	{"Stored", func(r *story) { r.neverFits(true) }},
	{"WithIO", func(r *story) { r.slow().neverFits(true) }},
	{"WholeCapacity", fitsWholeCapacity},
	{"Parent", neverFitsParent},
}

// badRequests returns invalid requests, by what is wrong with them.
func badRequests() map[string]engine.Request {
	good := stored("a", 10)
	bad := map[string]engine.Request{}
	for _, id := range []string{"", "a\n", "a\x00", "\x7f", "a\u0085", "a\xff", strings.Repeat("a", 257), strings.Repeat("é", 129)} {
		bad[fmt.Sprintf("entity %.10q", id)] = engine.Request{Entity: id, Resource: api, Consume: tokens("a", 1), Limits: []engine.Limit{good}}
	}
	for _, id := range []string{"", "_a", "a@b", "a b", "a|b", "a\n", strings.Repeat("a", 129)} {
		bad[fmt.Sprintf("resource %.10q", id)] = engine.Request{Entity: user, Resource: id, Consume: tokens("a", 1), Limits: []engine.Limit{good}}
	}
	for what, consume := range map[string]engine.Tokens{
		"no tokens": nil, "empty tokens": {}, "negative tokens": tokens("a", -1), "tokens above 10^15": tokens("a", 1_000_000_000_000_001),
		"the most tokens": tokens("a", math.MaxInt64), "the least tokens": tokens("a", math.MinInt64),
		"negative beside good ones": {"a": 1, "b": -1}, "bad amount of an unknown name": {"a": 1, "x": -5},
	} {
		bad[what] = request(consume, good, stored("b", 10))
	}
	for what, limits := range badLimits() {
		bad["Limits: "+what] = request(tokens("a", 1), limits...)
		q := request(tokens("a", 1), good)
		q.Override = limits
		bad["Override: "+what] = q
	}
	q := request(tokens("a", 1), good)
	q.OnUnavailable = 99
	bad["policy"] = q
	return bad
}

// badLimits returns lists of limits that are refused everywhere.
func badLimits() map[string][]engine.Limit {
	good := stored("a", 10)
	bad := map[string][]engine.Limit{"twice the same": {good, stored("b", 1), good}}
	for range 17 {
		bad["17 of them"] = append(bad["17 of them"], stored(fmt.Sprintf("a%d", len(bad["17 of them"])), 1))
	}
	for _, name := range []string{"", "1a", "_a", "a b", "a:b", "a/b", "a@b", "é", "a\n", strings.Repeat("a", 65)} {
		bad[fmt.Sprintf("name %.10q", name)] = []engine.Limit{good, stored(name, 10)}
	}
	for what, l := range map[string]engine.Limit{
		"no capacity": good.WithBurst(0), "negative capacity": good.WithBurst(-1), "capacity above 10^15": good.WithBurst(1_000_000_000_000_001),
		"no refill": engine.Every("a", 0, time.Hour).WithBurst(1), "negative refill": engine.Every("a", -1, time.Hour).WithBurst(1),
		"refill above 10^15": engine.Every("a", math.MaxInt64, time.Hour).WithBurst(1), "no period": engine.Every("a", 1, 0),
		"negative period": engine.Every("a", 1, -time.Hour), "period below 1 ms": engine.Every("a", 1, time.Millisecond-1),
		"period above 3,650 days": engine.Every("a", 1, 3650*aDay+1),
	} {
		bad[what] = []engine.Limit{l}
	}
	return bad
}

// refuseAll wants each request refused by every call that takes one, without a request to the store.
func (r *story) refuseAll(bad map[string]engine.Request) {
	r.Helper()
	for _, policy := range []engine.Policy{engine.PolicyBlock, engine.PolicyAllow} {
		l := r.limiter(func(o *engine.Options) { o.OnUnavailable = policy })
		for what, q := range bad {
			r.wantRequests(what, 0, 0, func() { r.refuse(l, what, q) })
		}
	}
}

func (r *story) refuse(l *engine.Limiter, what string, q engine.Request) {
	r.Helper()
	_, err := l.Acquire(r.Context(), q)
	r.wantInvalid("Acquire, "+what, err)
	_, err = l.Allow(r.Context(), q)
	r.wantInvalid("Allow, "+what, err)
	_, err = l.Wait(r.Context(), q)
	r.wantInvalid("Wait, "+what, err)
	_, err = l.TimeUntilAvailable(r.Context(), q)
	r.wantInvalid("TimeUntilAvailable, "+what, err)
	if !strings.HasPrefix(what, "Limits") && !strings.HasPrefix(what, "entity") && !strings.HasPrefix(what, "resource") {
		return
	}
	_, err = l.Available(r.Context(), q.Entity, q.Resource, q.Limits...)
	r.wantInvalid("Available, "+what, err)
}

// inputWarm: invalid input is also refused if everything is cached and the bucket is in use.
func inputWarm(r *story) {
	l := r.limiter()
	good := request(tokens("a", 1), stored("a", 10), stored("b", 10))
	r.mustAcquire(l, good)
	for _, stored := range []bool{false, true} {
		if stored {
			r.must(l.SetLimits(r.Context(), user, api, good.Limits))
			r.mustAcquire(l, good)
		}
		for what, q := range badRequests() {
			r.wantRequests(what, 0, 0, func() { r.refuse(l, what, q) })
		}
	}
	r.wantLeft(l, "after all that was refused", "a:8 b:10", good.Limits...)
	lease := r.mustAcquire(l, good)
	for what, consume := range map[string]engine.Tokens{"nothing": nil, "negative": tokens("a", -1), "too many": tokens("a", 1_000_000_000_000_001)} {
		r.wantRequests(what, 0, 0, func() { r.wantInvalid("Consume of "+what, lease.Consume(r.Context(), consume)) })
	}
}

func inputUnknown(r *story) {
	l := r.limiter()
	q := request(engine.Tokens{"a": 1, "typo": 1, "slip": 0}, stored("a", 10), stored("b", 10))
	for _, call := range []func() error{
		func() error { _, err := l.Acquire(r.Context(), q); return err },
		func() error { _, err := l.Allow(r.Context(), q); return err },
		func() error { _, err := l.Wait(r.Context(), q); return err },
		func() error { _, err := l.TimeUntilAvailable(r.Context(), q); return err },
	} {
		err := call()
		r.wantError("unknown names", err, engine.ErrUnknownLimit)
		if text := fmt.Sprint(err); !strings.Contains(text, "slip, typo") || !strings.Contains(text, "a, b") {
			r.Errorf("the error names neither what is unknown nor what there is: %s", text)
		}
	}
	r.wantLeft(l, "after unknown names", "a:10 b:10", q.Limits...)
	r.wantWrites("unknown names", 0)
}

// wantWrites counts all writes of the story.
func (r *story) wantWrites(what string, want int) {
	r.Helper()
	if got := r.faults.Writes(); got != want {
		r.Errorf("%s: %d writes, not %d", what, got, want)
	}
}

func inputNoLimits(r *story) {
	l := r.limiter()
	_, err := l.Acquire(r.Context(), request(tokens("a", 1)))
	r.wantError("no limits anywhere", err, engine.ErrNoLimits)
	if names := user + " on " + api; !strings.Contains(err.Error(), names) {
		r.Errorf("%v does not name %s", err, names)
	}
	d, err := l.Allow(r.Context(), request(tokens("a", 0)))
	r.wantError("no limits anywhere, zero tokens", err, engine.ErrNoLimits)
	if d.Allowed {
		r.Errorf("no limits anywhere: allowed")
	}
	_, err = l.Available(r.Context(), user, api)
	r.wantError("no limits to read", err, engine.ErrNoLimits)
	r.wantWrites("no limits", 0)
}

// inputConfiguration: bad limits are refused at every level, and the stored ones stay.
func inputConfiguration(r *story) {
	l := r.limiter()
	for _, v := range configLevels {
		r.must(v.set(r.Context(), l, stored("a", 10)))
		writes := r.faults.Writes()
		for what, limits := range badLimits() {
			r.wantInvalid(v.name+": "+what, v.set(r.Context(), l, limits...))
		}
		r.wantInvalid(v.name+": none", v.set(r.Context(), l))
		r.wantWrites(v.name, writes)
	}
	for what, q := range badRequests() {
		if strings.HasPrefix(what, "entity") {
			r.wantInvalid(what, l.SetLimits(r.Context(), q.Entity, api, []engine.Limit{stored("a", 1)}))
			r.wantInvalid(what, l.CreateEntity(r.Context(), engine.Entity{ID: q.Entity}, nil))
			r.wantInvalid(what, l.ResetBucket(r.Context(), q.Entity, api))
		}
	}
}

// inputClock: with a clock outside of 2020 to 2200 every call returns an error.
func inputClock(r *story) {
	good := request(tokens("a", 1), stored("a", 10))
	for _, at := range []time.Time{time.Date(2019, 12, 31, 23, 59, 59, 999, time.UTC), time.Date(2200, 1, 1, 0, 0, 1, 0, time.UTC), time.Unix(0, 0)} {
		l := r.limiter(func(o *engine.Options) {
			o.Now, o.OnUnavailable = func() time.Time { return at }, engine.PolicyAllow
		})
		_, err := l.Acquire(r.Context(), good)
		r.wantError("Acquire at "+at.String(), err, engine.ErrOutOfRange)
		_, err = l.Available(r.Context(), user, api, good.Limits...)
		r.wantError("Available at "+at.String(), err, engine.ErrOutOfRange)
		_, err = l.TimeUntilAvailable(r.Context(), good)
		r.wantError("TimeUntilAvailable at "+at.String(), err, engine.ErrOutOfRange)
	}
	r.wantWrites("clocks out of range", 0)
	lease := r.mustAcquire(r.limiter(), good)
	r.must(lease.Adjust(tokens("a", 1)))
	now := r.clock.ns.Load()
	r.clock.set(0)
	r.wantError("Flush in 1970", lease.Flush(r.Context()), engine.ErrOutOfRange)
	r.clock.set(now)
	r.must(lease.Commit(r.Context()))
	r.wantLeft(r.limiter(), "afterwards", "a:8", good.Limits...)
}

// inputLargest uses limits at the ends of their ranges, at the ends of time.
func inputLargest(r *story) {
	const most = 1_000_000_000_000_000
	for i, limit := range []engine.Limit{
		engine.Every("a", most, 3650*aDay), engine.Every("a", most, time.Millisecond), engine.Every("a", most-1, 3650*aDay-1),
		engine.Every("a", 1, 3650*aDay).WithBurst(most), engine.Every("a", 1, time.Millisecond), engine.Every("a", most, time.Millisecond).WithBurst(1),
	} {
		for j, at := range []time.Time{time.Date(2020, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(2199, 12, 31, 23, 59, 59, 0, time.UTC)} {
			l := r.limiter(func(o *engine.Options) { o.Now = func() time.Time { return at } })
			q := request(tokens("a", limit.Capacity), limit)
			q.Entity = fmt.Sprintf("user-%d-%d", i, j)
			lease := r.mustAcquire(l, q)
			r.mustDeny(l, q)
			r.wantLeftOf(l, q.Entity, "all taken", "a:0", limit)
			r.must(lease.Adjust(tokens("a", most)))
			r.must(lease.Flush(r.Context()))
			r.wantLeftOf(l, q.Entity, "in debt", fmt.Sprintf("a:%d", -int64(most)), limit)
			r.must(lease.Rollback(r.Context()))
			r.wantLeftOf(l, q.Entity, "refunded", fmt.Sprintf("a:%d", limit.Capacity), limit)
		}
	}
}

func (r *story) neverFits(isStored bool) {
	l, limits := r.limiter(), []engine.Limit{stored("a", 10), stored("b", 5)}
	q := request(engine.Tokens{"a": 11, "b": 6}, limits...)
	if isStored {
		r.must(l.SetLimits(r.Context(), user, api, limits))
		q.Limits = nil
	}
	writes := r.faults.Writes()
	e := r.mustDeny(l, q)
	if !e.NeverFits || e.RetryAfter != math.MaxInt64 || !errors.Is(e, engine.ErrNeverFits) || len(e.Violations()) != 2 || !e.Primary().NeverFits {
		r.Errorf("a request above a capacity: %+v", e)
	}
	_, err := l.TimeUntilAvailable(r.Context(), q)
	r.wantError("TimeUntilAvailable", err, engine.ErrNeverFits)
	if x := (*engine.ExceededError)(nil); !errors.As(err, &x) || x.Primary().Limit.Name != e.Primary().Limit.Name {
		r.Errorf("TimeUntilAvailable: %v does not name the limit", err)
	}
	_, err = l.Wait(r.Context(), q)
	r.wantError("Wait", err, engine.ErrNeverFits)
	d, err := l.Allow(r.Context(), q)
	if d.Allowed || err != nil || d.RetryAfter != math.MaxInt64 {
		r.Errorf("Allow: %+v, %v", d, err)
	}
	r.wantWrites("requests that never fit", writes)
	q.Consume = engine.Tokens{"a": 10, "b": 5}
	r.mustAcquire(l, q)
	if e := r.mustDeny(l, q); e.NeverFits || errors.Is(e, engine.ErrNeverFits) {
		r.Errorf("a request of the whole capacity: %v", e)
	}
}

// fitsWholeCapacity takes all of a bucket at once, whenever it is full again: to the nanosecond.
func fitsWholeCapacity(r *story) {
	l, other, q := r.limiter(), r.limiter(), request(tokens("a", 10), engine.PerMinute("a", 10))
	for range 5 {
		r.mustAcquire(l, q)
		r.clock.advance(time.Minute - 1)
		r.wantWait(r.mustDeny(other, q), "a", 1)
		r.wantWait(r.mustDeny(l, q), "a", 1)
		r.clock.advance(1)
	}
}

// neverFitsParent: a request above a parent's capacity never fits, and charges no bucket.
func neverFitsParent(r *story) {
	l := r.limiter()
	r.mustEntity(l, engine.Entity{ID: user, Parent: "parent", Cascade: true})
	r.must(l.SetLimits(r.Context(), "parent", api, []engine.Limit{stored("a", 5)}))
	writes := r.faults.Writes()
	if e := r.mustDeny(l, request(tokens("a", 6), stored("a", 10))); !e.NeverFits || e.Primary().Entity != "parent" {
		r.Errorf("6 below a parent of 5: %v", e)
	}
	r.wantWrites("a request that never fits the parent", writes)
	r.mustAcquire(l, request(tokens("a", 5), stored("a", 10)))
}
