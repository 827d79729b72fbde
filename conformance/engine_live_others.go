package conformance

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// liveAtOnce: setting an entity's limits for a resource converts the bucket at once.
func liveAtOnce(r *engineTest) {
	l, limits := r.limiter(), []engine.Limit{stored("a", 100)}
	r.must(l.SetLimits(r.Context(), user, api, limits))
	r.mustAcquire(l, ask(tokens("a", 100)))
	r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 1000)}))
	r.wantRequests("an acquire after the limits were set", 1, 0, func() { r.mustAcquire(l, ask(tokens("a", 1))) })
	r.wantRequests("the next one", 1, 0, func() { r.mustAcquire(l, ask(tokens("a", 1))) })
}

// liveWhileBusy raises a limit while a crowd takes from it: no more than the new capacity is admitted, and in the end all of it.
func liveWhileBusy(r *engineTest) {
	all := r.processes(3, 0)
	r.must(all[0].SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 100)}))
	var admitted atomic.Int64
	s := &storeTest{tester: r.T}
	s.together(crowd, func(i int) {
		if i == 0 {
			for n := int64(200); n <= 1000; n += 100 {
				if err := all[0].SetLimits(r.Context(), user, api, []engine.Limit{stored("a", n)}); err != nil {
					r.Errorf("SetLimits: %v", err)
				}
			}
			return
		}
		for range 5 {
			admitted.Add(r.take(all[i%len(all)], ask(tokens("a", 1))))
		}
	})
	if got := admitted.Load(); got > 1000 {
		r.Errorf("%d were admitted of a limit that was raised to 1000", got)
	}
	admitted.Add(r.take(r.limiter(), ask(tokens("a", 1))))
	if got := admitted.Load(); got != 1000 {
		r.Errorf("%d were admitted of a limit that was raised to 1000, once it was quiet", got)
	}
}

// liveDisagreeing: callers who bring different limits for one bucket are each decided by their own limits, and share the
// tokens: in sum never more than the largest limit.
func liveDisagreeing(r *engineTest) {
	for i, other := range []engine.Limit{
		stored("a", 10), stored("a", 100).WithBurst(30), engine.PerHour("a", 100).WithBurst(99), engine.Every("a", 1, 1000*time.Hour).WithBurst(50),
	} {
		all := r.processes(2, 0)
		large, small := ask(tokens("a", 1), stored("a", 100)), ask(tokens("a", 1), other)
		large.Entity = fmt.Sprintf("user-%d", i)
		small.Entity = large.Entity
		total, bySmall := int64(0), int64(0)
		for range r.of(150, 60) {
			for j, q := range []engine.Request{large, small} {
				if _, err := all[j].Acquire(r.Context(), q); err == nil {
					total++
					bySmall += int64(j)
				}
			}
		}
		total += r.take(all[0], large)
		if total != 100 {
			r.Errorf("100 a day beside %v: %d were admitted in sum, not 100", other, total)
		}
		if bySmall > other.Capacity/2 { // they took turns
			r.Errorf("100 a day beside %v: that one was admitted %d times", other, bySmall)
		}
	}
}

// liveDisagreeingClocks: changes between limits, by clocks that disagree, create no tokens.
func liveDisagreeingClocks(r *engineTest) {
	fast, slow := engine.PerSecond("a", 20), engine.PerSecond("a", 4).WithBurst(12)
	for i, turns := range [][]struct {
		process int
		limit   engine.Limit
	}{{{0, fast}, {1, slow}}, {{0, slow}, {1, fast}}, {{0, fast}, {1, slow}, {0, slow}, {1, fast}}} {
		var all []*engine.Limiter
		for _, ahead := range []time.Duration{5 * time.Second, -5 * time.Second} {
			all = append(all, r.limiter(by(newClock(ahead)), func(o *engine.Options) { o.DenialTTL = -1 }))
		}
		total := 0
		for range r.of(300, 40) {
			for _, turn := range turns {
				q := ask(tokens("a", 1), turn.limit)
				q.Entity = fmt.Sprintf("user-%d", i)
				if _, err := all[turn.process].Acquire(r.Context(), q); err == nil {
					total++
				}
			}
		}
		if most := 20 + 10*20; total > most {
			r.Errorf("%v: %d were admitted while no time passed, with clocks 10 s apart; at most %d", turns, total, most)
		}
		if total == 0 { // the one that is ahead leaves what the other takes for debt: that costs admissions, and mints none
			r.Errorf("%v: none were admitted", turns)
		}
	}
}

// liveOverride: Request.Override replaces the stored limits for that request only.
func liveOverride(r *engineTest) {
	l, other := r.limiter(), r.limiter()
	r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 100), stored("b", 3)}))
	narrow, wide := ask(tokens("a", 1)), ask(tokens("a", 50))
	narrow.Override, wide.Override = []engine.Limit{stored("a", 10)}, []engine.Limit{stored("a", 200)}
	r.mustAcquire(l, ask(tokens("a", 5)))
	if got := r.take(other, narrow); got != 5 {
		r.Errorf("5 of 100 used, overridden by 10: %d were admitted, not 5", got)
	}
	r.mustAcquire(l, ask(tokens("a", 80)))
	r.mustAcquire(other, wide)
	if e := r.mustDeny(l, ask(tokens("a", 1))); e.NeverFits {
		r.Errorf("140 of 100 used, with the help of an override: %v", e)
	}
	r.mustAcquire(other, wide)
	r.mustDeny(other, wide)
	r.wantLeft(l, "after overrides, by what is stored", "a:-90 b:3")
	r.mustDeny(l, ask(tokens("b", 1)))
	r.clock.advance(2 * time.Second)
	narrow.Consume = tokens("b", 1)
	_, err := other.Acquire(r.Context(), narrow)
	r.wantError("a stored name that the override has not", err, engine.ErrUnknownLimit)
}

// liveBroughtThenStored: what was used under the limits of requests stays used when limits are stored.
func liveBroughtThenStored(r *engineTest) {
	l := r.limiter()
	q := ask(tokens("a", 60), stored("a", 100))
	r.mustAcquire(l, q)
	r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 100)}))
	r.mustDeny(l, q)
	r.wantLeft(l, "stored what was brought", "a:40")
	q.Resource = "another"
	r.mustAcquire(l, q)
	r.must(l.SetLimits(r.Context(), user, q.Resource, []engine.Limit{stored("a", 50), stored("b", 5)}))
	e := r.mustDeny(l, engine.Request{Entity: user, Resource: q.Resource, Consume: tokens("b", 1)})
	if s := e.Statuses()[0]; s.Remaining != -10 { // nothing is cut: it was not the same limit
		r.Errorf("60 of 100 used, then 50 stored: %d available, not -10", s.Remaining)
	}
}

// liveTooMany: a bucket holds 16 limits, including those that other callers bring while they are not full.
func liveTooMany(r *engineTest) {
	var some, others []engine.Limit
	for i := range 10 {
		some = append(some, engine.PerHour(fmt.Sprintf("some-%d", i), 10))
		others = append(others, engine.PerHour(fmt.Sprintf("others-%d", i), 10))
	}
	all := engine.Tokens{}
	for _, l := range some {
		all[l.Name] = 5
	}
	l, q := r.limiter(), ask(tokens("others-1", 1), others...)
	r.mustAcquire(l, ask(all, some...))
	_, err := l.Acquire(r.Context(), q)
	r.wantInvalid("20 limits in one bucket", err)
	r.mustAcquire(l, ask(tokens("some-1", 5), some...))
	r.clock.advance(time.Hour)
	r.mustAcquire(l, q)
}
