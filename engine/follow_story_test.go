package engine_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestFollowing proves that a limiter sees changes of the configuration by others about a second later, without reading what
// has not changed.
func TestFollowing(t *testing.T) {
	tellOnEachKind(t, stories{
		{"ChangesOfAllKinds", followAllKinds},
		{"NineOthers", followNineOthers},
		{"OwnChanges", followOwn},
		{"AfterAPause", followAfterPause},
		{"Off", followOff},
		{"IndexUnusable", followUnusable},
		{"ClocksDiffer", followClocks},
		{"ClockFarAhead", followFarAhead},
		{"Flood", followFlood},
		{"Namespace", followNamespace},
		{"Refresh", followRefresh},
	}, false)
}

// background waits for what limiters do in the background. The story must be told in virtual time.
func (r *story) background() {
	if r.io {
		synctest.Wait()
	}
}

// capacity returns the capacity of the user's limit by which a limiter judges now, 0 for none. It reads the bucket.
func (r *story) capacity(l *engine.Limiter) int64 {
	r.Helper()
	all, err := l.Available(r.Context(), user, api)
	if err != nil {
		r.Fatalf("Available: %v", err)
	}
	for _, s := range all {
		if s.Entity == user {
			return s.Limit.Capacity
		}
	}
	return 0
}

// second lets a second pass, and a limiter look for changes, of which the caller that starts the look need not know.
func (r *story) second(l *engine.Limiter) {
	r.Helper()
	r.clock.advance(time.Second)
	r.capacity(l)
	r.background()
}

func (r *story) wantCapacity(what string, l *engine.Limiter, want int64) {
	r.Helper()
	if got := r.capacity(l); got != want {
		r.Errorf("%s: the capacity is %d, not %d", what, got, want)
	}
}

// followAllKinds changes each level of the configuration, and the parent.
func followAllKinds(r *story) {
	r.virtually(func(r *story) {
		other, ctx := r.limiter(), r.Context()
		limit := func(n int64) []engine.Limit { return []engine.Limit{stored("a", n)} }
		r.must(other.SetSystemDefaults(ctx, limit(1), nil))
		var events events
		l := r.limiter(func(o *engine.Options) { o.Observer = &events })
		r.wantCapacity("first use", l, 1)
		parent := "top"
		for i, c := range []struct {
			change func() error
			want   int64
			event  engine.Event
		}{
			{func() error { return other.SetSystemDefaults(ctx, limit(2), nil) }, 2, engine.Event{}},
			{func() error { return other.SetResourceDefaults(ctx, api, limit(3)) }, 3, engine.Event{Resource: api}},
			{func() error { return other.SetLimits(ctx, user, "", limit(4)) }, 4, engine.Event{Entity: user}},
			{func() error { return other.SetLimits(ctx, user, api, limit(5)) }, 5, engine.Event{Entity: user}},
			{func() error { return other.SetLimits(ctx, user, api, limit(6)) }, 6, engine.Event{Entity: user}},
			{func() error { return other.DeleteLimits(ctx, user, api) }, 4, engine.Event{Entity: user}},
			{func() error { return other.DeleteLimits(ctx, user, "") }, 3, engine.Event{Entity: user}},
			{func() error { return other.DeleteResourceDefaults(ctx, api) }, 2, engine.Event{Resource: api}},
			{func() error {
				return other.CreateEntity(ctx, engine.Entity{ID: user, Parent: parent, Cascade: true}, unborn)
			}, 2, engine.Event{Entity: user}},
		} {
			r.must(c.change())
			r.second(l)
			r.wantCapacity(fmt.Sprintf("change %d", i), l, c.want)
			c.event.Kind = engine.EventConfigChanged
			if told := events.of(engine.EventConfigChanged); len(told) != i+1 || fmt.Sprint(told[i]) != fmt.Sprint(c.event) {
				r.Fatalf("change %d: told of %+v", i, told)
			}
		}
		if all, err := l.Available(ctx, user, api); err != nil || len(all) != 2 || all[1].Entity != parent {
			r.Errorf("with a parent: %+v, %v", all, err)
		}
	})
}

// followNineOthers: one of ten processes changes a resource's default. In the second after, each of the others lists its index
// once, reads one event and one record, and judges by the new limits; it reads no entity again.
func followNineOthers(r *story) {
	r.virtually(func(r *story) {
		all := r.processes(10)
		r.must(all[0].SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 10)}))
		for _, l := range all {
			r.wantCapacity("before", l, 10)
		}
		r.must(all[0].SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 4)}))
		r.wantCapacity("its own change", all[0], 4)
		r.clock.advance(time.Second)
		for i, l := range all[1:] {
			reads, lists := r.faults.Calls(limitertest.OpRead), r.faults.Calls(limitertest.OpList)
			r.capacity(l)
			r.background()
			r.wantCapacity(fmt.Sprint("process ", i+1), l, 4)
			// Two reads are those of the bucket.
			if reads, lists = r.faults.Calls(limitertest.OpRead)-reads, r.faults.Calls(limitertest.OpList)-lists; reads != 4 || lists != 1 {
				r.Errorf("process %d: %d reads and %d lists, not 4 and 1", i+1, reads, lists)
			}
		}
	})
}

// followOwn: a process that changes something goes by all that others had changed before, although it has not looked since.
func followOwn(r *story) {
	r.virtually(func(r *story) {
		l, other, ctx := r.limiter(), r.limiter(), r.Context()
		limit := func(n int64) []engine.Limit { return []engine.Limit{stored("a", n)} }
		r.must(other.SetResourceDefaults(ctx, api, limit(1)))
		r.wantCapacity("before", l, 1)
		r.must(other.SetLimits(ctx, user, "", limit(2)))
		r.must(l.SetSystemDefaults(ctx, limit(9), nil))
		r.wantCapacity("of the entity, after an own change of the system", l, 2)
		r.must(other.SetResourceDefaults(ctx, api, limit(3)))
		r.must(l.DeleteLimits(ctx, user, ""))
		r.wantCapacity("of the resource, after an own change of the entity", l, 3)
		r.must(other.SetLimits(ctx, user, api, limit(4)))
		r.must(l.SetResourceDefaults(ctx, api, limit(5)))
		r.wantCapacity("of the entity for the resource, after an own change of the resource", l, 4)
	})
}

// followAfterPause: after a pause of ConfigTTL the first acquire already sees changes.
func followAfterPause(r *story) {
	r.virtually(func(r *story) {
		l, other := r.limiter(), r.limiter()
		r.must(other.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 10)}))
		r.wantCapacity("before", l, 10)
		r.must(other.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 4)}))
		r.clock.advance(time.Minute)
		r.wantCapacity("after a minute", l, 4)
	})
}

// followOff: without looks, configuration is trusted for ConfigTTL.
func followOff(r *story) {
	r.virtually(func(r *story) {
		other := r.limiter()
		r.must(other.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 10)}))
		l := r.limiter(func(o *engine.Options) { o.FollowInterval = -1 })
		r.wantCapacity("before", l, 10)
		r.must(other.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 4)}))
		lists := r.faults.Calls(limitertest.OpList)
		r.clock.advance(40 * time.Second)
		r.wantCapacity("after 40 s", l, 10)
		r.clock.advance(20 * time.Second)
		r.wantCapacity("after a minute", l, 4)
		r.must(other.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 5)}))
		r.must(l.Refresh(r.Context()))
		r.wantCapacity("after Refresh", l, 5)
		r.must(l.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", 6)}))
		r.wantCapacity("an own change", l, 6)
		if n := r.faults.Calls(limitertest.OpList) - lists; n > 1 { // the other's second change comes after a look
			r.Errorf("%d lists", n)
		}
	})
}
