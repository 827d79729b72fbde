package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
)

func system(p engine.Policy, limits ...engine.Limit) engine.Setting {
	return engine.Setting{ID: engine.SettingID{Kind: engine.SettingSystem}, Exists: true, Limits: limits, OnUnavailable: p}
}

func resource(name string, limits ...engine.Limit) engine.Setting {
	return engine.Setting{ID: engine.SettingID{Kind: engine.SettingResource, Resource: name}, Exists: true, Limits: limits}
}

func limits(entity, resource string, limits ...engine.Limit) engine.Setting {
	return engine.Setting{ID: engine.SettingID{Kind: engine.SettingLimits, Entity: entity, Resource: resource}, Exists: true, Limits: limits}
}

func record(id, parent string) engine.Setting {
	return engine.Setting{ID: engine.SettingID{Kind: engine.SettingEntity, Entity: id}, Exists: true, Record: engine.Entity{Parent: parent}}
}

func absent(s engine.Setting) engine.Setting { return engine.Setting{ID: s.ID} }

// changesTo returns the changes from the stored settings to the wanted ones.
func changesTo(ctx context.Context, l *engine.Limiter, wanted ...engine.Setting) ([]engine.SettingChange, error) {
	ids := make([]engine.SettingID, len(wanted))
	for i := range wanted {
		ids[i] = wanted[i].ID
	}
	stored, err := l.Settings(ctx, ids)
	var all []engine.SettingChange
	for i := range stored {
		if !stored[i].SameContent(&wanted[i]) || stored[i].Manifest != "m" && stored[i].Exists {
			all = append(all, engine.SettingChange{Before: stored[i], After: wanted[i]})
		}
	}
	return all, err
}

// apply applies the wanted settings in the name of the manifest "m".
func (w *world) apply(o *engine.ManifestOptions, wanted ...engine.Setting) error {
	w.t.Helper()
	all, err := changesTo(w.t.Context(), w.Limiter, wanted...)
	must(w.t, err)
	return w.ApplyManifest(w.t.Context(), "m", all, o)
}

// managed describes what a manifest manages.
func (w *world) managed(manifest string) string {
	w.t.Helper()
	settings, err := w.ManagedSettings(w.t.Context(), manifest)
	must(w.t, err)
	return inWords(settings)
}

func inWords(settings []engine.Setting) string {
	var lines []string
	for _, s := range settings {
		line := s.ID.String()
		if s.ID.Kind == engine.SettingEntity {
			line += fmt.Sprintf(" %q<%s %t %v", s.Record.Name, s.Record.Parent, s.Record.Cascade, s.Record.Metadata)
		} else {
			line += fmt.Sprint(" ", s.Limits, s.OnUnavailable)
		}
		lines = append(lines, line+" by "+s.Manifest)
	}
	return strings.Join(lines, "\n")
}

var (
	rpm = engine.PerMinute("rpm", 10)
	tpm = engine.PerMinute("tpm", 1000).WithBurst(2000)
)

func TestApplyManifest(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.SetLimits(ctx, "other", "r", []engine.Limit{rpm}))
	must(t, w.SetResourceDefaults(ctx, "r", []engine.Limit{rpm}))
	others := w.dump(false)
	long := strings.Repeat("e", 256)
	child := record("c", "p")
	child.Record.Name, child.Record.Cascade, child.Record.Metadata = "C", true, map[string]string{"k": "v"}
	wanted := []engine.Setting{
		system(engine.PolicyAllow), resource("gpt", tpm, rpm), child, record("p", ""), limits("c", "", rpm), limits("c", "gpt", tpm),
		limits(long, strings.Repeat("r", 128), rpm),
	}
	must(t, w.apply(nil, wanted...))
	all := `the system [] allow by m
resource gpt [rpm:10/min tpm:1000/min:2000] default by m
entity c "C"<p true map[k:v] by m
limits of c [rpm:10/min] default by m
limits of c on gpt [tpm:1000/min:2000] default by m
limits of ` + long + ` on ` + strings.Repeat("r", 128) + ` [rpm:10/min] default by m
entity p ""< false map[] by m`
	equal(t, "managed", w.managed("m"), all)
	equal(t, "told", len(w.told(100)), 2+len(wanted))
	for _, line := range []string{
		`entity_created c  - {"id":"c","name":"C","parent":"p","cascade":true,"metadata":{"k":"v"},"created_at":"2026-03-01T12:00:00Z","manifest":"m"}`,
		`limits_set   - {"limits":[],"on_unavailable":"allow","manifest":"m"}`,
		`limits_set c  - {"limits":[{"name":"rpm","capacity":10,"refill_amount":10,"refill_period_seconds":60}],"manifest":"m"}`,
	} {
		if !slices.Contains(w.told(100), line) {
			t.Errorf("not told: %s\n%s", line, strings.Join(w.told(100), "\n"))
		}
	}
	children, err := w.Children(ctx, "p", engine.Page{})
	must(t, err)
	equal(t, "children", len(children.Items), 1)

	before := w.dump(true)
	must(t, w.apply(nil, wanted...))
	equal(t, "the same again", w.dump(true), before)

	for i := range wanted {
		wanted[i] = absent(wanted[i])
	}
	must(t, w.apply(nil, wanted...))
	equal(t, "left", w.dump(false), others)
	equal(t, "told of the end", w.told(1)[0][:14], "entity_deleted")
}

// A manifest manages what it sets although it was stored before, and the event says so. It takes over another manifest's
// settings only with TakeOver.
func TestManifestOwnership(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.SetResourceDefaults(ctx, "r", []engine.Limit{rpm}))
	must(t, w.apply(nil, resource("r", rpm)))
	equal(t, "adopted", w.managed("m"), "resource r [rpm:10/min] default by m")
	const doc = `{"limits":[{"name":"rpm","capacity":10,"refill_amount":10,"refill_period_seconds":60}]`
	equal(t, "told", w.told(1)[0], "limits_set  r "+doc+"} "+doc+`,"manifest":"m"}`)

	settings, err := w.Settings(ctx, []engine.SettingID{{Kind: engine.SettingResource, Resource: "r"}})
	must(t, err)
	change := []engine.SettingChange{{Before: settings[0], After: resource("r", tpm)}}
	before := w.dump(true)
	wants(t, "another's", w.ApplyManifest(ctx, "n", change, nil), engine.ErrManaged)
	change[0].After = absent(change[0].After)
	wants(t, "removing another's", w.ApplyManifest(ctx, "n", change, &engine.ManifestOptions{TakeOver: true}), engine.ErrManaged)
	equal(t, "refused", w.dump(true), before)
	change[0].After = resource("r", tpm)
	must(t, w.ApplyManifest(ctx, "n", change, &engine.ManifestOptions{TakeOver: true}))
	equal(t, "of the other", w.managed("m"), "")
	equal(t, "taken", w.managed("n"), "resource r [tpm:1000/min:2000] default by n")
	equal(t, "records", len(w.dump(false)), 2) // the limits and the entry in one list

	must(t, w.SetResourceDefaults(ctx, "free", []engine.Limit{rpm}))
	settings, err = w.Settings(ctx, []engine.SettingID{{Kind: engine.SettingResource, Resource: "free"}})
	must(t, err)
	err = w.ApplyManifest(ctx, "n", []engine.SettingChange{{Before: settings[0], After: absent(settings[0])}}, nil)
	wants(t, "removing what nobody manages", err, engine.ErrManaged)
}

// A setting that a single call changes stays managed by its manifest; one that a single call deletes leaves no record behind.
func TestManifestAndOtherChanges(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	wanted := []engine.Setting{system(engine.PolicyBlock, rpm), resource("r", rpm), record("e", ""), limits("e", "", rpm), limits("e", "r", rpm)}
	must(t, w.apply(nil, wanted...))
	must(t, w.SetResourceDefaults(ctx, "r", []engine.Limit{tpm}))
	name := "by hand"
	_, err := w.UpdateEntity(ctx, "e", engine.EntityUpdate{Name: &name}, nil)
	must(t, err)
	equal(t, "managed", w.managed("m"), `the system [rpm:10/min] block by m
resource r [tpm:1000/min:2000] default by m
entity e "by hand"< false map[] by m
limits of e [rpm:10/min] default by m
limits of e on r [rpm:10/min] default by m`)
	must(t, w.DeleteResourceDefaults(ctx, "r"))
	must(t, w.DeleteSystemDefaults(ctx))
	must(t, w.DeleteEntity(ctx, "e", nil))
	equal(t, "left", w.dump(false), map[string]string{})
	must(t, w.apply(nil, wanted...))
	equal(t, "made again", len(w.dump(false)), 2*len(wanted))
}

func TestManifestValidation(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	change := func(s engine.Setting) []engine.SettingChange {
		return []engine.SettingChange{{Before: absent(s), After: s}}
	}
	policy := resource("r", rpm)
	policy.OnUnavailable = engine.PolicyAllow
	named := record("e", "")
	named.Record.Name = "\xff"
	for what, c := range map[string]struct {
		manifest string
		changes  []engine.SettingChange
		want     error
	}{
		"name":       {"", change(system(0, rpm)), invalid("Manifest")},
		"kind":       {"m", change(engine.Setting{Exists: true}), invalid("Kind")},
		"resource":   {"m", change(resource("#", rpm)), invalid("Resource")},
		"entity":     {"m", change(limits("", "r", rpm)), invalid("Entity")},
		"limits":     {"m", change(resource("r")), invalid("Limits")},
		"system":     {"m", change(system(0)), invalid("Limits")},
		"policy":     {"m", change(system(9, rpm)), invalid("OnUnavailable")},
		"policy of":  {"m", change(policy), invalid("OnUnavailable")},
		"record":     {"m", change(named), invalid("Name")},
		"own parent": {"m", change(record("e", "e")), engine.ErrCycle},
		"twice":      {"m", append(change(system(0, rpm)), change(system(0, tpm))...), invalid("changes")},
		"two ids":    {"m", []engine.SettingChange{{Before: absent(record("a", "")), After: record("b", "")}}, invalid("changes")},
	} {
		wants(t, what, w.ApplyManifest(ctx, c.manifest, append(change(resource("fine", rpm)), c.changes...), nil), c.want)
	}
	_, err := w.Settings(ctx, []engine.SettingID{{}})
	wants(t, "reading", err, invalid("Kind"))
	_, err = w.ManagedSettings(ctx, "-")
	wants(t, "listing", err, invalid("Manifest"))
	_, err = w.limiter(bare{w.store}, nil).AllSettings(ctx)
	wants(t, "a store that cannot scan", err, invalid("store"))
	equal(t, "store", w.dump(true), map[string]string{})
}

// Settings that were changed after they had been read stay as they are, and the error names them; all other changes are made.
func TestManifestStale(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.apply(nil, resource("a", rpm), record("p", ""), limits("x", "", rpm)))
	all, err := changesTo(ctx, w.Limiter, resource("a", tpm), resource("b", tpm), record("p", ""), record("c", "p"), absent(limits("x", "", rpm)))
	must(t, err)
	must(t, w.SetResourceDefaults(ctx, "a", []engine.Limit{engine.PerDay("hand", 1)}))
	must(t, w.SetLimits(ctx, "x", "", []engine.Limit{engine.PerDay("hand", 2)}))
	var done int
	err = w.ApplyManifest(ctx, "m", all, &engine.ManifestOptions{Progress: func(n int) { done = n }})
	wants(t, "stale", err, engine.ErrStale)
	for _, name := range []string{"resource a", "limits of x"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	equal(t, "progress", done, len(all))
	equal(t, "managed", w.managed("m"), `resource a [hand:1/day] default by m
resource b [tpm:1000/min:2000] default by m
entity c ""<p false map[] by m
entity p ""< false map[] by m
limits of x [hand:2/day] default by m`)
}

// If a parent changes while a child is being moved below it, the move is stale: no cycle is closed.
func TestManifestStaleParent(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "p"}, nil))
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "c"}, nil))
	all, err := changesTo(ctx, w.Limiter, record("c", "p"), record("d", ""))
	must(t, err)
	c := "c"
	w.trouble.once("commit", 0, func() {
		_, err := w.UpdateEntity(ctx, "p", engine.EntityUpdate{Parent: &c}, anyParent)
		must(t, err)
	})
	err = w.troubled().ApplyManifest(ctx, "m", all, nil)
	wants(t, "stale", err, engine.ErrStale)
	equal(t, "managed", w.managed("m"), `entity d ""< false map[] by m`)
}

func TestManifestParents(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.CreateEntity(ctx, engine.Entity{ID: "x", Parent: "b"}, anyParent)) // not managed by the manifest
	must(t, w.apply(nil, record("a", "x"), record("b", "")))
	must(t, w.apply(nil, record("b", "a"), record("a", ""))) // reversed, with x between them
	equal(t, "turned", w.managed("m"), "entity a \"\"< false map[] by m\nentity b \"\"<a false map[] by m")

	before := w.dump(true)
	wants(t, "a circle", w.apply(nil, record("a", "x")), engine.ErrCycle)
	wants(t, "a circle of their own", w.apply(nil, record("k", "l"), record("l", "k")), engine.ErrCycle)
	var chain []engine.Setting
	for i := range 9 {
		chain = append(chain, record(fmt.Sprint("n", i), strings.TrimSuffix(fmt.Sprint("n", i-1), "n-1")))
	}
	wants(t, "too long", w.apply(nil, chain...), engine.ErrCycle)
	wants(t, "a parent", w.apply(nil, absent(record("a", "")), absent(record("b", ""))), engine.ErrHasChildren)
	must(t, w.apply(&engine.ManifestOptions{DryRun: true}, chain[:8]...))
	equal(t, "refused, or dry", w.dump(true), before)
	must(t, w.apply(nil, chain[:8]...))
	must(t, w.apply(nil, absent(record("a", "")), record("b", ""))) // its child moves away first
	must(t, w.DeleteEntity(ctx, "x", nil))
	for i := range 8 {
		chain[i] = absent(chain[i])
	}
	must(t, w.apply(nil, append(chain[:8:8], absent(record("b", "")), absent(limits("b", "", rpm)))...))
}
