package engine_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestParentsInAllStates proves that a cascade has the right outcome whatever state the parents are in, and that a child whose parent
// denies is not charged.
func TestParentsInAllStates(t *testing.T) { tellOnEachKind(t, parents, false) }

var parents = stories{
	{"Depth", parentsDepth},
	{"TooDeep", parentsTooDeep},
	{"Exhausted", parentExhausted},
	{"ChildExhausted", childExhausted},
	{"Absent", parentAbsent},
	{"Missing", parentMissing},
	{"Races", parentRaces},
	{"WithoutLimits", parentWithoutLimits},
	{"OwnLimits", parentOwnLimits},
	{"CreatedLater", parentCreatedLater},
	{"Deleted", parentDeleted},
	{"Cycle", parentCycle},
	{"CycleRace", parentCycleRace},
	{"Moved", parentMoved},
	{"MovedElsewhere", parentMovedElsewhere},
	{"Flag", parentFlag},
	{"MadeAnew", parentMadeAnew},
	{"MadeAnewBehind", parentMadeAnewBehind},
	{"Leases", parentLeases},
	{"Debt", parentDebt},
}

// family creates a path of entities, the user first, with limits of 100, 200, 300… a.
func (r *story) family(l *engine.Limiter, depth int) []string {
	r.Helper()
	ids := []string{user}
	for i := 1; i < depth; i++ {
		ids = append(ids, fmt.Sprintf("parent-%d", i))
	}
	for i := depth - 1; i >= 0; i-- {
		e := engine.Entity{ID: ids[i]}
		if i+1 < depth {
			e.Parent, e.Cascade = ids[i+1], true
		}
		r.mustEntity(l, e)
		r.must(l.SetLimits(r.Context(), ids[i], api, []engine.Limit{stored("a", int64(100*(i+1)))}))
	}
	return ids
}

// parentsDepth: paths of one to eight; each entity is charged the same, and each may deny.
func parentsDepth(r *story) {
	for depth := 1; depth <= 8; depth++ {
		l := r.limiter(func(o *engine.Options) { o.Namespace, o.CreateNamespace = fmt.Sprintf("depth-%d", depth), true })
		ids := r.family(l, depth)
		lease := r.mustAcquire(l, request(tokens("a", 10)))
		all := lease.Statuses()
		if len(all) != depth {
			r.Fatalf("a path of %d: %d statuses", depth, len(all))
		}
		for i, s := range all {
			if s.Entity != ids[i] || s.Remaining != int64(100*(i+1)-10) || s.Requested != 10 {
				r.Errorf("a path of %d, its %d.: %+v", depth, i+1, s)
			}
		}
		last := ids[depth-1]
		r.mustAcquire(l, engine.Request{Entity: last, Resource: api, Consume: tokens("a", int64(100*depth-10-5))})
		r.clock.advance(2 * time.Second)
		if e := r.mustDeny(l, request(tokens("a", 6))); e.Primary().Entity != last || len(e.Statuses()) != depth {
			r.Errorf("a path of %d, denied by %s: %v", depth, e.Primary().Entity, e)
		}
		for i, id := range ids[:depth-1] {
			if left := r.left(l, id)["a"]; left != int64(100*(i+1)-10) {
				r.Errorf("a path of %d, denied by the last: %d available of the %d.", depth, left, i+1)
			}
		}
		r.must(lease.Rollback(r.Context()))
		r.mustAcquire(l, request(tokens("a", 6)))
	}
}

// parentsTooDeep: a path of nine is refused when it is created or used, and nothing is charged.
func parentsTooDeep(r *story) {
	l := r.limiter()
	r.family(l, 8)
	err := l.CreateEntity(r.Context(), engine.Entity{ID: "ninth", Parent: user, Cascade: true}, unborn)
	r.wantError("a ninth", err, engine.ErrCycle)
	r.must(l.CreateEntity(r.Context(), engine.Entity{ID: "top"}, nil))
	top := "top"
	yes := true
	if _, err := l.UpdateEntity(r.Context(), "parent-7", engine.EntityUpdate{Parent: &top, Cascade: &yes}, unborn); err != nil {
		r.wantError("a ninth on top", err, engine.ErrCycle)
		return
	}
	writes := r.faults.Calls(limitertest.OpApply)
	_, err = l.Acquire(r.Context(), request(tokens("a", 1)))
	r.wantError("an acquire below a path of nine", err, engine.ErrCycle)
	if n := r.faults.Calls(limitertest.OpApply) - writes; n != 0 {
		r.Errorf("a path of nine: %d writes", n)
	}
	r.mustAcquire(l, engine.Request{Entity: "parent-1", Resource: api, Consume: tokens("a", 1)})
}

// parentExhausted: denied, the child keeps what it has, and the next denial costs nothing.
func parentExhausted(r *story) {
	l, other := r.limiter(), r.limiter()
	r.family(l, 3)
	r.mustAcquire(l, request(tokens("a", 1)))
	r.mustAcquire(other, engine.Request{Entity: "parent-2", Resource: api, Consume: tokens("a", 297)})
	for range 3 {
		e := r.mustDeny(l, request(tokens("a", 3)))
		if v := e.Violations(); len(v) != 1 || v[0].Entity != "parent-2" || v[0].Remaining != 2 || v[0].RetryAfter != e.RetryAfter || e.RetryAfter != aDay/300 {
			r.Errorf("denied by its parent's parent: %+v", v)
		}
		if len(e.Statuses()) != 3 || e.Statuses()[0].Remaining != 99 || e.Statuses()[1].Remaining != 199 {
			r.Errorf("the statuses of the others: %+v", e.Statuses())
		}
	}
	r.wantLeft(other, "denied by its parent's parent", "a:99 parent-1 a:199 parent-2 a:2")
	r.wantRequests("a denial that is known", 0, 0, func() { r.mustDeny(l, request(tokens("a", 3))) })
	r.wantRequests("one that fits", 3, 0, func() { r.mustAcquire(l, request(tokens("a", 2))) })
	r.wantRequests("a denial known from a success", 0, 0, func() { r.mustDeny(l, request(tokens("a", 1))) })
	r.clock.advance(aDay / 300)
	r.mustAcquire(l, request(tokens("a", 1)))
}

// childExhausted: a parent pays nothing for a child that is denied.
func childExhausted(r *story) {
	l := r.limiter()
	r.family(l, 2)
	r.mustAcquire(r.limiter(), request(tokens("a", 100)))
	for range 3 {
		if e := r.mustDeny(l, request(tokens("a", 1))); e.Primary().Entity != user || len(e.Statuses()) != 2 {
			r.Errorf("denied by its own limit: %+v", e.Statuses())
		}
	}
	r.wantLeft(l, "denied by its own limit", "a:0 parent-1 a:100")
}

// parentAbsent: a parent without a record is limited by the defaults.
func parentAbsent(r *story) {
	l, mine := r.limiter(), stored("a", 100)
	r.mustEntity(l, engine.Entity{ID: user, Parent: "nobody", Cascade: true})
	r.mustAcquire(l, request(tokens("a", 1), mine))
	r.wantLeft(l, "a parent of which nothing is known", "a:99", mine)
	r.must(l.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 5)}))
	r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{mine}))
	r.mustAcquire(l, request(tokens("a", 1)))
	r.wantLeft(l, "a parent with defaults", "a:98 nobody a:4")
	if got := r.take(l, request(tokens("a", 1))); got != 4 {
		r.Errorf("%d were admitted below a default of 4 more", got)
	}
	_, err := l.Entity(r.Context(), "nobody")
	r.wantError("the parent", err, engine.ErrEntityNotFound)
}

// parentWithoutLimits: a parent without limits is not charged, and names that only some entities of a path have do not matter.
func parentWithoutLimits(r *story) {
	l := r.limiter()
	r.mustEntity(l, engine.Entity{ID: user, Parent: "middle", Cascade: true})
	r.mustEntity(l, engine.Entity{ID: "middle", Parent: "top", Cascade: true})
	r.mustEntity(l, engine.Entity{ID: "top"})
	mine := []engine.Limit{stored("a", 10), stored("b", 10)}
	r.must(l.SetLimits(r.Context(), "top", api, []engine.Limit{stored("a", 5), stored("c", 3)}))
	r.mustAcquire(l, request(engine.Tokens{"a": 1, "b": 1, "c": 1}, mine...))
	r.wantLeft(l, "a parent between has no limits", "a:9 b:9 top a:4 top c:2", mine...)
	r.mustAcquire(l, request(tokens("c", 2), mine...))
	r.mustDeny(l, request(tokens("c", 1), mine...))
	_, err := l.Acquire(r.Context(), request(tokens("d", 1), mine...))
	r.wantError("a name that nobody has", err, engine.ErrUnknownLimit)
	r.wantLeft(l, "afterwards", "a:9 b:9 top a:4 top c:0", mine...)
	_, err = l.Acquire(r.Context(), engine.Request{Entity: "middle", Resource: api, Consume: tokens("b", 1)})
	r.wantError("a name that is the child's", err, engine.ErrUnknownLimit)
	r.mustAcquire(l, engine.Request{Entity: "middle", Resource: api, Consume: tokens("a", 1)})
}

// parentOwnLimits: the limits of a request are for its own entity; a parent has those that are stored for it.
func parentOwnLimits(r *story) {
	l := r.limiter()
	r.family(l, 2)
	for _, q := range []engine.Request{
		{Entity: user, Resource: api, Consume: tokens("a", 10), Override: []engine.Limit{stored("a", 1000)}},
		{Entity: user, Resource: api, Consume: tokens("a", 10), Limits: []engine.Limit{stored("a", 1), stored("x", 1)}},
	} {
		r.mustAcquire(l, q)
	}
	r.wantLeft(l, "20 used", "a:80 parent-1 a:180")
	q := engine.Request{Entity: user, Resource: api, Consume: tokens("a", 300), Override: []engine.Limit{stored("a", 1000)}}
	if e := r.mustDeny(l, q); e.Primary().Entity != "parent-1" || e.Primary().Limit.Capacity != 200 || !e.NeverFits {
		r.Errorf("300 below a parent of 200: %+v", e.Primary())
	}
	all, err := l.Available(r.Context(), "parent-1", api, stored("a", 7))
	if err != nil || len(all) != 1 || all[0].Limit.Capacity != 200 {
		r.Errorf("limits given beside those that are stored: %+v, %v", all, err)
	}
}

// parentCreatedLater: it counts from the next acquire of the process that created it, and elsewhere when the configuration has
// expired.
func parentCreatedLater(r *story) {
	l, other, mine := r.limiter(), r.limiter(), stored("a", 100)
	r.mustEntity(l, engine.Entity{ID: user, Parent: "later", Cascade: true})
	r.mustAcquire(l, request(tokens("a", 1), mine))
	r.mustAcquire(other, request(tokens("a", 1), mine))
	r.mustEntity(l, engine.Entity{ID: "later", Parent: "above", Cascade: true})
	r.must(l.SetLimits(r.Context(), "later", api, []engine.Limit{stored("a", 50)}))
	r.must(l.SetLimits(r.Context(), "above", "", []engine.Limit{stored("a", 20)}))
	r.mustAcquire(l, request(tokens("a", 1), mine))
	r.wantLeft(l, "parents made later", "a:97 above a:19 later a:49", mine)
	r.clock.advance(time.Minute)
	r.mustAcquire(other, request(tokens("a", 1), mine))
	r.wantLeft(l, "in another process, a minute later", "a:96 above a:18 later a:48", mine)
	if got := r.take(other, request(tokens("a", 1), mine)); got != 18 {
		r.Errorf("%d were admitted below a parent's parent of 18", got)
	}
}

// parentDeleted: a parent with children is not deleted, except with Force; then they have no parent, at once.
func parentDeleted(r *story) {
	l, other := r.limiter(), r.limiter()
	r.family(l, 3)
	lease := r.mustAcquire(l, request(tokens("a", 10)))
	r.mustAcquire(other, request(tokens("a", 10)))
	r.wantError("a parent with a child", l.DeleteEntity(r.Context(), "parent-1", nil), engine.ErrHasChildren)
	r.must(l.DeleteEntity(r.Context(), "parent-1", &engine.DeleteOptions{Force: true}))
	r.mustAcquire(l, request(tokens("a", 10)))
	r.wantLeft(l, "the parent was deleted", "a:70")
	r.mustAcquire(other, request(tokens("a", 10)))
	r.wantLeft(other, "another process, refused with the old path", "a:60")
	r.must(lease.Rollback(r.Context()))
	r.wantLeft(l, "refunded", "a:70")
	r.wantLeftOf(l, "parent-2", "refunded to the parent's parent", "a:290")
	_, err := l.Acquire(r.Context(), engine.Request{Entity: "parent-1", Resource: api, Consume: tokens("a", 1)})
	r.wantError("the one that was deleted", err, engine.ErrNoLimits)
}

// parentCycle: a change that would close a cycle is refused, and the path stays as it was.
func parentCycle(r *story) {
	l := r.limiter()
	ids := r.family(l, 3)
	for _, id := range ids {
		_, err := l.UpdateEntity(r.Context(), ids[2], engine.EntityUpdate{Parent: &id}, unborn)
		r.wantError("the last below "+id, err, engine.ErrCycle)
	}
	r.wantError("its own parent", l.CreateEntity(r.Context(), engine.Entity{ID: "x", Parent: "x"}, unborn), engine.ErrCycle)
	r.mustEntity(l, engine.Entity{ID: "y", Parent: "z"}) // z is not there yet
	r.wantError("below what is below it", l.CreateEntity(r.Context(), engine.Entity{ID: "z", Parent: "y"}, unborn), engine.ErrCycle)
	r.mustAcquire(l, request(tokens("a", 1)))
	r.wantLeft(l, "the path is as it was", "a:99 parent-1 a:199 parent-2 a:299")
}

// parentCycleRace: of changes that would together close a cycle, one is refused.
func parentCycleRace(r *story) {
	const ring = 3
	all := r.processes(ring)
	for round := range 10 {
		var refused atomic.Int64
		id := func(i int) string { return fmt.Sprintf("ring-%d-%d", round, i%ring) }
		for i := range ring {
			r.mustEntity(all[0], engine.Entity{ID: id(i), Cascade: true})
		}
		r.together(ring, func(i int) {
			next := id(i + 1)
			_, err := all[i].UpdateEntity(r.Context(), id(i), engine.EntityUpdate{Parent: &next}, unborn)
			if errors.Is(err, engine.ErrCycle) {
				refused.Add(1)
			} else if err != nil {
				r.Errorf("UpdateEntity: %v", err)
			}
		})
		if refused.Load() == 0 {
			r.Errorf("round %d: a ring of %d was closed", round, ring)
		}
		for i := range ring {
			_, err := r.limiter().Explain(r.Context(), id(i), api)
			if err != nil {
				r.Errorf("round %d: the path of %s: %v", round, id(i), err)
			}
		}
	}
}
