package conformance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// records proves when the records of a bucket, an entity and a namespace begin and end: no removal or reset harms what was
// written after it was requested, and a bucket is kept exactly as long as a lease on it can be refunded.
var records = stories{
	{"ResetOfABusyBucket", resetBusy},
	{"ResetBesideAConversion", resetBesideConversion},
	{"PurgeCarriedOutLate", scanning(purgeLate)},
	{"DeletionCarriedOutLate", deletionLate},
	{"KeptForRefunds", keptForRefunds},
	{"KeptForDebt", keptForDebt},
}

// resetBusy writes the bucket before each commit of a reset: the second commit succeeds, and the charge between is reset.
func resetBusy(r *engineTest) {
	l, other, limit := r.limiter(), r.limiter(), stored("a", 100)
	q := ask(tokens("a", 10), limit)
	lease := r.mustAcquire(other, q)
	r.faults.SetHooks(func(_ context.Context, c limitertest.Call) {
		if c.Op == limitertest.OpCommit {
			r.mustAcquire(other, ask(tokens("a", 1), limit))
		}
	}, nil)
	commits := r.faults.Calls(limitertest.OpCommit)
	r.must(l.ResetBucket(r.Context(), user, api))
	r.faults.SetHooks(nil, nil)
	if n := r.faults.Calls(limitertest.OpCommit) - commits; n > 2 {
		r.Errorf("a reset beside a writer took %d commits", n)
	}
	r.wantLeft(r.limiter(), "reset", "a:100", limit)
	r.must(lease.Rollback(r.Context()))
	r.wantLeft(r.limiter(), "a refund of a charge before the reset", "a:100", limit)
	r.wantConsumed(l, user, "reset", "a:12")
	r.mustAcquire(other, ask(tokens("a", 100), limit))
	r.mustDeny(r.limiter(), ask(tokens("a", 1), limit))
}

// resetBesideConversion adds a limit and removes another one between the read and the commit of a reset.
func resetBesideConversion(r *engineTest) {
	l, other := r.limiter(), r.limiter()
	old, now := []engine.Limit{stored("a", 100), stored("b", 100)}, []engine.Limit{stored("b", 50), stored("c", 20)}
	r.must(l.SetLimits(r.Context(), user, api, old))
	r.mustAcquire(l, ask(engine.Tokens{"a": 60, "b": 30}))
	commits := 0
	r.faults.SetHooks(func(_ context.Context, c limitertest.Call) {
		if c.Op != limitertest.OpCommit {
			return
		}
		switch commits++; commits {
		case 1:
			r.mustAcquire(other, ask(tokens("b", 10)))
		case 2:
			r.must(other.SetLimits(r.Context(), user, api, now)) // a commit, too
			r.mustAcquire(other, ask(engine.Tokens{"b": 5, "c": 15}))
		}
	}, nil)
	r.must(l.ResetBucket(r.Context(), user, api))
	r.faults.SetHooks(nil, nil)
	r.wantLeft(r.limiter(), "reset", "b:50 c:20")
}

// wantConsumed compares what an entity has ever consumed of the api, as the bucket's record says.
func (r *engineTest) wantConsumed(l *engine.Limiter, entity, what, want string) {
	r.Helper()
	states, err := l.BucketStates(r.Context(), []engine.BucketName{{Entity: entity, Resource: api}})
	r.must(err)
	used := map[string]int64{}
	for _, s := range states {
		for _, limit := range s.Limits {
			used[limit.Limit.Name] = limit.Used
		}
	}
	if got := amounts(used); got != want {
		r.Errorf("%s: used is %s, not %s", what, got, want)
	}
}

// lateOnce makes the first call of these operations late that has a key for which match is true.
func lateOnce(match func(backend.Key) bool, ops ...limitertest.Op) limitertest.Plan {
	first := -1
	return func(c limitertest.Call) limitertest.Act {
		if !slices.Contains(ops, c.Op) || first >= 0 && c.Index != first || !slices.ContainsFunc(c.Keys, match) {
			return limitertest.Pass
		}
		first = c.Index
		return limitertest.Late
	}
}

// furnishing sets what purgeLate looks for in a namespace.
func (r *engineTest) furnishing(l *engine.Limiter) {
	r.Helper()
	limits := []engine.Limit{stored("a", 100)}
	r.must(l.SetSystemDefaults(r.Context(), limits, nil))
	r.must(l.SetResourceDefaults(r.Context(), api, limits))
	r.must(l.SetLimits(r.Context(), user, "", limits))
	r.must(l.SetLimits(r.Context(), user, api, limits))
	r.mustEntity(l, engine.Entity{ID: "parent"})
	r.mustEntity(l, engine.Entity{ID: user, Parent: "parent"})
	id := engine.SettingID{Kind: engine.SettingResource, Resource: "managed"}
	change := engine.SettingChange{Before: engine.Setting{ID: id}, After: engine.Setting{ID: id, Exists: true, Limits: limits}}
	r.must(l.ApplyManifest(r.Context(), "m", []engine.SettingChange{change}, nil))
	r.mustAcquire(l, ask(tokens("a", 10)))
}

// wantFurnishing compares all that furnishing has set.
func (r *engineTest) wantFurnishing(l *engine.Limiter, what string) {
	r.Helper()
	system, err := l.SystemDefaults(r.Context())
	r.must(err)
	resource, err := l.ResourceDefaults(r.Context(), api)
	r.must(err)
	all, err := l.Limits(r.Context(), user, "")
	r.must(err)
	limits, err := l.Limits(r.Context(), user, api)
	r.must(err)
	_, missing := l.Entity(r.Context(), user)
	children, err := l.Children(r.Context(), "parent", engine.Page{})
	r.must(err)
	managed, err := l.ManagedSettings(r.Context(), "m")
	r.must(err)
	got := fmt.Sprint(len(system.Limits), len(resource), len(all), len(limits), missing, len(children.Items), len(managed))
	if want := "1 1 1 1 <nil> 1 1"; got != want {
		r.Errorf("%s: there is %s, not %s", what, got, want)
	}
	r.wantLeft(l, what, "a:90")
}

// purgeLate carries out a request of a purge after the name was registered again. The clock stands, so that all versions are
// equal to those before. Nothing that was set since is lost.
func purgeLate(r *engineTest) {
	admin := r.limiter()
	in := func(o *engine.Options) { o.Namespace, o.CreateNamespace = "team", true }
	r.furnishing(r.limiter(in))
	r.must(admin.DeleteNamespace(r.Context(), "team"))
	r.faults.SetPlan(lateOnce(func(k backend.Key) bool { return k.Namespace == "team" }, limitertest.OpApply, limitertest.OpCommit))
	r.must(admin.PurgeNamespace(r.Context(), "team"))
	r.faults.SetPlan(nil)
	if r.faults.Waiting() == 0 {
		r.Fatalf("no request of the purge is late")
	}
	again := r.limiter(in)
	r.furnishing(again)
	r.late()
	r.wantFurnishing(r.limiter(in), "after the late request")
	r.must(admin.DeleteNamespace(r.Context(), "team"))
	r.must(admin.PurgeNamespace(r.Context(), "team"))
	_, err := admin.Namespace(r.Context(), "team")
	r.wantError("purged again", err, engine.ErrNamespaceNotFound)
}

// deletionLate carries out the end of a deletion after the entity was created again and while it is deleted once more: the
// second deletion is completed all the same.
func deletionLate(r *engineTest) {
	l := r.limiter()
	many := func() {
		for i := range 20 { // more than one commit takes
			r.must(l.SetLimits(r.Context(), user, fmt.Sprint("r", i), []engine.Limit{stored("a", 100)}))
		}
	}
	many()
	r.faults.SetPlan(lateOnce(func(k backend.Key) bool { return k.Sort == "deletion" }, limitertest.OpApply))
	r.must(l.DeleteEntity(r.Context(), user, nil))
	r.faults.SetPlan(nil)
	if r.faults.Waiting() == 0 {
		r.Fatalf("no request of the deletion is late")
	}
	r.clock.advance(time.Second)
	many()
	commits := r.faults.Calls(limitertest.OpCommit)
	r.faults.SetPlan(func(c limitertest.Call) limitertest.Act {
		if c.Op == limitertest.OpCommit && c.Nth == commits {
			return limitertest.Pass // it marks the entity
		}
		return map[bool]limitertest.Act{true: limitertest.Fail, false: limitertest.Pass}[c.Op == limitertest.OpCommit]
	})
	r.wantError("a deletion that is interrupted", l.DeleteEntity(r.Context(), user, nil), engine.ErrUnavailable)
	r.late()
	r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 100)}))
	for i := range 20 {
		limits, err := l.Limits(r.Context(), user, fmt.Sprint("r", i))
		r.must(err)
		if limits != nil {
			r.Errorf("r%d has limits of the entity that was deleted", i)
		}
	}
}

// late carries out late writes, and lets all requests pass from then on.
func (r *engineTest) late() {
	r.faults.SetPlan(nil)
	r.faults.Release(context.WithoutCancel(r.Context()))
}

// there counts the buckets of an entity that have not expired.
func (r *engineTest) there(l *engine.Limiter, entity string) int {
	r.Helper()
	page, err := l.Buckets(r.Context(), engine.BucketQuery{Entity: entity})
	r.must(err)
	return len(page.Items)
}

// sweep drops expired records, unless the store does so by itself.
func (r *engineTest) sweep() {
	r.Helper()
	if sweep := r.store.Capabilities().Sweep; sweep != nil {
		_, err := sweep(r.Context(), r.clock.Now().Unix())
		r.must(err)
	}
}

// keptForRefunds: a record is kept until it is full and no lease on it can be refunded, and ten minutes more.
func keptForRefunds(r *engineTest) {
	limit := engine.PerSecond("a", 10)
	for hold, kept := range map[time.Duration]time.Duration{0: time.Hour, 20 * time.Minute: 20 * time.Minute, -1: 0} {
		l := r.limiter(func(o *engine.Options) { o.MaxHold = hold })
		q := ask(tokens("a", 3), limit)
		q.Entity = fmt.Sprint("held-", kept)
		lease := r.mustAcquire(l, q)
		r.wantConsumed(l, q.Entity, "charged", "a:3")
		if kept > 0 {
			r.clock.advance(kept - time.Second)
			r.sweep()
			r.must(lease.Rollback(r.Context()))
			r.wantConsumed(l, q.Entity, "refunded a second before MaxHold", "a:0")
			if lost := r.events.of(engine.EventRefundLost); len(lost) > 0 {
				r.Errorf("a refund a second before MaxHold is lost: %+v", lost)
			}
			r.clock.advance(time.Second)
		}
		r.clock.advance(10 * time.Minute)
		if n := r.there(l, q.Entity); n != 1 {
			r.Errorf("MaxHold %v: %d buckets are kept until then, not 1", kept, n)
		}
		r.clock.advance(2 * time.Second) // the limit needs one to be full again, and expiries are rounded up to the second
		if n := r.there(l, q.Entity); n != 0 {
			r.Errorf("MaxHold %v: %d buckets are kept any longer", kept, n)
		}
		r.sweep()
	}
}

// keptForDebt: debt is kept until it is paid.
func keptForDebt(r *engineTest) {
	l, limit := r.limiter(), engine.PerMinute("a", 60)
	lease := r.mustAcquire(l, ask(tokens("a", 60), limit))
	r.must(lease.Adjust(tokens("a", 3600*5)))
	r.must(lease.Commit(r.Context()))
	r.clock.advance(5 * time.Hour)
	r.sweep()
	r.wantLeft(r.limiter(), "in debt", "a:0", limit)
	r.clock.advance(time.Minute + 69*time.Minute)
	if n := r.there(l, user); n != 1 {
		r.Errorf("%d buckets are kept until refunds are too late, not 1", n)
	}
	r.clock.advance(time.Minute)
	if n := r.there(l, user); n != 0 {
		r.Errorf("%d buckets are kept any longer", n)
	}
}
