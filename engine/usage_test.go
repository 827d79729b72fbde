package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// booked writes snapshots of an entity, one for each of a number of hours.
func (w *world) booked(entity, resource string, hours int, ver int64) {
	w.t.Helper()
	for h := range hours {
		key, place := schema.Usage("default", entity, resource, schema.Hourly, schema.Hourly.Start(w.now().UnixNano())+int64(h)*3600)
		var known backend.Record
		known.Reset(schema.UsageLayout)
		conds, effects, err := schema.Count(&known, []schema.Counter{{Name: "rpm", N: backend.Int(int64(h + 1))}})
		must(w.t, err)
		effects = append(effects,
			backend.Effect{Slot: schema.UsageVer, Op: backend.Set, Num: backend.Int(ver)},
			backend.Effect{Slot: schema.UsageAcq, Op: backend.Add, Num: backend.Int(1)})
		out := make([]backend.Outcome, 1)
		must(w.t, w.store.Apply(w.t.Context(), []backend.Write{{Key: key, Layout: schema.UsageLayout, Index: &place, Conds: conds, Effects: effects}}, out))
	}
}

// Pages and sums of more snapshots than one page of the store.
func TestUsagePages(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.booked("e", "r", 1500, 1)
	w.booked("e", "s", 1500, 1)
	w.booked("f", "r", 700, 1)
	w.booked("e", "alone", 1100, 1)
	for what, c := range map[string]struct {
		q    engine.UsageQuery
		want int
	}{
		"entity":   {engine.UsageQuery{Entity: "e"}, 4100},
		"alone":    {engine.UsageQuery{Resource: "alone"}, 1100},
		"both":     {engine.UsageQuery{Entity: "e", Resource: "s"}, 1500},
		"resource": {engine.UsageQuery{Resource: "r"}, 2200},
		"range":    {engine.UsageQuery{Resource: "r", From: w.now().Add(600 * time.Hour), To: w.now().Add(800 * time.Hour)}, 300},
	} {
		c.q.Window = engine.WindowHourly
		sum, err := w.UsageSummary(ctx, c.q)
		must(t, err)
		seen, last := map[string]bool{}, time.Time{}
		for c.q.Page.Size = 999; ; {
			page, err := w.Usage(ctx, c.q)
			must(t, err)
			for _, s := range page.Items {
				seen[fmt.Sprint(s.Entity, s.Resource, s.Start)] = true
				if s.Start.Before(last) {
					t.Fatalf("%s: %v after %v", what, s.Start, last)
				}
				last = s.Start
			}
			if c.q.Page.After = page.Next; page.Next == "" {
				break
			}
		}
		if len(seen) != c.want || sum.Snapshots != c.want || sum.Acquires != int64(c.want) {
			t.Errorf("%s: %d snapshots, %+v, not %d", what, len(seen), sum, c.want)
		}
	}
}

// A deletion that is interrupted while it deletes usage goes on when the entity is created again; usage of the new entity stays.
func TestDeletionOfUsage(t *testing.T) {
	for n := range 3 {
		w, ctx := newWorld(t), t.Context()
		must(t, w.CreateEntity(ctx, engine.Entity{ID: "e"}, nil))
		w.booked("e", "r", 2500, 1)
		stopped, cancel := context.WithCancel(ctx)
		w.trouble.once("apply", n, func() {
			w.booked("e", "late", 3, 1)
			cancel()
		})
		if err := w.troubled().DeleteEntity(stopped, "e", nil); !errors.Is(err, context.Canceled) {
			t.Fatalf("deletion stopped at %d: %v", n, err)
		}
		w.trouble.hook = nil
		if left := len(w.dump(false)); left < 400 || left > 2504 {
			t.Errorf("%d records are left after %d pages", left, n)
		}
		must(t, w.CreateEntity(ctx, engine.Entity{ID: "e"}, nil))
		if left := w.dump(false); len(left) != 1 {
			t.Errorf("%d records are left", len(left))
		}
	}
	w, ctx := newWorld(t), t.Context()
	w.booked("e", "r", 1, 7) // everything else of it has expired
	w.trouble.once("apply", 0, func() {
		must(t, w.DeleteEntity(ctx, "e", nil)) // another deletion finishes first, and the entity is used again
		w.booked("e", "r", 1, 8)
	})
	must(t, w.troubled().DeleteEntity(ctx, "e", nil))
	w.trouble.hook = nil
	if left := w.dump(false); len(left) != 1 {
		t.Errorf("of the new life are left: %v", left)
	}
}
