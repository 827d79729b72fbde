package conformance

import (
	"fmt"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// outages proves that what processes admit by themselves while the store is away is in the store afterwards. Everything else about
// outages is proved by the tests of package engine, because no store decides it.
var outages = stories{
	{"Usage", outageUsage},
	{"LostReplies", outageLostReplies},
	{"OtherLimits", outageOtherLimits},
}

// locally is an option: the policy Local with a share.
func locally(share float64) func(*engine.Options) {
	return func(o *engine.Options) { o.OnUnavailable, o.LocalShare = engine.PolicyLocal, share }
}

// outageUsage: two processes know a child and its parent, one of them no bucket yet. Both admit while the store is away, and correct
// what they have admitted before and after it is back.
func outageUsage(r *engineTest) {
	setup := r.limiter()
	r.mustEntity(setup, engine.Entity{ID: "parent"})
	r.mustEntity(setup, engine.Entity{ID: user, Parent: "parent", Cascade: true})
	r.must(setup.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 1000), stored("b", 1000)}))
	r.must(setup.SetLimits(r.Context(), "parent", api, []engine.Limit{stored("a", 2000)}))
	all := []*engine.Limiter{r.limiter(locally(.5)), r.limiter(locally(.5))}
	r.mustAcquire(all[0], ask(tokens("a", 100)))
	_, err := all[1].Available(r.Context(), user, api) // which reads the limits
	r.must(err)
	var late []*engine.Lease
	r.faults.SetPlan(limitertest.Always(limitertest.Fail))
	for _, l := range all {
		r.must(r.mustAcquire(l, ask(engine.Tokens{"a": 50, "b": 7})).Commit(r.Context()))
		r.must(r.mustAcquire(l, ask(tokens("a", 60))).Rollback(r.Context()))
		lease := r.mustAcquire(l, ask(tokens("a", 30)))
		r.must(lease.Adjust(engine.Tokens{"a": -10, "b": 3}))
		r.must(lease.Commit(r.Context()))
		late = append(late, r.mustAcquire(l, ask(tokens("a", 40))))
	}
	if e := r.mustDeny(all[0], ask(tokens("a", 400))); e.Primary().Limit.Capacity != 500 || e.Primary().Remaining != 390 {
		r.Errorf("denied by a local bucket: %+v", e.Primary())
	}
	r.faults.SetPlan(nil)
	r.must(late[0].Rollback(r.Context()))
	r.must(late[1].Adjust(tokens("b", 5)))
	r.must(late[1].Commit(r.Context()))
	for _, l := range all {
		r.must(l.Close())
	}
	r.wantConsumed(setup, user, "the child", "a:280 b:25")
	r.wantConsumed(setup, "parent", "the parent", "a:280")
	r.wantLeft(setup, "after the outage", "a:720 b:975 parent a:1720")
}

// outageLostReplies loses the replies of write-backs, or the requests: what they write is there once.
func outageLostReplies(r *engineTest) {
	for i, act := range []limitertest.Act{limitertest.LoseReply, limitertest.LoseRequest, limitertest.LoseRace, limitertest.Fail} {
		l, q := r.limiter(locally(1)), ask(tokens("a", 5), stored("a", 100))
		q.Entity = fmt.Sprint("user-", i)
		r.mustAcquire(l, q)
		r.faults.SetPlan(limitertest.Always(limitertest.Fail))
		for range 3 {
			r.mustAcquire(l, q)
		}
		writes := r.faults.Calls(limitertest.OpApply)
		r.faults.SetPlan(func(c limitertest.Call) limitertest.Act {
			if c.Op == limitertest.OpApply && c.Nth <= writes+2 {
				return act
			}
			return limitertest.Pass
		})
		r.must(l.Close())
		r.faults.SetPlan(nil)
		r.wantConsumed(r.limiter(), q.Entity, act.String(), "a:20")
		r.wantLeftOf(r.limiter(), q.Entity, act.String(), "a:80", q.Limits...)
	}
	if lost := r.events.of(engine.EventUsageLost); len(lost) > 0 {
		r.Errorf("usage is lost: %+v", lost)
	}
}

// outageOtherLimits: the bucket in the store has not got a limit that the local one has.
func outageOtherLimits(r *engineTest) {
	l := r.limiter(locally(1))
	r.mustAcquire(r.limiter(), ask(tokens("c", 1), stored("c", 10)))
	r.faults.SetPlan(limitertest.Always(limitertest.Fail))
	r.mustAcquire(l, ask(engine.Tokens{"a": 2, "b": 3}, stored("a", 100), stored("b", 100)))
	r.faults.SetPlan(nil)
	r.must(l.Close())
	r.wantConsumed(r.limiter(), user, "after the outage", "a:2 b:3 c:1")
	if got := amounts(r.left(r.limiter(), user, stored("a", 100), stored("b", 100))); !strings.HasPrefix(got, "a:98 b:97") {
		r.Errorf("after the outage: available is %s", got)
	}
}
