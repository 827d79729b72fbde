package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// outageRecovery: when the store answers again, it decides again, and what was admitted meanwhile is not charged.
func outageRecovery(r *story) {
	l, q := r.limiter(under(engine.PolicyAllow)), request(tokens("a", 1), stored("a", 10))
	r.mustAcquire(l, q)
	for range 3 {
		r.faults.SetPlan(limitertest.Always(limitertest.Fail))
		for range 20 {
			lease, err := l.Acquire(r.Context(), q)
			r.answer("Acquire", engine.PolicyAllow, lease, err)
		}
		r.faults.SetPlan(nil)
		r.clock.advance(longestPause)
		if lease := r.mustAcquire(l, q); lease.Degraded() {
			r.Errorf("degraded after the store came back")
		}
	}
	r.wantLeft(l, "after three outages", "a:6", q.Limits...)
	r.atOnceAgain(l)
}

// atOnceAgain wants a crowd to reach the store at the same time.
func (r *story) atOnceAgain(l *engine.Limiter) {
	var there atomic.Int64 // at the store, or answered without it
	all := make(chan struct{})
	arrive := func() {
		if there.Add(1) == hands {
			close(all)
		}
	}
	r.faults.SetHooks(func(context.Context, limitertest.Call) {
		arrive()
		<-all
	}, nil)
	defer r.faults.SetHooks(nil, nil)
	r.together(hands, func(i int) {
		q := request(tokens("a", 1), stored("a", 10))
		q.Entity = fmt.Sprintf("user-%d", i) // callers on one bucket would share a request
		d, err := l.Allow(r.Context(), q)
		if err != nil || d.Degraded {
			arrive()
			r.Errorf("one of many after an outage: %+v, %v", d, err)
		}
	})
}

// outageStartDown: a limiter can be created and used while the store is down.
func outageStartDown(r *story) {
	r.faults.SetPlan(limitertest.Always(limitertest.Fail))
	for _, p := range policies {
		l, q := r.limiter(under(p)), request(tokens("a", 1), stored("a", 10))
		for range 7 {
			lease, err := l.Acquire(r.Context(), q)
			r.answer("Acquire", p, lease, err)
			d, err := l.Allow(r.Context(), q)
			if p == engine.PolicyAllow && (err != nil || !d.Allowed || !d.Degraded) || p == engine.PolicyBlock && (d.Allowed || !errors.Is(err, engine.ErrUnavailable)) {
				r.Errorf("Allow under %v: %+v, %v", p, d, err)
			}
		}
		for what, err := range map[string]error{
			"Available":   second(l.Available(r.Context(), user, api, q.Limits...)),
			"TimeUntil":   second(l.TimeUntilAvailable(r.Context(), q)),
			"SetLimits":   l.SetLimits(r.Context(), user, api, q.Limits),
			"ResetBucket": l.ResetBucket(r.Context(), user, api),
			"Entity":      second(l.Entity(r.Context(), user)),
		} {
			r.wantError(what+", which no policy lets through", err, engine.ErrUnavailable)
		}
		r.faults.SetPlan(nil)
		r.clock.advance(longestPause)
		if lease := r.mustAcquire(l, q); lease.Degraded() {
			r.Errorf("degraded after the store came back")
		}
		r.faults.SetPlan(limitertest.Always(limitertest.Fail))
	}
}

func second[T any](_ T, err error) error { return err }

// outageCancelled: a caller who gives up gets the error of its context, whatever the policy, and it is no failure of the store.
func outageCancelled(r *story) {
	for _, act := range []limitertest.Act{limitertest.Hang, limitertest.HangDeaf} {
		for _, p := range policies {
			warm, cold, q := r.limiter(under(p)), r.limiter(under(p)), request(tokens("a", 1), stored("a", 1000))
			r.mustAcquire(warm, q)
			apart := make([]engine.Request, 3) // callers on one bucket would share a request
			for i := range apart {
				apart[i] = q
				apart[i].Entity = fmt.Sprintf("user-%d", i)
				r.mustAcquire(warm, apart[i])
			}
			r.virtually(func(r *story) {
				r.faults.SetPlan(limitertest.Always(act))
				giveUp := func(what string, l *engine.Limiter) {
					ctx, cancel := context.WithCancel(context.Background())
					defer time.AfterFunc(budget/10, cancel).Stop()
					r.within(what, budget/10, func() {
						lease, err := l.Acquire(ctx, q)
						if !errors.Is(err, context.Canceled) || errors.Is(err, engine.ErrUnavailable) || lease != nil {
							r.Errorf("%s, given up under %v, %v: %+v, %v", what, p, act, lease, err)
						}
					})
				}
				for i := range 10 {
					if giveUp("known bucket", warm); i < 4 { // not for as long as the budget
						giveUp("first use", cold)
					}
				}
				calls := r.faults.Calls(limitertest.OpApply)
				for _, q := range apart { // had the breaker opened, one of them would be on its way
					go func() {
						lease, err := warm.Acquire(context.Background(), q)
						r.answer("Acquire", p, lease, err)
					}()
				}
				synctest.Wait()
				if n := r.faults.Calls(limitertest.OpApply) - calls; n != 3 {
					r.Errorf("after callers gave up, %d of 3 acquires ask the store", n)
				}
				r.wait(2 * budget)
			})
			r.faults.SetPlan(nil)
		}
	}
	done, cancel := context.WithCancel(r.Context())
	cancel()
	for _, p := range policies {
		_, err := r.limiter(under(p)).Acquire(done, request(tokens("a", 1), stored("a", 1000)))
		r.wantError("a context that was done before", err, context.Canceled)
	}
}

// outageOwnDeadline: if the context's deadline has passed before the call, the store is not asked, and no policy admits. A
// deadline that passes during the call is an outage (ShortDeadlines).
func outageOwnDeadline(r *story) {
	ctx, cancel := context.WithTimeout(r.Context(), -time.Second)
	defer cancel()
	for _, p := range policies {
		warm, cold, q := r.limiter(under(p)), r.limiter(under(p)), request(tokens("a", 1), stored("a", 1000))
		r.mustAcquire(warm, q)
		overdue := func(when string, cold *engine.Limiter) {
			for what, l := range map[string]*engine.Limiter{"known bucket": warm, "first use": cold} {
				for call, acquire := range map[string]func(context.Context, engine.Request) (*engine.Lease, error){"Acquire": l.Acquire, "Wait": l.Wait} {
					lease, err := acquire(ctx, q)
					if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, engine.ErrUnavailable) || lease != nil {
						r.Errorf("%s, %s, %s with a deadline that has passed, under %v: %+v, %v", when, what, call, p, lease, err)
					}
				}
			}
		}
		for range 10 {
			overdue("the store answers", cold)
		}
		r.mustAcquire(warm, q)
		if lease := r.mustAcquire(cold, q); lease.Degraded() {
			r.Errorf("the breaker counts what the store was never asked")
		}
		cold = r.limiter(under(p))
		r.faults.SetPlan(limitertest.Always(limitertest.Fail))
		for range 10 {
			_ = second(warm.Acquire(r.Context(), q))
			_ = second(cold.Acquire(r.Context(), q))
		}
		overdue("with an open breaker", cold)
		r.faults.SetPlan(nil)
	}
}

// stubborn is a store whose writes return an error that is not one of the contract.
type stubborn struct{ backend.Backend }

// Apply implements [backend.Backend].
func (stubborn) Apply(_ context.Context, _ []backend.Write, out []backend.Outcome) error {
	for i := range out {
		out[i].Err = errBroken
	}
	return errBroken
}

// outageWrong: a mistake is an error under every policy, whether the store can be reached or not.
func outageWrong(r *story) {
	allow := under(engine.PolicyAllow)
	good := request(tokens("a", 1), stored("a", 10))
	broken, err := engine.New(stubborn{r.store}, r.options(allow))
	r.must(err)
	defer func() { r.must(broken.Close()) }()
	_, err = broken.Acquire(r.Context(), good)
	if !errors.Is(err, errBroken) || errors.Is(err, engine.ErrUnavailable) {
		r.Errorf("an error that is none of the contract's: %v", err)
	}
	l := r.limiter(allow)
	_, err = l.Acquire(r.Context(), request(tokens("a", 1)))
	r.wantError("no limits", err, engine.ErrNoLimits)
	r.mustAcquire(l, good)
	nobodys := r.limiter(allow, func(o *engine.Options) { o.Namespace = "nobodys" })
	_, err = nobodys.Acquire(r.Context(), good)
	r.wantError("a namespace that is not registered", err, engine.ErrNamespaceNotFound)
	r.faults.SetPlan(limitertest.Always(limitertest.Fail))
	for range 8 { // with a closed breaker and an open one
		_, err = l.Acquire(r.Context(), request(tokens("x", 1), stored("a", 10)))
		r.wantError("an unknown name, known without the store", err, engine.ErrUnknownLimit)
		_, err = l.Acquire(r.Context(), request(tokens("a", -1), stored("a", 10)))
		r.wantInvalid("a negative amount", err)
		lease, err := l.Acquire(r.Context(), good)
		r.answer("Acquire", engine.PolicyAllow, lease, err)
	}
}

// outageDenied: a request that a parent has denied stays denied if the store goes down before the child is refunded, which is
// reported.
func outageDenied(r *story) {
	r.family(r.limiter(), 2)
	r.mustAcquire(r.limiter(), engine.Request{Entity: "parent-1", Resource: api, Consume: tokens("a", 200)})
	for _, p := range policies {
		l, before := r.limiter(under(p)), len(r.events.of(engine.EventRefundLost))
		calls := r.faults.Calls(limitertest.OpApply)
		r.faults.SetPlan(func(c limitertest.Call) limitertest.Act {
			if c.Op == limitertest.OpApply && c.Nth > calls+1 {
				return limitertest.Fail
			}
			return limitertest.Pass
		})
		if e := r.mustDeny(l, request(tokens("a", 10))); e.Primary().Entity != "parent-1" || e.Statuses()[0].Remaining != 100 {
			r.Errorf("denied by its parent, then the store went down, under %v: %+v", p, e.Statuses())
		}
		r.faults.SetPlan(nil)
		lost := r.events.of(engine.EventRefundLost)
		if len(lost) != before+1 || lost[before].Entity != user || lost[before].Tokens["a"] != 10 {
			r.Errorf("what was reported: %+v", lost)
		}
		r.must(r.limiter().ResetBucket(r.Context(), user, api))
		r.faults.SetPlan(limitertest.Where(func(k backend.Key) bool { return strings.Contains(k.Partition, user) }, limitertest.Always(limitertest.Fail, limitertest.OpApply)))
		if e := r.mustDeny(r.limiter(under(p)), request(tokens("a", 10))); e.Primary().Entity != "parent-1" || len(e.Statuses()) != 2 {
			r.Errorf("denied by its parent, its own bucket out of reach, under %v: %+v", p, e.Statuses())
		}
		r.faults.SetPlan(limitertest.Always(limitertest.Fail))
		if e := r.mustDeny(l, request(tokens("a", 10))); e.Primary().Entity != "parent-1" || len(e.Statuses()) != 2 {
			r.Errorf("a denial that is known, without the store, under %v: %+v", p, e.Statuses())
		}
		r.faults.SetPlan(nil)
	}
}

// outagePolicies: the call's policy, then the limiter's, then what is stored for the system, then Block.
func outagePolicies(r *story) {
	for _, c := range []struct{ stored, limiter, call, want engine.Policy }{
		{0, 0, 0, engine.PolicyBlock},
		{engine.PolicyAllow, 0, 0, engine.PolicyAllow},
		{engine.PolicyAllow, engine.PolicyBlock, 0, engine.PolicyBlock},
		{engine.PolicyBlock, engine.PolicyAllow, 0, engine.PolicyAllow},
		{engine.PolicyAllow, engine.PolicyAllow, engine.PolicyBlock, engine.PolicyBlock},
		{engine.PolicyBlock, engine.PolicyBlock, engine.PolicyAllow, engine.PolicyAllow},
		{0, 0, engine.PolicyAllow, engine.PolicyAllow},
	} {
		setup, l := r.limiter(), r.limiter(under(c.limiter))
		r.must(setup.DeleteSystemDefaults(r.Context()))
		if c.stored != 0 {
			r.must(setup.SetSystemDefaults(r.Context(), []engine.Limit{stored("a", 10)}, &engine.SystemOptions{OnUnavailable: c.stored}))
			r.must(setup.SetSystemDefaults(r.Context(), []engine.Limit{stored("a", 20)}, nil)) // keeps the policy
		}
		q := request(tokens("a", 1), stored("a", 10))
		r.mustAcquire(l, q)
		r.must(setup.ResetBucket(r.Context(), user, api))
		r.faults.SetPlan(limitertest.Always(limitertest.Fail))
		q.OnUnavailable = c.call
		lease, err := l.Acquire(r.Context(), q)
		r.answer(fmt.Sprintf("stored %v, limiter %v, call %v", c.stored, c.limiter, c.call), c.want, lease, err)
		r.faults.SetPlan(nil)
	}
}

// outageOldConfiguration: if only the configuration cannot be read, the known limits decide.
func outageOldConfiguration(r *story) {
	l := r.limiter(under(engine.PolicyBlock))
	r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{engine.Every("a", 10, 1000*aDay)}))
	r.mustAcquire(l, request(tokens("a", 1)))
	r.clock.advance(time.Hour)
	r.faults.SetPlan(limitertest.Always(limitertest.Fail, limitertest.OpRead))
	if got := r.take(l, request(tokens("a", 1))); got != 9 {
		r.Errorf("with configuration an hour old that cannot be read: %d were admitted, of 9", got)
	}
	r.faults.SetPlan(nil)
}
