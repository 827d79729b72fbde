package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

func TestAuditEvents(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	start := w.now()
	for i := range 30 {
		must(t, w.SetLimits(ctx, []string{"a", "b", "c"}[i%3], "r", []engine.Limit{engine.PerMinute("rpm", int64(i+1))}))
		if i%2 == 1 { // two in each millisecond and a half
			w.pass(1500 * time.Microsecond)
		}
	}
	at := func(i int) time.Time { return start.Add(time.Duration(i/2) * 1500 * time.Microsecond) }
	events := func(size int, q engine.AuditQuery) (steps []int) {
		for _, e := range pages(t, size, func(p engine.Page) (engine.AuditPage, error) {
			q.Page = p
			return w.AuditEvents(ctx, q)
		}) {
			_, rest, _ := strings.Cut(string(e.After), `"capacity":`)
			n, _, _ := strings.Cut(rest, ",")
			step, err := strconv.Atoi(n)
			must(t, err)
			steps = append(steps, step-1)
			if e.Principal != "tester" || e.Resource != "r" || e.Entity != []string{"a", "b", "c"}[(step-1)%3] || !e.Time.Equal(at(step-1)) || len(e.ID) != 26 {
				t.Errorf("%+v", e)
			}
		}
		return steps
	}
	want := func(keep func(i int) bool) (steps []int) {
		for i := range 30 {
			if keep(29 - i) {
				steps = append(steps, 29-i)
			}
		}
		return steps
	}
	for _, size := range []int{1, 4, 10, 30, 1000} {
		equal(t, "all", events(size, engine.AuditQuery{}), want(func(int) bool { return true }))
		equal(t, "of b", events(size, engine.AuditQuery{Entity: "b"}), want(func(i int) bool { return i%3 == 1 }))
	}
	equal(t, "of nobody", events(1, engine.AuditQuery{Entity: "nobody"}), []int(nil))
	bounds := []time.Time{{}, time.Unix(-5, 0), start, start.Add(time.Millisecond), start.Add(1400 * time.Microsecond), at(7), at(8), at(29), at(29).Add(1), start.AddDate(9000, 0, 0)}
	for _, from := range bounds {
		for _, to := range bounds {
			q := engine.AuditQuery{From: from, To: to}
			if !to.IsZero() && to.Before(from) {
				_, err := w.AuditEvents(ctx, q)
				wants(t, "reversed", err, invalid("To"))
				continue
			}
			equal(t, fmt.Sprintf("from %v to %v", from, to), events(7, q), want(func(i int) bool {
				return !at(i).Before(from) && (to.IsZero() || at(i).Before(to))
			}))
		}
	}
	_, err := w.AuditEvents(ctx, engine.AuditQuery{Entity: "\n"})
	wants(t, "bad entity", err, invalid("Entity"))
}

// The ids of one limiter's events are in the order of its changes, even if its clock stands still.
func TestAuditOrder(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for i := range 200 {
		must(t, w.SetResourceDefaults(ctx, "r", []engine.Limit{engine.PerMinute("rpm", int64(i+1))}))
	}
	page, err := w.AuditEvents(ctx, engine.AuditQuery{Page: engine.Page{Size: 1000}})
	must(t, err)
	for i, e := range page.Items[:199] {
		if string(e.Before) != string(page.Items[i+1].After) {
			t.Fatalf("event %d does not follow the one before it", i)
		}
	}
}

// Events are not listed after 90 days, whether or not the store has dropped them.
func TestAuditRetention(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "a"}, nil))
	w.pass(90*24*time.Hour - time.Second)
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "b"}, nil))
	equal(t, "both", len(w.told(10)), 2)
	w.pass(time.Second)
	equal(t, "the later one", len(w.told(10)), 1)
	equal(t, "records", len(w.dump(true)), 4)
}

func TestAuditPrincipal(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	l := w.limiter(w.store, &engine.Options{Principal: "me\xff"})
	must(t, l.CreateEntity(ctx, engine.Entity{ID: "a"}, nil))
	page, err := w.AuditEvents(ctx, engine.AuditQuery{})
	must(t, err)
	equal(t, "principal", page.Items[0].Principal, "me\uFFFD")
}

// Calls that only read write nothing, not even on an empty store.
func TestReadsWriteNothing(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	check := func(when string) {
		before := w.dump(true)
		_, a := w.Entity(ctx, "user")
		_, b := w.Entities(ctx, engine.Page{})
		_, c := w.Children(ctx, "parent", engine.Page{})
		_, d := w.SystemDefaults(ctx)
		_, e := w.ResourceDefaults(ctx, "r0")
		_, f := w.Resources(ctx, engine.Page{})
		_, g := w.Limits(ctx, "user", "r0")
		_, h := w.EntitiesWithLimits(ctx, "r0", engine.Page{})
		_, i := w.AuditEvents(ctx, engine.AuditQuery{})
		_, j := w.Status(ctx)
		_, k := w.Namespace(ctx, "n")
		_, m := w.ListNamespaces(ctx, engine.Page{})
		_, n := w.Explain(ctx, "user", "r0")
		_, o := w.Available(ctx, "user", "r0")
		errs := []error{a, b, c, d, e, f, g, h, i, j, k, m, n, o, w.Ping(ctx)}
		for _, err := range errs {
			if err != nil && !slices.ContainsFunc([]error{engine.ErrEntityNotFound, engine.ErrNamespaceNotFound, engine.ErrNoLimits}, func(known error) bool { return errors.Is(err, known) }) {
				t.Error(err)
			}
		}
		equal(t, when, w.dump(true), before)
	}
	check("on an empty store")
	w.furnish("user", 2, 2)
	must(t, w.RegisterNamespace(ctx, "n"))
	check("on a store in use")
}
