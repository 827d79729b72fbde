package engine_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// skips counts what lists skip.
type skips struct{ n atomic.Int64 }

// Observe implements [engine.Observer].
func (s *skips) Observe(e engine.Event) {
	if e.Kind == engine.EventSkipped {
		s.n.Add(int64(e.Skipped))
	}
}

// mustForge writes a record as somebody does who does not use this library.
func (w *world) mustForge(key backend.Key, place *backend.Place, layout *backend.Layout, effects ...backend.Effect) {
	w.t.Helper()
	out := make([]backend.Outcome, 1)
	must(w.t, w.store.Apply(w.t.Context(), []backend.Write{{Key: key, Layout: layout, Index: place, Effects: effects}}, out))
}

func set(s backend.Slot, n int64) backend.Effect {
	return backend.Effect{Slot: s, Op: backend.Set, Num: backend.Int(n)}
}

func says(s backend.Slot, v string) backend.Effect {
	return backend.Effect{Slot: s, Op: backend.Set, Text: v}
}

// TestListsSkipForgeries: a record whose fields this library cannot understand, and an entry that stands in the index where this
// library puts none of its kind, fail no list: they are skipped and reported.
func TestListsSkipForgeries(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	seen := &skips{}
	l := w.limiter(w.store, &engine.Options{Observer: seen})
	must(t, l.CreateEntity(ctx, engine.Entity{ID: "good", Parent: "p"}, &engine.EntityOptions{AllowMissingParent: true}))
	must(t, l.SetLimits(ctx, "good", "r", []engine.Limit{engine.PerMinute("rpm", 9)}))
	_, err := l.Acquire(ctx, engine.Request{Entity: "good", Resource: "r", Consume: engine.Tokens{"rpm": 1}})
	must(t, err)
	w.booked("good", "r", 1, 1)
	const ns = engine.DefaultNamespace

	key, place := schema.Entity(ns, "bad")
	w.mustForge(key, &place, schema.EntityLayout, says(schema.EntityMetadata, "{"), says(schema.EntityParent, "p"))
	w.mustForge(schema.Child(ns, "p", "bad"), nil, schema.MarkLayout, set(schema.MarkAt, 1))
	key, place = schema.Audit(ns, "bad", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
	w.mustForge(key, &place, schema.AuditLayout, says(schema.AuditAction, "x"), says(schema.AuditBefore, "{"), set(schema.AuditTime, 1))
	key, place = schema.Bucket(ns, "good", "bad")
	w.mustForge(key, &place, schema.BucketLayout, says(schema.L, "?"))
	key, place = schema.EntityLimits(ns, "good", "bad")
	w.mustForge(key, &place, schema.ConfigLayout, says(schema.ConfigLimits, "?"))
	key, place = schema.Usage(ns, "good", "bad", schema.Hourly, schema.Hourly.Start(w.now().UnixNano()))
	w.mustForge(key, &place, schema.UsageLayout, says(schema.UsageRest, "?"))
	// In the index: a bucket among the events and the entities, limits among the resources, an entity under another name.
	for i, index := range []string{schema.AuditIndex, schema.EntitiesIndex, schema.ResourcesIndex, schema.LimitsIndex("r"), "e|good"} {
		key, _ = schema.Bucket(ns, "bad", string(rune('a'+i)))
		w.mustForge(key, &backend.Place{Partition: index, Sort: "bad"}, schema.BucketLayout, set(schema.Ver, 1))
	}
	key, _ = schema.Entity(ns, "bad2")
	w.mustForge(key, &backend.Place{Partition: schema.EntitiesIndex, Sort: "good2"}, schema.EntityLayout, set(schema.EntityVer, 1))
	w.mustForge(backend.Key{Namespace: ns, Partition: "?|", Sort: "x"}, &backend.Place{Partition: schema.AuditIndex, Sort: "x"}, schema.MarkLayout, set(schema.MarkAt, 1))

	for what, c := range map[string]struct {
		read    func() (int, error)
		want    int
		skipped int64
	}{
		"entities":  {func() (int, error) { p, err := l.Entities(ctx, engine.Page{}); return len(p.Items), err }, 1, 3},
		"children":  {func() (int, error) { p, err := l.Children(ctx, "p", engine.Page{}); return len(p.Items), err }, 1, 1},
		"audit":     {func() (int, error) { p, err := l.AuditEvents(ctx, engine.AuditQuery{}); return len(p.Items), err }, 2, 3},
		"resources": {func() (int, error) { p, err := l.Resources(ctx, engine.Page{}); return len(p.Items), err }, 0, 1},
		"limited":   {func() (int, error) { p, err := l.EntitiesWithLimits(ctx, "r", engine.Page{}); return len(p.Items), err }, 1, 1},
		"buckets of one": {func() (int, error) {
			p, err := l.Buckets(ctx, engine.BucketQuery{Entity: "good"})
			return len(p.Items), err
		}, 1, 2},
		"buckets": {func() (int, error) { p, err := l.Buckets(ctx, engine.BucketQuery{}); return len(p.Items), err }, 1, 6},
		"buckets by name": {func() (int, error) {
			states, err := l.BucketStates(ctx, []engine.BucketName{{Entity: "good", Resource: "bad"}, {Entity: "good", Resource: "r"}})
			return len(states), err
		}, 1, 1},
		"usage": {func() (int, error) {
			p, err := l.Usage(ctx, engine.UsageQuery{Entity: "good", Window: engine.WindowHourly})
			return len(p.Items), err
		}, 1, 1},
		"usage of a resource": {func() (int, error) {
			p, err := l.UsageSummary(ctx, engine.UsageQuery{Resource: "bad", Window: engine.WindowHourly})
			return p.Snapshots, err
		}, 0, 1},
		"all settings": {func() (int, error) { all, err := l.AllSettings(ctx); return len(all), err }, 3, 2},
	} {
		seen.n.Store(0)
		if got, err := c.read(); err != nil || got != c.want || seen.n.Load() != c.skipped {
			t.Errorf("%s: %d, %v, and %d skipped; wanted were %d and %d", what, got, err, seen.n.Load(), c.want, c.skipped)
		}
	}
	if _, err := l.Settings(ctx, []engine.SettingID{{Kind: engine.SettingLimits, Entity: "good", Resource: "bad"}}); err == nil {
		t.Error("limits that are asked for by name and cannot be read are no error")
	}
	must(t, l.DeleteEntity(ctx, "good", nil))
	usage, err := l.Usage(ctx, engine.UsageQuery{Entity: "good", Window: engine.WindowHourly})
	must(t, err)
	buckets, err := l.Buckets(ctx, engine.BucketQuery{Entity: "good"})
	must(t, err)
	if r := w.mustRead(schema.BucketLayout, "b|e|bad|a"); len(usage.Items)+len(buckets.Items) > 0 || !r.Present() {
		t.Errorf("after the deletion: %v, %v; of another entity's bucket that stood in its index: %v", usage, buckets, r.Present())
	}
}

func (w *world) mustRead(layout *backend.Layout, partition string) *backend.Record {
	w.t.Helper()
	out := make([]backend.Record, 1)
	out[0].Reset(layout)
	must(w.t, w.store.Read(w.t.Context(), []backend.Key{schema.BucketAt(engine.DefaultNamespace, partition)}, out))
	return &out[0]
}

// A parent that no entity can have as its name is the fault of the record, not of the request: whoever catches a *ValidationError
// would look for it in their own code.
func TestForgedParent(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	l := w.limiter(w.store, nil)
	must(t, l.SetSystemDefaults(ctx, []engine.Limit{engine.PerMinute("rpm", 9)}, nil))
	key, place := schema.Entity(engine.DefaultNamespace, "child")
	w.mustForge(key, &place, schema.EntityLayout, set(schema.EntityCascade, 1), says(schema.EntityParent, "not\x00legal"))
	request := engine.Request{Entity: "child", Resource: "r", Consume: engine.Tokens{"rpm": 1}}
	for range 2 {
		_, err := l.Acquire(ctx, request)
		var invalid *engine.ValidationError
		if !errors.Is(err, engine.ErrSchema) || errors.As(err, &invalid) || !strings.Contains(err.Error(), `"not\x00legal"`) {
			t.Errorf("got %v, wanted ErrSchema with the parent's name", err)
		}
	}
}
