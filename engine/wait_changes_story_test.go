package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestWaitingForLong tells what those notice who wait for longer than tokens are reserved ahead, while nobody else uses their process.
func TestWaitingForLong(t *testing.T) {
	tellOnEachKind(t, stories{
		{"Limits", waitLimitsChange},
		{"Parent", waitParentChanges},
		{"Namespace", waitNamespaceDeleted},
		{"ZerosReset", waitZerosReset},
		{"Centuries", waitCenturies},
		{"ZerosCenturies", waitZerosCenturies},
		{"Outlived", waitOutlived},
		{"OutlivedInDebt", waitOutlivedInDebt},
		{"ExhaustedParent", waitExhaustedParent},
		{"OwnChanges", waitOwnChanges},
	}, false)
}

// notice is how long those who wait for long may take to notice what others do.
const notice = 2 * time.Minute

// wantSoon wants a caller to have its answer soon after what others did at the beginning.
func (w *waiters) wantSoon(who string) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.after[who] == 0 || w.after[who] > notice {
		w.Errorf("%s was answered after %v: %v", who, w.after[who], w.errs[who])
	}
}

// later lets those wait for some minutes who came.
func (w *waiters) later() {
	w.wait(5*time.Minute - time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.start = time.Now()
}

// hourly is a limit that refills a token an hour.
func hourly(capacity int64) engine.Limit {
	return engine.Limit{Name: "a", Capacity: capacity, RefillAmount: 1, RefillPeriod: time.Hour}
}

// waitLimitsChange: another process changes the limits, at each level, so that the tokens are due sooner.
func waitLimitsChange(r *story) {
	fast := []engine.Limit{engine.PerSecond("a", 10)}
	for level, change := range map[string]func(context.Context, *engine.Limiter, string) error{
		"system": func(ctx context.Context, l *engine.Limiter, _ string) error {
			return l.SetSystemDefaults(ctx, fast, nil)
		},
		"resource": func(ctx context.Context, l *engine.Limiter, _ string) error {
			return l.SetResourceDefaults(ctx, api, fast)
		},
		"entity": func(ctx context.Context, l *engine.Limiter, id string) error { return l.SetLimits(ctx, id, "", fast) },
	} {
		for _, reserve := range []time.Duration{0, -1} {
			r.waiters(func(w *waiters) {
				l, other, ctx := w.limiter(virtual, func(o *engine.Options) { o.MaxReserve = reserve }), w.limiter(virtual), context.Background()
				q := request(tokens("a", 10))
				q.Entity = fmt.Sprint(level, reserve)
				_ = other.DeleteResourceDefaults(ctx, api)
				w.must(other.SetSystemDefaults(ctx, []engine.Limit{hourly(10)}, nil))
				w.mustAcquire(l, q)
				w.come(ctx, l, "one", q)
				w.must(change(ctx, other, q.Entity))
				w.all.Wait()
				w.must(w.err("one"))
				w.wantSoon("one")
			})
		}
	}
}

// waitParentChanges: another process takes the entity out of the care of a parent whose tokens are used up.
func waitParentChanges(r *story) {
	r.waiters(func(w *waiters) {
		l, other, ctx := w.limiter(virtual), w.limiter(virtual), context.Background()
		w.must(other.SetLimits(ctx, "top", "", []engine.Limit{hourly(10)}))
		w.must(other.SetLimits(ctx, user, "", []engine.Limit{hourly(20)}))
		w.mustEntity(other, engine.Entity{ID: user, Parent: "top", Cascade: true})
		q := request(tokens("a", 10))
		w.mustAcquire(l, q)
		w.come(ctx, l, "one", q)
		w.later()
		none := ""
		_, err := other.UpdateEntity(ctx, user, engine.EntityUpdate{Parent: &none}, nil)
		w.must(err)
		w.all.Wait()
		w.must(w.err("one"))
		w.wantSoon("one")
	})
}

// waitNamespaceDeleted: another process deletes the namespace.
func waitNamespaceDeleted(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual, func(o *engine.Options) { o.Namespace, o.CreateNamespace = "tenant", true })
		other, ctx := w.limiter(virtual), context.Background()
		q := request(tokens("a", 10), hourly(10))
		w.mustAcquire(l, q)
		w.come(ctx, l, "one", q)
		w.later()
		w.must(other.DeleteNamespace(ctx, "tenant"))
		w.all.Wait()
		w.wantError("in a deleted namespace", w.err("one"), engine.ErrNamespaceNotFound)
		w.wantSoon("one")
	})
}

// waitZerosReset: another process resets a bucket that is in debt for hours.
func waitZerosReset(r *story) {
	r.waiters(func(w *waiters) {
		l, other, ctx := w.limiter(virtual), w.limiter(virtual), context.Background()
		lease := w.mustAcquire(l, request(tokens("a", 10), hourly(10)))
		w.must(lease.Adjust(tokens("a", 5)))
		w.must(lease.Commit(ctx))
		w.come(ctx, l, "zeros", request(tokens("a", 0), hourly(10)))
		w.must(other.ResetBucket(ctx, user, api))
		w.all.Wait()
		w.must(w.err("zeros"))
		w.wantSoon("zeros")
	})
}

// slowest is a limit that refills a token in ten years.
func slowest() engine.Limit {
	return engine.Limit{Name: "a", Capacity: 100, RefillAmount: 1, RefillPeriod: 3650 * 24 * time.Hour}
}

// waitCenturies: a deadline is too early for tokens that are due later than any time.Duration.
func waitCenturies(r *story) {
	r.waiters(func(w *waiters) {
		l, q := w.limiter(virtual), request(tokens("a", 100), slowest())
		w.mustAcquire(l, q)
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		w.come(ctx, l, "one", q)
		w.all.Wait()
		w.wantAfter("one", 0)
		var exceeded *engine.ExceededError
		if err := w.err("one"); !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &exceeded) || exceeded.NeverFits || exceeded.RetryAfter < 100*365*24*time.Hour {
			w.Errorf("a deadline of an hour: %v", err)
		}
	})
}

// waitZerosCenturies: whoever waits for the end of a debt that lasts longer than any time.Duration asks once a minute.
func waitZerosCenturies(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual)
		lease := w.mustAcquire(l, request(tokens("a", 100), slowest()))
		w.must(lease.Adjust(tokens("a", 100)))
		w.must(lease.Commit(context.Background()))
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(10*time.Minute, cancel)
		n := 0
		w.faults.SetPlan(func(c limitertest.Call) limitertest.Act {
			if c.Op == limitertest.OpRead {
				n++
			}
			if n > 1000 {
				cancel()
			}
			return limitertest.Pass
		})
		w.come(ctx, l, "zeros", request(tokens("a", 0), slowest()))
		w.all.Wait()
		w.faults.SetPlan(nil)
		w.wantError("who is cancelled", w.err("zeros"), context.Canceled)
		if n > 40 {
			w.Errorf("%d reads in ten minutes", n)
		}
	})
}

// outlive has an entity while f runs, and deletes its record then.
func (w *waiters) outlive(l *engine.Limiter, entity string, f func()) {
	ctx, id := context.Background(), engine.SettingID{Kind: engine.SettingEntity, Entity: entity}
	w.must(l.ApplyManifest(ctx, "m", []engine.SettingChange{{Before: engine.Setting{ID: id}, After: engine.Setting{ID: id, Exists: true}}}, nil))
	f()
	all, err := l.ManagedSettings(ctx, "m")
	w.must(err)
	w.must(l.ApplyManifest(ctx, "m", []engine.SettingChange{{Before: all[0], After: engine.Setting{ID: id}}}, nil))
}

// waitOutlived: the record of a bucket has the version of an entity that was deleted since.
func waitOutlived(r *story) {
	for _, isStored := range []bool{false, true} {
		r.waiters(func(w *waiters) {
			l, ctx := w.limiter(virtual), context.Background()
			q := each(10)
			if q.Entity = fmt.Sprint("user-", isStored); isStored {
				w.must(l.SetResourceDefaults(ctx, api, q.Limits))
				q.Limits = nil
			}
			w.outlive(l, q.Entity, func() { w.mustAcquire(l, q) })
			for _, who := range []string{"one", "two"} {
				w.come(ctx, l, who, q)
			}
			w.all.Wait()
			w.wantOrder("one", "two")
			w.wantAfter("two", 20*time.Second)
			w.wantRecorded(q.Entity, 3, 30)
		})
	}
}

// waitOutlivedInDebt: such a record also proves that the deadline is too early, as another process has used more than it had.
func waitOutlivedInDebt(r *story) {
	r.waiters(func(w *waiters) {
		l, other := w.limiter(virtual), w.limiter(virtual)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		w.outlive(l, user, func() {
			lease := w.mustAcquire(other, each(1))
			w.mustAcquire(l, each(9))
			w.must(lease.Adjust(tokens("a", 60)))
			w.must(lease.Commit(ctx))
		})
		before := w.faults.Calls(limitertest.OpApply)
		w.come(ctx, l, "one", each(10))
		w.all.Wait()
		w.wantAfter("one", 0)
		w.wantError("in debt", w.err("one"), context.DeadlineExceeded)
		if n := w.faults.Calls(limitertest.OpApply) - before; n > 2 {
			w.Errorf("%d writes", n)
		}
	})
}

// waitExhaustedParent: the limits of a child have changed, and its bucket was not converted yet, as its parent denies all that comes.
func waitExhaustedParent(r *story) {
	r.waiters(func(w *waiters) {
		l, other, ctx := w.limiter(virtual), w.limiter(virtual), context.Background()
		w.must(other.SetLimits(ctx, "top", "", each(1).Limits))
		w.must(other.SetResourceDefaults(ctx, api, []engine.Limit{stored("a", 100)}))
		w.mustEntity(other, engine.Entity{ID: user, Parent: "top", Cascade: true})
		q := request(tokens("a", 10))
		w.mustAcquire(l, q)
		w.must(other.SetResourceDefaults(ctx, api, []engine.Limit{stored("a", 200)}))
		w.must(l.Refresh(ctx))
		w.mustDeny(l, q)
		w.come(ctx, l, "one", q)
		w.come(ctx, l, "two", q)
		w.all.Wait()
		w.wantOrder("one", "two")
		w.wantAfter("two", 20*time.Second)
		w.wantRecorded(user, 3, 30)
	})
}

// waitOwnChanges: the process in which somebody waits changes the limits again and again.
func waitOwnChanges(r *story) {
	r.waiters(func(w *waiters) {
		l, ctx, limit := w.limiter(virtual), context.Background(), hourly(10)
		w.must(l.SetLimits(ctx, user, api, []engine.Limit{limit}))
		w.mustAcquire(l, request(tokens("a", 10)))
		w.come(ctx, l, "one", request(tokens("a", 10)))
		for range 10 {
			limit.RefillPeriod += time.Minute
			w.must(l.SetLimits(ctx, user, api, []engine.Limit{limit}))
			synctest.Wait()
		}
		w.must(l.SetLimits(ctx, user, api, each(1).Limits))
		w.all.Wait()
		w.must(w.err("one"))
		w.wantSoon("one")
	})
}
