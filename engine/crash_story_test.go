package engine_test

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestCrashInsideALease proves that of a lease whose holder is gone, or could not end it, the charge stays until it has refilled.
func TestCrashInsideALease(t *testing.T) { tellOnEachKind(t, crashes, true) }

var crashes = stories{
	{"Gone", crashGone},
	{"CommitFailed", crashCommitFailed},
	{"CommitFailedOnPath", crashCommitFailedOnPath},
	{"RollbackFailed", crashRollbackFailed},
	{"Closed", crashClosed},
}

// TestOneRecordForAMillion proves that however many acquires there are, a bucket is one record.
func TestOneRecordForAMillion(t *testing.T) { tellOnEachKind(t, million, false) }

var million = stories{
	{"OneProcess", func(r *story) { r.million(1) }},
	{"SeveralProcesses", func(r *story) { r.million(3) }},
}

// TestOnlyReads proves that what only reads writes nothing.
func TestOnlyReads(t *testing.T) { tellOnEachKind(t, readOnly, false) }

var readOnly = stories{
	{"NothingThere", func(r *story) { r.readAll() }},
	{"EverythingThere", func(r *story) { r.settle(); r.readAll() }},
	{"NothingChanged", readsNothingChanged},
}

// crashGone: the charge and what was flushed stay, for every process, until they have refilled. What was only adjusted is lost
// with the process.
func crashGone(r *story) {
	limits := []engine.Limit{engine.PerHour("a", 60), engine.PerHour("b", 60)}
	lease := r.mustAcquire(r.limiter(), request(tokens("a", 20), limits...))
	r.must(lease.Adjust(engine.Tokens{"a": 10, "b": 30}))
	r.must(lease.Flush(r.Context()))
	r.must(lease.Adjust(engine.Tokens{"a": -30, "b": 5}))
	l := r.limiter()
	r.wantLeft(l, "the holder is gone", "a:30 b:30", limits...)
	r.clock.advance(10 * time.Minute)
	r.wantLeft(l, "ten minutes later", "a:40 b:40", limits...)
	r.clock.advance(20 * time.Minute)
	r.wantLeft(l, "half an hour later", "a:60 b:60", limits...)
	if got := r.take(l, request(tokens("a", 1), limits...)); got != 60 {
		r.Errorf("%d were admitted, of 60", got)
	}
}

// crashCommitFailed: a deferred rollback after a commit that failed refunds nothing, and the commit can be repeated.
func crashCommitFailed(r *story) {
	l, limits := r.limiter(), []engine.Limit{stored("a", 100), stored("b", 100)}
	lease := r.mustAcquire(l, request(tokens("a", 20), limits...))
	r.must(lease.Adjust(engine.Tokens{"a": -5, "b": 7}))
	r.faults.SetPlan(limitertest.Always(limitertest.Fail, limitertest.OpApply))
	r.wantError("Commit", lease.Commit(r.Context()), engine.ErrUnavailable)
	r.faults.SetPlan(nil)
	r.wantRequests("Rollback after a Commit that failed", 0, 0, func() { r.must(lease.Rollback(r.Context())) })
	r.wantLeft(l, "after a Commit that failed", "a:80 b:100", limits...)
	r.wantError("Adjust", lease.Adjust(tokens("a", 1)), engine.ErrLeaseClosed)
	r.wantError("Consume", lease.Consume(r.Context(), tokens("a", 1)), engine.ErrLeaseClosed)
	r.must(lease.Commit(r.Context()))
	r.wantLeft(l, "committed at last", "a:85 b:93", limits...)
	r.wantError("a third Commit", lease.Commit(r.Context()), engine.ErrLeaseClosed)
}

// crashCommitFailedOnPath: a commit settles the buckets of a cascade one by one, and none of them twice.
func crashCommitFailedOnPath(r *story) {
	l := r.limiter()
	r.family(l, 2)
	for _, delta := range []int64{5, -5} {
		r.endPath()
		lease := r.mustAcquire(l, request(tokens("a", 20)))
		r.must(lease.Adjust(tokens("a", delta)))
		parents := func(k backend.Key) bool { return strings.Contains(k.Partition, "parent-1") }
		r.faults.SetPlan(limitertest.Where(parents, limitertest.Always(limitertest.Fail, limitertest.OpApply)))
		r.wantError("Commit", lease.Commit(r.Context()), engine.ErrUnavailable)
		r.faults.SetPlan(nil)
		r.must(lease.Rollback(r.Context()))
		r.must(lease.Commit(r.Context()))
		want := map[int64]string{5: "a:75 parent-1 a:175", -5: "a:85 parent-1 a:185"}[delta]
		r.wantLeft(l, "committed in two steps", want)
	}
}

// endPath resets the buckets of a path of two.
func (r *story) endPath() {
	l := r.limiter()
	r.must(l.ResetBucket(r.Context(), user, api))
	r.must(l.ResetBucket(r.Context(), "parent-1", api))
}

// crashRollbackFailed: a rollback that certainly did not reach the store can be repeated.
func crashRollbackFailed(r *story) {
	l, limit := r.limiter(), stored("a", 100)
	lease := r.mustAcquire(l, request(tokens("a", 20), limit))
	r.faults.SetPlan(limitertest.Always(limitertest.Fail, limitertest.OpApply))
	r.wantError("Rollback", lease.Rollback(r.Context()), engine.ErrUnavailable)
	r.faults.SetPlan(nil)
	r.wantLeft(l, "after a Rollback that failed", "a:80", limit)
	r.must(lease.Rollback(r.Context()))
	r.must(lease.Rollback(r.Context()))
	r.wantLeft(l, "rolled back at last", "a:100", limit)
}

// crashClosed: after Close every call returns ErrClosed, and charges stay.
func crashClosed(r *story) {
	l, q := r.limiter(), request(tokens("a", 20), stored("a", 100))
	lease := r.mustAcquire(l, q)
	r.must(lease.Adjust(tokens("a", 1)))
	r.must(l.Close())
	r.must(l.Close())
	_, err := l.Acquire(r.Context(), q)
	r.wantError("Acquire", err, engine.ErrClosed)
	_, err = l.Allow(r.Context(), q)
	r.wantError("Allow", err, engine.ErrClosed)
	_, err = l.Available(r.Context(), user, api, q.Limits...)
	r.wantError("Available", err, engine.ErrClosed)
	r.wantError("Commit", lease.Commit(r.Context()), engine.ErrClosed)
	r.must(lease.Rollback(r.Context()))
	r.wantLeft(r.limiter(), "after Close", "a:80", q.Limits...)
}

// acquires returns how many acquires to make: ZAE_LIMITER_TEST_ACQUIRES, or few enough for every day.
func (r *story) acquires() int {
	if n, err := strconv.Atoi(os.Getenv("ZAE_LIMITER_TEST_ACQUIRES")); err == nil {
		return n
	}
	return 5_000
}

func (r *story) million(processes int) {
	keys := map[backend.Key]bool{}
	r.faults.SetPlan(func(c limitertest.Call) limitertest.Act {
		if c.Op == limitertest.OpApply || c.Op == limitertest.OpCommit {
			for _, k := range c.Keys {
				keys[k] = true
			}
		}
		return limitertest.Pass
	})
	n := r.acquires()
	all := r.processes(processes)
	q := request(tokens("a", 1), stored("a", int64(n)), engine.PerSecond("b", 1000))
	for i := range n {
		if d, err := all[i%processes].Allow(r.Context(), q); err != nil || !d.Allowed {
			r.Fatalf("acquire %d: %+v, %v", i, d, err)
		}
	}
	if len(keys) != 1 {
		r.Errorf("%d acquires wrote %d records: %v", n, len(keys), keys)
	}
	r.mustDeny(all[0], q)
	for key := range keys {
		found, _, err := r.store.Capabilities().Scan(r.Context(), key.Namespace, "", 100)
		if err != nil || len(found) != 1 {
			r.Errorf("%d acquires left %d records: %v", n, len(found), err)
		}
	}
}

// settle creates one record of each kind.
func (r *story) settle() {
	l := r.limiter()
	r.family(l, 3)
	for _, v := range configLevels {
		r.must(v.set(r.Context(), l, stored("a", 100), stored("b", 10)))
	}
	lease := r.mustAcquire(l, request(tokens("a", 10)))
	r.must(lease.Adjust(tokens("b", 20))) // in debt
	r.must(lease.Commit(r.Context()))
	r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 50), stored("c", 1)})) // the next acquire converts
	r.must(l.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 70)}))
}

// readAll makes every call that only reads, in a process with full caches and in a new one.
func (r *story) readAll() {
	warm, page := r.limiter(), engine.Page{}
	r.clock.advance(time.Hour)
	applies, commits := r.faults.Calls(limitertest.OpApply), r.faults.Calls(limitertest.OpCommit)
	for _, l := range []*engine.Limiter{warm, r.limiter(), warm} {
		for what, read := range map[string]func() error{
			"Available": func() error { _, err := l.Available(r.Context(), user, api, stored("a", 1)); return err },
			"TimeUntilAvailable": func() error {
				_, err := l.TimeUntilAvailable(r.Context(), request(tokens("a", 1), stored("a", 1)))
				return err
			},
			"Acquire of zeros": func() error {
				_, err := l.Acquire(r.Context(), request(tokens("a", 0), stored("a", 1)))
				return orDenied(err)
			},
			"Explain":              func() error { _, err := l.Explain(r.Context(), user, api); return err },
			"Entities":             func() error { _, err := l.Entities(r.Context(), page); return err },
			"Children":             func() error { _, err := l.Children(r.Context(), "parent-1", page); return err },
			"SystemDefaults":       func() error { _, err := l.SystemDefaults(r.Context()); return err },
			"ResourceDefaults":     func() error { _, err := l.ResourceDefaults(r.Context(), api); return err },
			"Resources":            func() error { _, err := l.Resources(r.Context(), page); return err },
			"Limits":               func() error { _, err := l.Limits(r.Context(), user, api); return err },
			"Limits of the entity": func() error { _, err := l.Limits(r.Context(), user, ""); return err },
			"EntitiesWithLimits":   func() error { _, err := l.EntitiesWithLimits(r.Context(), api, page); return err },
			"ResourcesWithEntityLimits": func() error {
				_, err := l.ResourcesWithEntityLimits(r.Context(), page)
				return err
			},
			"Settings": func() error {
				_, err := l.Settings(r.Context(), []engine.SettingID{{Kind: engine.SettingSystem}, {Kind: engine.SettingEntity, Entity: user}})
				return err
			},
			"ManagedSettings":       func() error { _, err := l.ManagedSettings(r.Context(), "m"); return err },
			"AllSettings":           func() error { _, err := l.AllSettings(r.Context()); return err },
			"Buckets":               func() error { _, err := l.Buckets(r.Context(), engine.BucketQuery{}); return err },
			"Buckets of the entity": func() error { _, err := l.Buckets(r.Context(), engine.BucketQuery{Entity: user}); return err },
			"BucketStates": func() error {
				_, err := l.BucketStates(r.Context(), []engine.BucketName{{Entity: user, Resource: api}})
				return err
			},
			"AuditEvents":    func() error { _, err := l.AuditEvents(r.Context(), engine.AuditQuery{}); return err },
			"ListNamespaces": func() error { _, err := l.ListNamespaces(r.Context(), page); return err },
			"Namespace":      func() error { _, err := l.Namespace(r.Context(), engine.DefaultNamespace); return err },
			"Status":         func() error { _, err := l.Status(r.Context()); return err },
			"Ping":           func() error { return l.Ping(r.Context()) },
		} {
			if err := read(); err != nil {
				r.Errorf("%s: %v", what, err)
			}
			if a, c := r.faults.Calls(limitertest.OpApply)-applies, r.faults.Calls(limitertest.OpCommit)-commits; a+c > 0 {
				r.Fatalf("%s wrote: %d writes, %d commits", what, a, c)
			}
		}
	}
}

// orDenied returns nil for a denial.
func orDenied(err error) error {
	var exceeded *engine.ExceededError
	if errors.As(err, &exceeded) {
		return nil
	}
	return err
}

// readsNothingChanged: a change that would change nothing writes nothing, and has no audit event.
func readsNothingChanged(r *story) {
	l := r.limiter()
	for what, call := range map[string]func() error{
		"DeleteLimits":           func() error { return l.DeleteLimits(r.Context(), user, api) },
		"DeleteResourceDefaults": func() error { return l.DeleteResourceDefaults(r.Context(), api) },
		"DeleteSystemDefaults":   func() error { return l.DeleteSystemDefaults(r.Context()) },
		"ResetBucket":            func() error { return l.ResetBucket(r.Context(), user, api) },
	} {
		r.must(call())
		r.wantWrites(what+" of nothing", 0)
	}
	r.settle()
	writes := r.faults.Writes()
	r.must(l.SetLimits(r.Context(), "parent-2", api, []engine.Limit{stored("a", 300)}))
	_, err := l.UpdateEntity(r.Context(), user, engine.EntityUpdate{}, nil)
	r.must(err)
	_, err = l.Acquire(r.Context(), engine.Request{Entity: "parent-2", Resource: api, Consume: tokens("a", 301)})
	r.wantError("a request that never fits", err, engine.ErrNeverFits)
	r.wantWrites("setting what is set", writes)
}
