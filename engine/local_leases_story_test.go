package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestLocalLeases tells what becomes of leases, and of what local buckets have admitted, when the store is back.
func TestLocalLeases(t *testing.T) { tellOnEachKind(t, localLeases.virtual(), true) }

var localLeases = stories{
	{"WhileAway", func(r *story) { r.localSteps(false) }},
	{"WhenBack", func(r *story) { r.localSteps(true) }},
	{"MaxHold", localMaxHold},
	{"OfTheStore", localOfTheStore},
	{"Reset", localReset},
	{"LostReplies", localLostReplies},
	{"LostRefund", localLostRefund},
	{"OtherLimits", localOtherLimits},
	{"OthersBring", localOthersBring},
	{"AcquiresOfParents", localAcquiresOfParents},
	{"LimitsChanged", localLimitsChanged},
	{"PresentDeficit", localPresentDeficit},
	{"CloseWithDebt", localCloseWithDebt},
	{"ClosedLease", localClosedLease},
	{"Prefetch", localPrefetch},
}

// localSteps does everything that a lease can do with one that a local bucket has granted, before or after the store is back. The
// usage is counted in full then, and charged.
func (r *story) localSteps(back bool) {
	limits := []engine.Limit{stored("a", 100), stored("b", 100)}
	for i, v := range []string{"brought", "stored", "override"} {
		for j, step := range leaseSteps {
			what := fmt.Sprintf("limits %s, %s", v, step.name)
			q := request(tokens("a", 10))
			q.Entity = fmt.Sprintf("user-%d-%d", i, j)
			l := r.limiter(locally(1))
			switch v {
			case "brought":
				q.Limits = limits
			case "stored":
				r.must(l.SetLimits(r.Context(), q.Entity, api, limits))
				r.must(r.mustAcquire(l, q).Rollback(r.Context()))
			case "override":
				q.Override = limits
			}
			r.virtually(func(r *story) {
				r.down()
				lease := r.mustAcquire(l, q)
				if back {
					r.wait(time.Millisecond)
					r.up()
					r.pass(longestPause)
					r.wait(2 * time.Second) // it is written back
				}
				if err := step.do(r, lease); err != nil || !lease.Degraded() {
					r.Errorf("%s: %v, degraded is %v", what, err, lease.Degraded())
				}
				if got := amounts(lease.Consumed()); got != step.consumed {
					r.Errorf("%s: Consumed is %s, not %s", what, got, step.consumed)
				}
				r.up()
				r.must(l.Close())
			})
			r.wantUsage(q.Entity, what, step.a, step.b)
			r.wantUsed(q, what, step.a, step.b)
		}
	}
}

// wantUsage compares the counters of a bucket.
func (r *story) wantUsage(entity, what string, a, b int64) {
	r.Helper()
	all, err := r.limiter().BucketStates(r.Context(), []engine.BucketName{{Entity: entity, Resource: api}})
	r.must(err)
	for _, s := range all {
		for _, l := range s.Limits {
			if want := map[string]int64{"a": a, "b": b}[l.Limit.Name]; l.Used != want {
				r.Errorf("%s: %d %s are counted, not %d", what, l.Used, l.Limit.Name, want)
			}
		}
	}
	if len(all) != 1 || all[0].Acquires < 1 {
		r.Errorf("%s: %+v", what, all)
	}
}

// localMaxHold: a refund later than MaxHold is void and counted, as of any lease.
func localMaxHold(r *story) {
	l, q := r.limiter(locally(1), func(o *engine.Options) { o.MaxHold = time.Minute }), request(tokens("a", 10), stored("a", 100))
	r.down()
	inTime, late := r.mustAcquire(l, q), r.mustAcquire(l, q)
	r.pass(time.Minute)
	r.must(inTime.Rollback(r.Context()))
	r.pass(1)
	r.must(late.Rollback(r.Context()))
	if lost := r.lost(); lost != 10 {
		r.Errorf("%d tokens were reported as not refunded, not 10", lost)
	}
	r.up()
	r.must(l.Close())
	r.wantCounted("after it", "a:10", 2)
}

// localOfTheStore: a lease that the store has granted is settled in the store. While it is away that fails, and can be done again.
func localOfTheStore(r *story) {
	l, q := r.limiter(locally(.1)), request(tokens("a", 5), stored("a", 100))
	lease, other := r.mustAcquire(l, q), r.mustAcquire(l, q)
	r.down()
	r.must(lease.Adjust(tokens("a", 3)))
	r.wantError("Commit", lease.Commit(r.Context()), engine.ErrUnavailable)
	r.wantError("Consume", other.Consume(r.Context(), tokens("a", 1)), engine.ErrUnavailable)
	r.wantError("Rollback", other.Rollback(r.Context()), engine.ErrUnavailable)
	r.up()
	r.pass(longestPause)
	r.must(lease.Commit(r.Context()))
	r.must(other.Rollback(r.Context()))
	r.wantCounted("when it is back", "a:8", 2)
}

// writtenBack is a lease that the process has granted by itself, and whose charge is in the store since.
func (r *story) writtenBack(l *engine.Limiter, q engine.Request) *engine.Lease {
	r.Helper()
	r.down()
	lease := r.mustAcquire(l, q)
	r.wait(time.Millisecond)
	r.up()
	r.pass(longestPause)
	r.wait(2 * time.Second)
	return lease
}

// localReset: a refund after a reset refunds nothing that the reset has refunded already.
func localReset(r *story) {
	l, q := r.limiter(locally(1)), request(tokens("a", 10), stored("a", 100))
	r.virtually(func(r *story) {
		lease := r.writtenBack(l, q)
		r.wantLeft(r.limiter(), "written back", "a:90", q.Limits...)
		r.must(r.limiter().ResetBucket(r.Context(), user, api))
		r.mustAcquire(r.limiter(), request(tokens("a", 50), q.Limits...))
		r.must(lease.Rollback(r.Context()))
		r.must(l.Close())
	})
	r.wantLeft(r.limiter(), "a refund after a reset", "a:50", q.Limits...)
	r.wantCounted("a refund after a reset", "a:50", 2)
}

// localLostReplies: write-backs whose replies are lost are made once.
func localLostReplies(r *story) {
	for i, act := range []limitertest.Act{limitertest.LoseReply, limitertest.LoseRequest, limitertest.Hang, limitertest.HangAfter, limitertest.LoseRace} {
		l, q := r.limiter(locally(.5), sleeping), request(tokens("a", 1), stored("a", 100))
		q.Entity = fmt.Sprint("user-", i)
		r.virtually(func(r *story) {
			r.down()
			for range 4 {
				r.mustAcquire(l, q)
			}
			r.wait(time.Millisecond)
			r.pass(longestPause)
			r.faults.SetPlan(limitertest.Always(act, limitertest.OpApply))
			r.wait(3 * time.Second)
			q.OnUnavailable = engine.PolicyBlock
			_, _ = l.Acquire(r.Context(), q) // the breaker may be open
			q.OnUnavailable = engine.PolicyDefault
			r.wait(2 * time.Second)
			r.up()
			r.pass(longestPause)
			r.wait(12 * time.Second)
			r.must(l.Close())
		})
		all, err := r.limiter().BucketStates(r.Context(), []engine.BucketName{{Entity: q.Entity, Resource: api}})
		r.must(err)
		// The acquire under Block may have been charged, too: its outcome is unknown.
		if s := all[0]; s.Limits[0].Used < 4 || s.Limits[0].Used > 5 || s.Acquires != s.Limits[0].Used || s.Limits[0].Available != 100-s.Limits[0].Used {
			r.Errorf("%v: %+v", act, s)
		}
	}
	if n := len(r.events.of(engine.EventUsageLost)); n > 0 {
		r.Errorf("usage of %d buckets is lost", n)
	}
}

// localLostRefund: a write-back of a refund is made once, although the reply is lost and somebody else has written since.
func localLostRefund(r *story) {
	l, q := r.limiter(locally(1)), request(tokens("a", 10), stored("a", 100))
	r.virtually(func(r *story) {
		lease := r.writtenBack(l, q)
		other := r.limiter()
		r.mustAcquire(other, q)
		r.wantCounted("before the refund", "a:20", 2)
		r.faults.SetPlan(limitertest.On(limitertest.OpApply, r.faults.Calls(limitertest.OpApply), limitertest.LoseReply))
		r.faults.SetHooks(nil, func(_ context.Context, c limitertest.Call) {
			if c.Op == limitertest.OpApply {
				r.faults.SetHooks(nil, nil)
				r.mustAcquire(other, q)
			}
		})
		r.must(lease.Rollback(r.Context()))
		r.must(l.Close())
	})
	r.wantCounted("after the refund", "a:20", 3)
	if n := len(r.events.of(engine.EventRefundLost)); n != 1 {
		r.Errorf("%d refunds are reported as lost", n)
	}
}

// localOtherLimits: the bucket in the store has other limits than the local one. It gets those that something is owed of.
func localOtherLimits(r *story) {
	a, b := stored("a", 100), stored("b", 100)
	l := r.limiter(locally(.5))
	r.mustAcquire(l, request(tokens("a", 1), a))
	r.mustAcquire(r.limiter(), request(tokens("c", 1), stored("c", 10)))
	r.down()
	r.mustAcquire(l, request(engine.Tokens{"a": 2, "b": 3}, a, b))
	r.up()
	r.must(l.Close())
	r.wantCounted("after the outage", "a:3 b:3 c:1", 3)
	r.wantLeft(r.limiter(), "after the outage", "a:97 b:97", a, b)
}

// localLimitsChanged: limits that change during the outage count for the local bucket when this process learns of them, and its
// deficit is kept.
func localLimitsChanged(r *story) {
	limits := func(n int64) []engine.Limit { return []engine.Limit{stored("a", n)} }
	setup := r.limiter()
	r.must(setup.SetLimits(r.Context(), user, api, limits(100)))
	l, q := r.limiter(locally(.1)), request(tokens("a", 1))
	r.mustAcquire(l, q)
	learn := func(r *story) {
		l.CloseBreaker()
		r.must(l.Refresh(r.Context()))
	}
	r.virtually(func(r *story) { // nothing is written back unless the story waits
		r.faults.SetPlan(limitertest.Always(limitertest.Fail, limitertest.OpApply))
		if n := r.take(l, q); n != 10 {
			r.Errorf("%d admitted by the old limits, of 10", n)
		}
		r.wait(time.Millisecond)
		r.must(setup.SetLimits(r.Context(), user, api, limits(200)))
		learn(r)
		if n := r.take(l, q); n != 10 {
			r.Errorf("%d more admitted by the new limits, of 10", n)
		}
		r.must(setup.DeleteLimits(r.Context(), user, api))
		r.must(setup.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("b", 100)}))
		learn(r)
		if n := r.take(l, request(tokens("b", 1))); n != 10 {
			r.Errorf("%d admitted by another limit, of 10", n)
		}
		r.up()
		r.must(l.Close())
	})
	r.wantLeft(r.limiter(), "a limit that is gone is charged nothing", "b:90")
}

// localPresentDeficit: after a long outage the bucket in the store lacks what the local one still lacks, and no more.
func localPresentDeficit(r *story) {
	l, q := r.limiter(locally(.1)), request(tokens("a", 1), engine.PerSecond("a", 100))
	r.down()
	admitted := r.take(l, q)
	for range 600 {
		r.pass(time.Second)
		admitted += r.take(l, q)
	}
	r.pass(time.Second / 2)
	r.up()
	r.must(l.Close())
	if admitted != 6010 {
		r.Errorf("%d admitted in ten minutes, of 6010", admitted)
	}
	r.wantCounted("after the outage", "a:6010", 6010)
	r.wantLeft(r.limiter(), "after the outage", "a:95", q.Limits...)
}

// localCloseWithDebt: a limiter that closes while the store is away loses the usage, within its budget, and says so.
func localCloseWithDebt(r *story) {
	for i, act := range []limitertest.Act{limitertest.Fail, limitertest.Hang, limitertest.HangDeaf} {
		l := r.limiter(locally(.1), sleeping)
		r.virtually(func(r *story) {
			r.faults.SetPlan(limitertest.Always(act))
			ctx, cancel := context.WithTimeout(context.Background(), 10*budget)
			defer cancel()
			for j := range 20 {
				q := request(tokens("a", 2), stored("a", 100))
				q.Entity = fmt.Sprintf("user-%d-%d", i, j)
				_, err := l.Acquire(ctx, q)
				r.must(err)
			}
			r.within("Close", 2*budget, func() { r.should(l.Close()) })
		})
		var lost int64
		for _, e := range r.events.of(engine.EventUsageLost) {
			if lost += e.Tokens["a"]; !errors.Is(e.Err, engine.ErrUnavailable) || e.Resource != api {
				r.Errorf("%v: %+v", act, e)
			}
		}
		if want := int64(40 * (i + 1)); lost != want {
			r.Errorf("%v: %d tokens are reported as lost, of %d", act, lost, want)
		}
		r.up()
	}
}

// localClosedLease: a lease of a closed limiter cannot be settled.
func localClosedLease(r *story) {
	l := r.limiter(locally(.1))
	r.down()
	lease := r.mustAcquire(l, request(tokens("a", 2), stored("a", 100)))
	r.up()
	r.must(l.Close())
	r.must(lease.Adjust(tokens("a", 1)))
	r.wantError("Consume", lease.Consume(r.Context(), tokens("a", 1)), engine.ErrClosed)
	r.wantError("Commit", lease.Commit(r.Context()), engine.ErrClosed)
	r.wantCounted("before", "a:2", 1)
}

// TestLocalManyHands is in real time, so that usage is written back meanwhile.
func TestLocalManyHands(t *testing.T) {
	tellOnEachKind(t, stories{{"ManyHands", localManyHands}}, true)
}

// localManyHands: many goroutines acquire, adjust and refund while the store comes and goes; all is counted.
func localManyHands(r *story) {
	l, limits := r.limiter(locally(1)), []engine.Limit{stored("a", 100_000)}
	var held, acquires atomic.Int64
	r.together(hands, func(i int) {
		for j := range 100 {
			if i == 0 && j%10 == 0 {
				r.down()
			} else if i == 1 && j%10 == 5 {
				r.up()
				l.CloseBreaker()
			}
			lease, err := l.Acquire(context.Background(), request(tokens("a", 10), limits...))
			if err != nil {
				r.Errorf("Acquire: %v", err)
				continue
			}
			acquires.Add(1)
			held.Add(10)
			if lease.Degraded() {
				r.should(lease.Adjust(tokens("a", int64(j%7-3))))
				r.should(lease.Commit(context.Background()))
				held.Add(int64(j%7 - 3))
			}
		}
	})
	r.up()
	r.must(l.Close())
	r.wantCounted("many hands", fmt.Sprint("a:", held.Load()), acquires.Load())
	r.wantLeft(r.limiter(), "many hands", fmt.Sprint("a:", 100_000-held.Load()), limits...)
}

// localPrefetch: tokens that were bought in advance are used up first; then the local bucket decides.
func localPrefetch(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual, locally(.1), func(o *engine.Options) { o.Prefetch = &engine.PrefetchOptions{} })
		q := request(tokens("a", 1), engine.PerSecond("a", 1000))
		for range 200 {
			w.mustAcquire(l, q)
			w.wait(time.Millisecond)
		}
		w.down()
		var bought, local int
		for range 400 {
			lease, err := l.Acquire(context.Background(), q)
			switch {
			case err != nil && !errors.As(err, new(*engine.ExceededError)):
				w.Errorf("while the store is away: %v", err)
			case err == nil && lease.Degraded():
				local++
			case err == nil:
				bought++
			}
		}
		if local != 100 || bought > 200 {
			w.Errorf("%d admitted by the local bucket, of 100, and %d from what was bought", local, bought)
		}
		w.up()
		w.wait(longestPause)
		if lease := w.mustAcquire(l, q); lease.Degraded() {
			w.Errorf("degraded after the store came back")
		}
		w.must(l.Close())
		w.wait(budget)
		w.wantCounted("in the end", fmt.Sprint("a:", 200+local+bought+1), int64(200+local+bought+1), virtual)
	})
}
