package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestUnavailableWithinBudget tells outages.
func TestUnavailableWithinBudget(t *testing.T) { tellEach(t, outages, true) }

// outages proves that the policies hold at every call of the store, within the budget, and that they admit only if the store
// cannot be reached. If a store hangs, time is virtual, and nothing reaches the store beneath.
var outages = stories{
	{"CrowdOnHang", func(r *story) { r.crowdOn(limitertest.Hang) }},
	{"CrowdOnDeafHang", func(r *story) { r.crowdOn(limitertest.HangDeaf) }},
	{"CrowdAtFirstUse", crowdAtFirstUse},
	{"CrowdOnPath", crowdOnPath},
	{"EveryCall", outageEveryCall},
	{"LeasesHang", outageLeases},
	{"ShortDeadlines", outageShortDeadlines},
	{"ShortDeadlinesAtFirstUse", outageFirstUseDeadlines},
	{"EveryOperation", outageEveryOperation},
	{"Panics", outagePanics},
	{"OneProbe", outageOneProbe},
	{"OneCaller", outageOneCaller},
	{"Recovery", outageRecovery},
	{"StartDown", outageStartDown},
	{"Cancelled", outageCancelled},
	{"OwnDeadline", outageOwnDeadline},
	{"WrongIsNeverLetThrough", outageWrong},
	{"DeniedThenDown", outageDenied},
	{"Policies", outagePolicies},
	{"OldConfiguration", outageOldConfiguration},
}

const budget = time.Second

// policies are the policies for an acquire that cannot reach the store.
var policies = []engine.Policy{engine.PolicyBlock, engine.PolicyAllow}

// under is an option: the policy, and the budget of these stories.
func under(p engine.Policy) func(*engine.Options) {
	return func(o *engine.Options) { o.OnUnavailable, o.Timeout = p, budget }
}

// sleeping is an option: pauses take time, which must be virtual.
func sleeping(o *engine.Options) { o.Sleep = nil }

// virtually runs f in virtual time. Calls that hang end after f, and so do writes that nobody waits for any more.
func (r *story) virtually(f func(r *story)) {
	r.Helper()
	tell := func(t *testing.T) {
		outside, bubble := r.T, r.bubble
		r.T, r.bubble = t, true
		f(r)
		r.wait(2 * budget)
		r.faults.Release(context.Background())
		synctest.Wait()
		r.T, r.bubble = outside, bubble
	}
	if r.bubble {
		tell(r.T)
		return
	}
	synctest.Test(r.T, tell)
}

// virtual tells all of a story in virtual time.
func (all stories) virtual() stories {
	changed := slices.Clone(all)
	for i, s := range all {
		changed[i].tell = func(r *story) { r.virtually(s.tell) }
	}
	return changed
}

// settled waits until background work pauses, if the story is in virtual time. So it is done with what it began before the story
// changes the clock or the store.
func (r *story) settled() {
	if r.bubble {
		synctest.Wait()
	}
}

// pass sets the clock forward.
func (r *story) pass(d time.Duration) {
	r.settled()
	r.clock.advance(d)
}

// within wants f to return within a virtual time.
func (r *story) within(what string, d time.Duration, f func()) {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d+time.Nanosecond)
	defer cancel()
	f()
	if synctest.Wait(); ctx.Err() != nil {
		r.Errorf("%s: not within %v", what, d)
	}
}

// answer compares the result of an acquire that did not reach the store with what the policy demands.
func (r *story) answer(what string, p engine.Policy, lease *engine.Lease, err error) {
	if p == engine.PolicyAllow {
		if err != nil || !lease.Degraded() {
			r.Errorf("%s under Allow: degraded is %v, %v", what, lease.Degraded(), err)
		}
		return
	}
	if !errors.Is(err, engine.ErrUnavailable) || !errors.Is(err, backend.ErrUnavailable) && !errors.Is(err, backend.ErrOutcomeUnknown) && !errors.Is(err, context.DeadlineExceeded) {
		r.Errorf("%s under Block: %v, which is no ErrUnavailable with its cause", what, err)
	}
}

// thousand has a thousand goroutines acquire at once, and wants all results within twice the budget.
func (r *story) thousand(l *engine.Limiter, p engine.Policy, q func(i int) engine.Request) {
	r.Helper()
	r.within(fmt.Sprintf("a thousand acquires under %v", p), 2*budget, func() {
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				lease, err := l.Acquire(context.Background(), q(i))
				r.answer("Acquire", p, lease, err)
				r.should(lease.Commit(context.Background()))
			})
		}
		all.Wait()
	})
}

// should is must for any goroutine.
func (r *story) should(err error) {
	if err != nil {
		r.Errorf("%v", err)
	}
}

// crowdOn hangs after everything is cached.
func (r *story) crowdOn(act limitertest.Act) {
	for _, p := range policies {
		l := r.limiter(under(p), sleeping)
		q := request(tokens("a", 1), stored("a", 1000))
		r.mustAcquire(l, q)
		r.virtually(func(r *story) {
			r.faults.SetPlan(limitertest.Always(act))
			r.thousand(l, p, func(int) engine.Request { return q })
			r.thousand(l, p, func(int) engine.Request { return q }) // with an open breaker
		})
		r.faults.SetPlan(nil)
	}
}

// crowdAtFirstUse hangs from the beginning, while the configuration is read, for one bucket and for many.
func crowdAtFirstUse(r *story) {
	for i, act := range []limitertest.Act{limitertest.Hang, limitertest.HangDeaf} {
		p := policies[i]
		same, others := r.limiter(under(p), sleeping), r.limiter(under(p), sleeping)
		q := request(tokens("a", 1), stored("a", 1000))
		r.virtually(func(r *story) {
			r.faults.SetPlan(limitertest.Always(act))
			r.thousand(same, p, func(int) engine.Request { return q })
			r.thousand(others, p, func(i int) engine.Request {
				own := q
				own.Entity = fmt.Sprintf("user-%d", i%100)
				return own
			})
			r.wait(2 * budget) // for what was begun on behalf of all
		})
		r.faults.SetPlan(nil)
	}
}

// crowdOnPath hangs on the buckets of a path of three.
func crowdOnPath(r *story) {
	setup := r.limiter()
	r.family(setup, 3)
	for _, p := range policies {
		l := r.limiter(under(p), sleeping)
		r.mustAcquire(l, request(tokens("a", 1)))
		r.virtually(func(r *story) {
			r.faults.SetPlan(limitertest.Always(limitertest.Hang))
			r.thousand(l, p, func(int) engine.Request { return request(tokens("a", 1)) })
		})
		r.faults.SetPlan(nil)
	}
}

// outageEveryCall has the store fail from its nth request on, for each n of an acquire below a parent.
func outageEveryCall(r *story) {
	r.family(r.limiter(), 2)
	for _, p := range policies {
		for _, act := range []limitertest.Act{limitertest.Fail, limitertest.Throttle, limitertest.LoseRequest, limitertest.LoseReply} {
			for n := 0; ; n++ {
				l, done := r.limiter(under(p)), 0
				r.faults.SetPlan(func(limitertest.Call) limitertest.Act {
					if done++; done <= n {
						return limitertest.Pass
					}
					return act
				})
				lease, err := l.Acquire(r.Context(), request(tokens("a", 1)))
				r.faults.SetPlan(nil)
				if err == nil && !lease.Degraded() {
					if n < 4 {
						r.Errorf("down after %d requests (%v) under %v: admitted", n, act, p)
					}
					break
				}
				r.answer(fmt.Sprintf("down after %d requests (%v)", n, act), p, lease, err)
				r.endPath()
			}
		}
	}
	if n := len(r.events.of(engine.EventDegraded)); n < 16 {
		r.Errorf("%d admissions without the store were reported", n)
	}
}

// outageLeases: no policy applies to a lease's own calls. Each returns within twice the budget, also if its caller has given up
// before.
func outageLeases(r *story) {
	l := r.limiter(under(engine.PolicyAllow))
	for _, act := range []limitertest.Act{limitertest.Hang, limitertest.HangDeaf} {
		lease := r.mustAcquire(l, request(tokens("a", 10), stored("a", 1000)))
		second := r.mustAcquire(l, request(tokens("a", 10), stored("a", 1000)))
		gone, cancel := context.WithCancel(r.Context())
		cancel()
		r.virtually(func(r *story) {
			r.faults.SetPlan(limitertest.Always(act))
			for what, call := range map[string]func() error{
				"Consume": func() error { return lease.Consume(context.Background(), tokens("a", 1)) },
				"Flush":   func() error { r.must(lease.Adjust(tokens("a", 1))); return lease.Flush(context.Background()) },
			} {
				r.within(what, 2*budget, func() { r.wantError(what, call(), engine.ErrUnavailable) })
			}
			r.within("Commit", 2*budget, func() { r.wantError("Commit", lease.Commit(context.Background()), engine.ErrUnavailable) })
			r.within("Rollback", 2*budget, func() { r.should(second.Rollback(gone)) }) // its outcome is unknown: it counts as made
		})
		r.faults.SetPlan(nil)
		r.must(lease.Commit(r.Context()))
	}
}

// outageOneProbe: after several failures calls fail at once, except for one after each pause, which probes the store.
func outageOneProbe(r *story) {
	for _, p := range policies {
		l, q := r.limiter(under(p)), request(tokens("a", 1), stored("a", 1000))
		r.mustAcquire(l, q)
		r.faults.SetPlan(limitertest.Always(limitertest.Fail))
		for range 5 {
			lease, err := l.Acquire(r.Context(), q)
			r.answer("Acquire", p, lease, err)
		}
		r.virtually(func(r *story) {
			r.clock.advance(longestPause)
			r.faults.SetPlan(limitertest.Always(limitertest.Hang))
			calls := r.faults.Calls(limitertest.OpApply)
			var answered atomic.Int64
			for range 100 {
				go func() {
					lease, err := l.Acquire(context.Background(), q)
					r.answer("Acquire", p, lease, err)
					answered.Add(1)
				}()
			}
			synctest.Wait() // no time has gone by
			if n := answered.Load(); n != 99 {
				r.Errorf("%d of 100 were answered at once; one probes", n)
			}
			if n := r.faults.Calls(limitertest.OpApply) - calls; n != 1 {
				r.Errorf("%d requests probe at once", n)
			}
			r.within("the probe", 2*budget, func() {
				for answered.Load() < 100 && !r.Failed() {
					r.wait(budget / 4)
				}
			})
		})
		r.faults.SetPlan(nil)
		r.clock.advance(longestPause)
		r.mustAcquire(l, q) // the next probe
		before := r.faults.Calls(limitertest.OpApply)
		for range 20 {
			if lease := r.mustAcquire(l, q); lease.Degraded() {
				r.Errorf("degraded after the store came back")
			}
		}
		if n := r.faults.Calls(limitertest.OpApply) - before; n != 20 {
			r.Errorf("%d requests for 20 acquires after the store came back", n)
		}
	}
}

// wait waits in virtual time.
func (r *story) wait(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	<-ctx.Done()
}
