package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestWaitingInTrouble tells how they wait for stores that fail.
func TestWaitingInTrouble(t *testing.T) { tellOnEachKind(t, waitsInTrouble, true) }

var waitsInTrouble = stories{
	{"Earlier", waitEarlier},
	{"Outage", waitOutage},
	{"Hung", waitHung},
	{"LostReplies", waitLostReplies},
	{"SlowDenial", waitSlowDenial},
}

// waitOutage: while the store fails, the policy decides for those who wait for it. Those who have reserved are admitted.
func waitOutage(r *story) {
	for _, p := range policies {
		r.waiters(func(w *waiters) {
			l := w.limiter(virtual, under(p))
			q := each(10)
			q.Entity = fmt.Sprint("user-", p)
			w.mustAcquire(l, q)
			w.come(context.Background(), l, "before", q)
			w.faults.SetPlan(limitertest.Always(limitertest.Fail))
			lease, err := l.Wait(context.Background(), q)
			if p == engine.PolicyAllow && (err != nil || !lease.Degraded()) || p == engine.PolicyBlock && !errors.Is(err, engine.ErrUnavailable) {
				w.Errorf("Wait in an outage, under %v: degraded %v, %v", p, lease.Degraded(), err)
			}
			w.all.Wait()
			w.wantOrder("before")
			w.wantAfter("before", 10*time.Second)
			w.faults.SetPlan(nil)
		})
	}
}

// waitHung: a store that hangs holds a caller up for its budget, and not those who have reserved.
func waitHung(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual)
		w.empty(l)
		w.come(context.Background(), l, "before", each(1))
		w.faults.SetPlan(limitertest.Always(limitertest.Hang))
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, err := l.Wait(ctx, each(1))
		if took := time.Since(start); took > budget || !errors.Is(err, engine.ErrUnavailable) {
			w.Errorf("Wait for a store that hangs: %v, after %v", err, took)
		}
		w.faults.SetPlan(nil)
		w.all.Wait()
		w.wantAfter("before", time.Second)
		w.must(w.err("before"))
	})
}

// waitSlowDenial: the time that a denial took to come is part of the time that it says to wait.
func waitSlowDenial(r *story) {
	r.waiters(func(w *waiters) {
		l := w.inDebt()
		w.faults.SetPlan(func(limitertest.Call) limitertest.Act {
			if time.Since(w.start) < time.Second {
				w.must(pause.For(context.Background(), budget/2))
			}
			return limitertest.Pass
		})
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second+budget/4)
		defer cancel()
		w.come(ctx, l, "zeros", each(0))
		w.all.Wait()
		if err := w.err("zeros"); err != nil {
			w.Errorf("in debt for 5 s, a request of zeros with a quarter of a budget more: %v", err)
		}
	})
}

// waitLostReplies: a reservation whose reply is lost is charged once.
func waitLostReplies(r *story) {
	for _, act := range []limitertest.Act{limitertest.LoseReply, limitertest.LoseRequest} {
		r.waiters(func(w *waiters) {
			l, q := w.limiter(virtual), each(10)
			q.Entity = fmt.Sprintf("user-%d", act)
			w.mustAcquire(l, q)
			n := 0
			w.faults.SetPlan(func(call limitertest.Call) limitertest.Act {
				if n++; n == 1 {
					return act
				}
				return limitertest.Pass
			})
			w.come(context.Background(), l, "one", q)
			w.all.Wait()
			w.faults.SetPlan(nil)
			w.must(w.err("one"))
			w.wantAfter("one", 10*time.Second)
			w.wantRecorded(q.Entity, 2, 20)
		})
	}
}

// waitEarlier: somebody comes at the same instant as another one, and is due earlier, in another bucket.
func waitEarlier(r *story) {
	r.waiters(func(w *waiters) {
		l, other := w.limiter(virtual), each(1)
		other.Entity = "user-2"
		w.empty(l)
		for range 10 {
			w.mustAcquire(l, other)
		}
		w.come(context.Background(), l, "late", each(10))
		w.come(context.Background(), l, "early", other)
		w.all.Wait()
		w.wantOrder("early", "late")
		w.wantAfter("early", time.Second)
		w.wantAfter("late", 10*time.Second)
	})
}
