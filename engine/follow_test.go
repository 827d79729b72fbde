package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

func TestFollowInterval(t *testing.T) {
	for _, c := range []struct {
		interval, ttl time.Duration
		bad           bool
	}{
		{0, 0, false},
		{0, time.Millisecond, false},
		{10 * time.Millisecond, 0, false},
		{time.Minute, 0, false},
		{-1, 0, false},
		{time.Hour, -1, false}, // there are no looks
		{9 * time.Millisecond, 0, true},
		{1, 0, true},
		{time.Minute + 1, 0, true},
		{2 * time.Second, time.Second, true},
	} {
		l, err := engine.New(memory.New(nil), &engine.Options{FollowInterval: c.interval, ConfigTTL: c.ttl})
		if c.bad {
			wants(t, fmt.Sprint(c.interval, c.ttl), err, invalid("Options.FollowInterval"))
			continue
		}
		must(t, err)
		must(t, l.Close())
	}
}

// lastOfMany tells whether the newest event of w is the one that ends an operation with many events.
func (w *world) lastOfMany() bool {
	w.t.Helper()
	return w.told(1)[0] == "limits_changed   - -"
}

// TestManyChanges: an operation that writes more than a hundred events ends with one that makes others read everything again.
func TestManyChanges(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	limits := []engine.Limit{engine.PerMinute("rpm", 1)}
	manifest := func(n int) (all []engine.SettingChange) {
		for i := range n {
			id := engine.SettingID{Kind: engine.SettingResource, Resource: fmt.Sprintf("r%d-%d", n, i)}
			all = append(all, engine.SettingChange{Before: engine.Setting{ID: id}, After: engine.Setting{ID: id, Exists: true, Limits: limits}})
		}
		return all
	}
	must(t, w.ApplyManifest(ctx, "m", manifest(100), nil))
	equal(t, "after 100 changes", w.lastOfMany(), false)
	must(t, w.ApplyManifest(ctx, "m", manifest(101), nil))
	equal(t, "after 101 changes", w.lastOfMany(), true)

	for i := range 101 {
		must(t, w.CreateEntity(ctx, engine.Entity{ID: fmt.Sprint("child", i), Parent: "parent"}, anyParent))
		must(t, w.SetLimits(ctx, "rich", fmt.Sprint("r", i), limits))
	}
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "parent"}, nil))
	equal(t, "after single changes", w.lastOfMany(), false)
	must(t, w.DeleteEntity(ctx, "parent", &engine.DeleteOptions{Force: true}))
	equal(t, "after the deletion of a parent", w.told(2)[1], "limits_changed   - -")
	must(t, w.DeleteEntity(ctx, "rich", nil))
	equal(t, "after the deletion of an entity with many limits", w.lastOfMany(), true)
}

// TestEventsOfApartClocks: the id of an event follows those that were written before, by whatever clock, and its time is that of
// its writer's clock.
func TestEventsOfApartClocks(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	limits := func(n int64) []engine.Limit { return []engine.Limit{engine.PerMinute("rpm", n)} }
	w.pass(40 * time.Second)
	must(t, w.SetSystemDefaults(ctx, limits(1), nil))
	w.pass(-40 * time.Second)
	behind := w.limiter(w.store, nil)
	begin := w.now()
	must(t, behind.SetSystemDefaults(ctx, limits(2), nil))
	page, err := w.AuditEvents(ctx, engine.AuditQuery{})
	must(t, err)
	if len(page.Items) != 2 || !page.Items[0].Time.Equal(begin) || !page.Items[1].Time.Equal(begin.Add(40*time.Second)) {
		t.Fatalf("%+v", page.Items)
	}
	for _, system := range []bool{false, true} {
		page, err = w.AuditEvents(ctx, engine.AuditQuery{System: system, From: begin, To: begin.Add(1)})
		must(t, err)
		if len(page.Items) != 1 || !page.Items[0].Time.Equal(begin) {
			t.Errorf("of one moment: %+v", page.Items)
		}
	}
}
