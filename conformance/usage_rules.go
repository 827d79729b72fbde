package conformance

import (
	"errors"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// usageDeleted: an entity is deleted with its usage, also with what is counted later; one that is created again begins at zero.
func usageDeleted(r *engineTest) {
	l := r.limiter()
	hourly := engine.UsageQuery{Entity: user, Window: engine.WindowHourly}
	r.consume(l, user, api, 5)
	r.consume(l, user, "other", 5)
	r.consume(l, "user-2", api, 7)
	r.aggregate(3)
	r.consume(l, user, api, 5)
	r.must(l.DeleteEntity(r.Context(), user, nil))
	r.wantUsage(l, hourly)
	r.clock.advance(time.Second)
	r.consume(l, user, api, 1)
	r.until("the usage of the new life is all there is", func() bool {
		r.aggregate(anyNumber)
		lines := r.usage(l, hourly, 10)
		return len(lines) == 1 && lines[0] == "user-1 gpt-4 05-18T03 tpd:1 q:1"
	})
	r.wantUsage(l, engine.UsageQuery{Resource: api, Window: engine.WindowDaily}, "user-1 gpt-4 05-18T00 tpd:1 q:1", "user-2 gpt-4 05-18T00 tpd:7 q:1")

	r.clock.advance(3 * 24 * time.Hour) // all buckets may be gone, and the usage is left
	r.must(l.DeleteEntity(r.Context(), "user-2", nil))
	r.wantUsage(l, engine.UsageQuery{Entity: "user-2", Window: engine.WindowMonthly})
	r.wantError("deleting it again", l.DeleteEntity(r.Context(), "user-2", nil), engine.ErrEntityNotFound)
}

// usagePurged: a namespace is purged with its usage, also with what is counted later.
func usagePurged(r *engineTest) {
	l, in := r.limiter(), r.limiter(func(o *engine.Options) { o.Namespace, o.CreateNamespace = "gone", true })
	r.consume(in, user, api, 5)
	r.consume(l, user, api, 5)
	r.aggregate(2)
	r.consume(in, user, api, 5)
	r.must(l.DeleteNamespace(r.Context(), "gone"))
	r.must(l.PurgeNamespace(r.Context(), "gone"))
	r.clock.advance(time.Second)
	again := r.limiter(func(o *engine.Options) { o.Namespace, o.CreateNamespace = "gone", true })
	q := engine.UsageQuery{Resource: api, Window: engine.WindowDaily}
	r.consume(again, "user-2", api, 1)
	r.until("the usage of the new namespace is all there is", func() bool {
		r.aggregate(anyNumber)
		lines := r.usage(again, q, 10)
		return len(lines) == 1 && lines[0] == "user-2 gpt-4 05-18T00 tpd:1 q:1"
	})
	r.wantUsage(l, q, "user-1 gpt-4 05-18T00 tpd:5 q:1")
}

// usageRefunded: a refund counts if it comes a second before it is too late, also of a bucket that has long been full.
func usageRefunded(r *engineTest) {
	l := r.limiter()
	lease := r.mustAcquire(l, ask(tokens("a", 3), engine.PerSecond("a", 10)))
	r.clock.advance(time.Hour - time.Second)
	r.sweep()
	r.must(lease.Rollback(r.Context()))
	r.aggregate(2)
	r.wantSum(l, "a:0", 1)
}

// usageNewLife: a bucket is used again as soon as it has expired, by a clock that is five minutes behind.
func usageNewLife(r *engineTest) {
	noRefunds := func(o *engine.Options) { o.MaxHold = -1 }
	l, q := r.limiter(noRefunds), ask(tokens("a", 3), engine.PerSecond("a", 10))
	r.mustAcquire(l, q)
	r.aggregate(1)
	for passed := time.Duration(0); r.there(l, user) > 0 && passed < time.Hour; passed += time.Second {
		r.clock.advance(time.Second)
	}
	r.sweep()
	behind := newClock(0)
	behind.set(r.clock.ns.Load() - int64(5*time.Minute))
	r.mustAcquire(r.limiter(noRefunds, by(behind)), q)
	r.aggregate(1)
	r.wantSum(l, "a:6", 2)
}

// wantSum compares all usage of the user, in each kind of window.
func (r *engineTest) wantSum(l *engine.Limiter, want string, acquires int64) {
	r.Helper()
	for _, kind := range kinds {
		sum, err := l.UsageSummary(r.Context(), engine.UsageQuery{Entity: user, Window: kind})
		r.must(err)
		if got := amounts(sum.Total); got != want || sum.Acquires != acquires {
			r.Errorf("%s usage is %s of %d acquires, not %s of %d", kind, got, sum.Acquires, want, acquires)
		}
	}
}

func usageReads(r *engineTest) {
	l := r.limiter()
	r.consume(l, user, api, 5)
	r.aggregate(1)
	before := r.faults.Writes()
	for _, q := range []engine.UsageQuery{{Entity: user}, {Resource: api}, {Entity: "nobody"}, {Resource: "nothing"}} {
		q.Window = engine.WindowDaily
		_, err := l.Usage(r.Context(), q)
		_, other := l.UsageSummary(r.Context(), q)
		r.must(errors.Join(err, other))
	}
	if n := r.faults.Writes() - before; n != 0 {
		r.Errorf("asking for usage made %d writes", n)
	}
}

func usageInput(r *engineTest) {
	l := r.limiter()
	now := r.clock.Now()
	for what, q := range map[string]engine.UsageQuery{
		"neither":        {Window: engine.WindowDaily},
		"no window":      {Entity: user},
		"another window": {Entity: user, Window: "weekly"},
		"bad entity":     {Entity: "\n", Window: engine.WindowDaily},
		"bad resource":   {Resource: "#", Window: engine.WindowDaily},
		"reversed":       {Entity: user, Window: engine.WindowDaily, From: now, To: now.Add(-1)},
	} {
		_, err := l.Usage(r.Context(), q)
		r.wantInvalid("Usage, "+what, err)
		_, err = l.UsageSummary(r.Context(), q)
		r.wantInvalid("UsageSummary, "+what, err)
	}
	for what, p := range map[string]engine.Page{"size": {Size: 1001}, "negative": {Size: -1}, "position": {After: "x"}} {
		_, err := l.Usage(r.Context(), engine.UsageQuery{Entity: user, Window: engine.WindowDaily, Page: p})
		r.wantInvalid("page, "+what, err)
	}
	r.consume(l, user, api, 1)
	r.consume(l, "user-2", api, 1)
	r.aggregate(2)
	page, err := l.Usage(r.Context(), engine.UsageQuery{Resource: api, Window: engine.WindowDaily, Page: engine.Page{Size: 1}})
	r.must(err)
	_, err = l.Usage(r.Context(), engine.UsageQuery{Resource: api, Window: engine.WindowHourly, Page: engine.Page{After: page.Next}})
	r.wantInvalid("a position in another list", err)
}
