package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// Each kind has a name of its own, and a number that has none is shown.
func TestEventKindString(t *testing.T) {
	names := map[string]engine.EventKind{}
	for kind := engine.EventDecision; kind <= engine.EventUsageLost; kind++ {
		if before, taken := names[kind.String()]; taken || kind.String() == "" {
			t.Errorf("kinds %d and %d are both called %q", before, kind, kind)
		}
		names[kind.String()] = kind
	}
	equal(t, "names", []string{engine.EventDecision.String(), engine.EventRefundLost.String(), engine.EventUsageLost.String()},
		[]string{"decision", "refund_lost", "usage_lost"})
	equal(t, "others", fmt.Sprint(engine.EventKind(0), (engine.EventUsageLost+1), engine.EventKind(255)), "event_0 event_14 event_255")
}

// An event of a denial says which limit of whom decided it, as the denial does, and the level that the limit comes from.
func TestEventsOfDenials(t *testing.T) {
	w, seen := newWorld(t), &watcher{}
	l := w.limiter(w.store, &engine.Options{Observer: seen})
	one := []engine.Limit{engine.PerDay("a", 1)}
	must(t, l.CreateEntity(t.Context(), engine.Entity{ID: "org"}, nil))
	must(t, l.CreateEntity(t.Context(), engine.Entity{ID: "child", Parent: "org", Cascade: true}, nil))
	must(t, l.SetSystemDefaults(t.Context(), []engine.Limit{engine.PerDay("a", 1), engine.PerHour("b", 5)}, nil))
	must(t, l.SetResourceDefaults(t.Context(), "resource", one))
	must(t, l.SetLimits(t.Context(), "entity", "", one))
	must(t, l.SetLimits(t.Context(), "entity", "both", one))
	must(t, l.SetLimits(t.Context(), "child", "any", []engine.Limit{engine.PerDay("a", 9)}))
	for _, c := range []struct {
		name, entity, resource string
		consume                engine.Tokens
		override               []engine.Limit
		want                   string
	}{
		{"system", "x", "any", engine.Tokens{"a": 1}, nil, "a system x"},
		{"resource", "x", "resource", engine.Tokens{"a": 1}, nil, "a resource x"},
		{"entity", "entity", "any", engine.Tokens{"a": 1}, nil, "a entity entity"},
		{"both", "entity", "both", engine.Tokens{"a": 1}, nil, "a entity+resource entity"},
		{"request", "y", "any", engine.Tokens{"c": 1}, []engine.Limit{engine.PerDay("c", 1)}, "c request y"},
		{"parent", "child", "any", engine.Tokens{"a": 1}, nil, "a system org"},
		{"longest", "z", "any", engine.Tokens{"a": 1, "b": 5}, nil, "a system z"},
		{"never", "v", "any", engine.Tokens{"a": 1, "b": 6}, nil, "b system v"},
	} {
		for range 3 { // from the refusal of a write, or from memory
			_, err := l.Acquire(t.Context(), engine.Request{Entity: c.entity, Resource: c.resource, Consume: c.consume, Override: c.override})
			events := seen.of(engine.EventDecision)
			e := events[len(events)-1]
			got := fmt.Sprint(e.Limit, " ", e.Level, " ", e.Denier)
			var exceeded *engine.ExceededError
			switch {
			case err == nil && (e.Limit != "" || e.Level != engine.LevelNone || e.Denier != ""):
				t.Errorf("%s: an admission says %q", c.name, got)
			case err == nil:
			case !errors.As(err, &exceeded):
				t.Fatal(err)
			case got != c.want || exceeded.Primary().Limit.Name != e.Limit || exceeded.Primary().Entity != e.Denier:
				t.Errorf("%s: denied by %q, want %q; the denial is %v", c.name, got, c.want, exceeded)
			}
		}
		events := seen.of(engine.EventDecision)
		if events[len(events)-1].Allowed {
			t.Errorf("%s: nothing was denied", c.name)
		}
	}
}

// silent is an observer that allocates nothing.
type silent struct{ denied int }

func (s *silent) Observe(e engine.Event) {
	if e.Limit != "" {
		s.denied++
	}
}

// Saying which limit denied allocates nothing.
func TestEventsAllocateNothing(t *testing.T) {
	w, seen := newWorld(t), &silent{}
	r := ask(1, engine.PerDay("a", 1), engine.PerDay("b", 1))
	mustAcquire(t, w.Limiter, r)
	count := func(l *engine.Limiter) float64 {
		return testing.AllocsPerRun(100, func() {
			if d, err := l.Allow(t.Context(), r); err != nil || d.Allowed {
				t.Fatal(d, err)
			}
		})
	}
	without, with := count(w.Limiter), count(w.limiter(w.store, &engine.Options{Observer: seen}))
	if with > without || seen.denied == 0 {
		t.Errorf("a denial allocates %v with an observer, %v without; %d events", with, without, seen.denied)
	}
}

// Each lease ends in one event, with the time since its acquire. A lease that does nothing has none.
func TestEventsOfLeases(t *testing.T) {
	w, seen := newWorld(t), &watcher{}
	l := w.limiter(w.store, &engine.Options{Observer: seen})
	r := engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"a": 1}, Limits: []engine.Limit{engine.PerDay("a", 100)}}
	for n, c := range []struct {
		end       func(*engine.Lease) error
		committed bool
	}{
		{func(lease *engine.Lease) error { return lease.Commit(t.Context()) }, true},
		{func(lease *engine.Lease) error {
			return errors.Join(lease.Adjust(engine.Tokens{"a": 2}), lease.Flush(t.Context()), lease.Commit(t.Context()))
		}, true},
		{func(lease *engine.Lease) error { return lease.Rollback(t.Context()) }, false},
	} {
		lease, err := l.Acquire(t.Context(), r)
		must(t, err)
		w.pass(time.Minute)
		must(t, c.end(lease))
		must(t, lease.Rollback(t.Context())) // it does nothing, as Commit would
		_ = lease.Commit(t.Context())
		if decisions := seen.of(engine.EventDecision); !decisions[len(decisions)-1].Leased {
			t.Errorf("%d: Acquire gives a lease, and its decision is %+v", n, decisions[len(decisions)-1])
		}
		events := seen.of(engine.EventLeaseEnded)
		e := events[len(events)-1]
		if len(events) != n+1 || e.Allowed != c.committed || e.Held != time.Minute || e.Entity != "e" || e.Resource != "r" {
			t.Errorf("%d: %d events, the last is %+v", n, len(events), e)
		}
	}
	var none *engine.Lease
	must(t, none.Commit(t.Context()))
}

// A lease that could not be settled has ended for its caller, who may not try again: it has an event, and one only if he does.
func TestEventsOfLeasesThatCannotBeSettled(t *testing.T) {
	w, seen := newWorld(t), &watcher{}
	faults := limitertest.NewFault(w.store, nil)
	l := w.limiter(faults, &engine.Options{Observer: seen})
	r := engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"a": 2}, Limits: []engine.Limit{engine.PerDay("a", 100)}}
	for n, end := range []func(*engine.Lease) error{
		func(lease *engine.Lease) error { return lease.Commit(t.Context()) },
		func(lease *engine.Lease) error { return lease.Rollback(t.Context()) },
	} {
		lease, err := l.Acquire(t.Context(), r)
		must(t, err)
		must(t, lease.Adjust(engine.Tokens{"a": -1}))
		faults.SetPlan(limitertest.Always(limitertest.Fail))
		wants(t, "without the store", end(lease), engine.ErrUnavailable)
		equal(t, "leases that ended without the store", len(seen.of(engine.EventLeaseEnded)), n+1)
		faults.SetPlan(nil)
		l.CloseBreaker()
		must(t, end(lease))
		equal(t, "leases that ended", len(seen.of(engine.EventLeaseEnded)), n+1)
	}
}

// TestLeasedDecisions: what says that a lease begins has an event that says that it ends, in whatever way it was acquired, and
// nothing else says so.
func TestLeasedDecisions(t *testing.T) {
	w, seen := newWorld(t), &watcher{}
	faults := limitertest.NewFault(w.store, nil)
	l := w.limiter(faults, &engine.Options{Observer: seen, OnUnavailable: engine.PolicyLocal, LocalShare: .5})
	r := engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"a": 1}, Limits: []engine.Limit{engine.PerDay("a", 8)}}
	commit := func(lease *engine.Lease, err error) {
		t.Helper()
		must(t, err)
		must(t, lease.Commit(t.Context()))
	}
	all := func() {
		commit(l.Acquire(t.Context(), r))
		commit(l.Wait(t.Context(), r))
		must(t, l.Do(t.Context(), r, func(context.Context, *engine.Lease) error { return nil }))
		_, err := l.Allow(t.Context(), r)
		must(t, err)
	}
	all()
	faults.SetPlan(limitertest.Always(limitertest.Fail))
	all()
	tooMuch := r
	tooMuch.Consume = engine.Tokens{"a": 4}
	if _, err := l.Acquire(t.Context(), tooMuch); !errors.As(err, new(*engine.ExceededError)) {
		t.Errorf("beyond the local share: %v", err)
	}
	began := 0
	for _, e := range seen.of(engine.EventDecision) {
		if e.Leased {
			began++
		}
	}
	equal(t, "leases that began and ended", []int{began, len(seen.of(engine.EventLeaseEnded))}, []int{6, 6})
}
