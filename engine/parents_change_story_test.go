package engine_test

import (
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// parentMoved: the new parent is charged from then on, and leases refund those that they charged.
func parentMoved(r *story) {
	l := r.limiter()
	r.family(l, 2)
	r.must(l.SetLimits(r.Context(), "other", api, []engine.Limit{stored("a", 50)}))
	lease := r.mustAcquire(l, request(tokens("a", 10)))
	other := "other"
	if _, err := l.UpdateEntity(r.Context(), user, engine.EntityUpdate{Parent: &other}, unborn); err != nil {
		r.Fatalf("UpdateEntity: %v", err)
	}
	r.mustAcquire(l, request(tokens("a", 1)))
	r.wantLeft(l, "moved", "a:89 other a:49")
	r.must(lease.Adjust(tokens("a", 5)))
	r.must(lease.Flush(r.Context()))
	r.wantLeftOf(l, "parent-1", "adjusted after the move", "a:185")
	r.must(lease.Rollback(r.Context()))
	r.wantLeft(l, "rolled back after the move", "a:99 other a:49")
	r.wantLeftOf(l, "parent-1", "rolled back after the move", "a:200")
}

// parentMovedElsewhere: another process learns of a move when a write is refused, long before its configuration expires, even if
// the clock of the process that moved it is behind.
func parentMovedElsewhere(r *story) {
	l, other, parent := r.limiter(by(newClock(-3*time.Second))), r.limiter(), "other"
	r.family(l, 2)
	r.must(l.SetLimits(r.Context(), parent, api, []engine.Limit{stored("a", 50)}))
	r.mustAcquire(other, request(tokens("a", 1)))
	if _, err := l.UpdateEntity(r.Context(), user, engine.EntityUpdate{Parent: &parent}, unborn); err != nil {
		r.Fatalf("UpdateEntity: %v", err)
	}
	r.mustAcquire(l, request(tokens("a", 1)))
	r.mustAcquire(other, request(tokens("a", 1)))
	fresh := r.limiter()
	r.wantLeft(fresh, "moved by another process", "a:97 other a:48")
	r.wantLeftOf(fresh, "parent-1", "moved by another process", "a:199")
}

// parentMadeAnew: an entity that is deleted and created again has other versions, and its bucket follows.
func parentMadeAnew(r *story) {
	l, behind := r.limiter(), r.limiter(by(newClock(-5*time.Second)))
	r.mustEntity(l, engine.Entity{ID: user, Parent: "first", Cascade: true})
	r.must(l.SetLimits(r.Context(), "first", api, []engine.Limit{stored("a", 50)}))
	r.must(l.SetLimits(r.Context(), "second", api, []engine.Limit{stored("a", 40)}))
	mine := stored("a", 100)
	r.mustAcquire(l, request(tokens("a", 1), mine))
	r.mustAcquire(behind, request(tokens("a", 1), mine))
	r.must(l.DeleteEntity(r.Context(), user, nil))
	r.mustAcquire(l, request(tokens("a", 1), mine)) // makes a bucket of nobody's
	r.mustEntity(behind, engine.Entity{ID: user, Parent: "second", Cascade: true})
	r.mustAcquire(behind, request(tokens("a", 1), mine))
	r.clock.advance(time.Minute)
	r.mustAcquire(l, request(tokens("a", 1), mine))
	fresh := r.limiter()
	r.wantLeft(fresh, "made again by a clock that is behind", "a:97 second a:38", mine)
	r.wantLeftOf(fresh, "first", "made again by a clock that is behind", "a:48")
}

// parentMadeAnewBehind: the bucket has a later version of its entity than there is, because a process wrote it that did not know
// of the deletion.
func parentMadeAnewBehind(r *story) {
	l, other, behind := r.limiter(), r.limiter(), r.limiter(by(newClock(-5*time.Second)))
	mine := stored("a", 100)
	r.mustEntity(l, engine.Entity{ID: user})
	r.mustAcquire(other, request(tokens("a", 1), mine))
	r.must(l.DeleteEntity(r.Context(), user, nil))
	r.mustAcquire(other, request(tokens("a", 1), mine))
	r.must(l.SetLimits(r.Context(), "parent-1", api, []engine.Limit{stored("a", 50)}))
	r.mustEntity(behind, engine.Entity{ID: user, Parent: "parent-1", Cascade: true})
	r.mustAcquire(behind, request(tokens("a", 1), mine))
	r.mustAcquire(behind, request(tokens("a", 1), mine))
	r.wantLeft(r.limiter(), "made again by a clock that is behind", "a:97 parent-1 a:48", mine)
}

// parentFlag: without Cascade a parent is not charged.
func parentFlag(r *story) {
	l := r.limiter()
	r.family(l, 2)
	for i, v := range []struct {
		cascade bool
		want    string
	}{{false, "a:99"}, {true, "a:98 parent-1 a:199"}, {false, "a:97"}} {
		if _, err := l.UpdateEntity(r.Context(), user, engine.EntityUpdate{Cascade: &v.cascade}, nil); err != nil {
			r.Fatalf("UpdateEntity: %v", err)
		}
		r.mustAcquire(l, request(tokens("a", 1)))
		if i < 2 {
			r.wantLeft(l, "cascade on and off", v.want)
		}
	}
	r.wantLeftOf(l, "parent-1", "cascade on and off", "a:199")
}

// parentLeases: all that a lease does is done on the whole path, and Consumed counts each limit once.
func parentLeases(r *story) {
	l := r.limiter()
	r.family(l, 3)
	r.must(l.SetLimits(r.Context(), "parent-2", api, []engine.Limit{stored("a", 300), stored("c", 20)}))
	lease := r.mustAcquire(l, request(tokens("a", 10)))
	want := func(what, left, consumed string) {
		r.Helper()
		r.wantLeft(l, what, left)
		if got := amounts(lease.Consumed()); got != consumed {
			r.Errorf("%s: Consumed is %s, not %s", what, got, consumed)
		}
	}
	want("Acquire", "a:90 parent-1 a:190 parent-2 a:290 parent-2 c:20", "a:10")
	r.must(lease.Adjust(engine.Tokens{"a": 5, "c": 3}))
	r.must(lease.Flush(r.Context()))
	want("Adjust and Flush", "a:85 parent-1 a:185 parent-2 a:285 parent-2 c:17", "a:15")
	r.must(lease.Consume(r.Context(), engine.Tokens{"a": 1, "c": 7}))
	want("Consume", "a:84 parent-1 a:184 parent-2 a:284 parent-2 c:10", "a:16")
	r.wantError("Consume of what never fits the parent", lease.Consume(r.Context(), engine.Tokens{"a": 1, "c": 21}), engine.ErrNeverFits)
	if err := lease.Consume(r.Context(), engine.Tokens{"a": 1, "c": 11}); err == nil {
		r.Errorf("Consume of what the parent has not: no error")
	}
	want("a denied Consume", "a:84 parent-1 a:184 parent-2 a:284 parent-2 c:10", "a:16")
	r.must(lease.Release(r.Context(), engine.Tokens{"a": 2, "c": 1}))
	want("Release", "a:86 parent-1 a:186 parent-2 a:286 parent-2 c:11", "a:14")
	r.wantInvalid("Release of more than it holds of a parent", lease.Release(r.Context(), tokens("c", 10)))
	r.must(lease.Rollback(r.Context()))
	want("Rollback", "a:100 parent-1 a:200 parent-2 a:300 parent-2 c:20", "a:0")
	lease = r.mustAcquire(l, request(tokens("c", 4)))
	r.must(lease.Adjust(engine.Tokens{"a": 120, "c": -4}))
	r.must(lease.Commit(r.Context()))
	r.must(lease.Rollback(r.Context()))
	want("Commit of a charge and a refund", "a:-20 parent-1 a:80 parent-2 a:180 parent-2 c:20", "a:120")
}

// parentDebt: a parent in debt denies every child, whatever it asks for.
func parentDebt(r *story) {
	l := r.limiter()
	r.family(l, 2)
	r.must(l.SetLimits(r.Context(), "parent-1", api, []engine.Limit{stored("a", 200), stored("d", 10)}))
	lease := r.mustAcquire(l, engine.Request{Entity: "parent-1", Resource: api, Consume: tokens("d", 1)})
	r.must(lease.Adjust(tokens("d", 10)))
	r.must(lease.Commit(r.Context()))
	for range 2 {
		e := r.mustDeny(r.limiter(), request(tokens("a", 1)))
		if v := e.Violations(); len(v) != 1 || v[0].Entity != "parent-1" || v[0].Limit.Name != "d" || v[0].Remaining != -1 || v[0].RetryAfter != aDay/10 {
			r.Errorf("below a parent in debt: %+v", v)
		}
		public := e.Public()
		if len(public.Statuses()) != 1 || public.Statuses()[0].Entity != user || len(public.Violations()) != 0 || public.RetryAfter != aDay/10 {
			r.Errorf("what the child's user may see: %+v", public)
		}
	}
	r.wantLeft(l, "below a parent in debt", "a:100 parent-1 a:200 parent-1 d:-1")
	r.clock.advance(aDay / 10)
	r.mustAcquire(l, request(tokens("a", 1)))
}
