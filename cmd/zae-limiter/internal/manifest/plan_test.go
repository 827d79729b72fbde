package manifest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/manifest"
	"github.com/zeroae/zae-limiter-go/engine"
)

func must(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func limiterOver(t rapid.TB, store backend.Backend) *engine.Limiter {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l, err := engine.New(store, &engine.Options{Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler), CacheSize: 8})
	must(t, err)
	return l
}

func parse(t rapid.TB, text string) *manifest.Manifest {
	t.Helper()
	m, err := manifest.Parse("f.yaml", []byte(text))
	must(t, err)
	return m
}

// planned returns a plan, one change or field a line.
func planned(p *manifest.Plan) string {
	var lines []string
	for _, c := range p.Changes {
		line := string(c.Action) + " " + c.Path
		if c.From != "" {
			line += " from " + c.From
		}
		lines = append(lines, line)
		for _, f := range c.Fields {
			lines = append(lines, fmt.Sprintf("  %s: %s -> %s", f.Name, f.Before, f.After))
		}
	}
	return strings.Join(append(lines, fmt.Sprintf("%d unchanged", p.Unchanged)), "\n")
}

// put plans a manifest and applies it.
func put(t rapid.TB, l *engine.Limiter, text string, o *manifest.Options) string {
	t.Helper()
	p, err := manifest.NewPlan(context.Background(), l, parse(t, text), o)
	must(t, err)
	must(t, p.Apply(context.Background(), l, nil))
	return planned(p)
}

func equal(t rapid.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nnot\n%s", what, got, want)
	}
}

func TestPlan(t *testing.T) {
	ctx, l := t.Context(), limiterOver(t, memory.New(nil))
	must(t, l.SetResourceDefaults(ctx, "same", []engine.Limit{engine.PerMinute("rpm", 1)}))
	must(t, l.SetResourceDefaults(ctx, "other", []engine.Limit{engine.PerMinute("rpm", 1)}))
	must(t, l.SetLimits(ctx, "e", "", []engine.Limit{engine.PerMinute("rpm", 1), engine.PerMinute("tpm", 1), engine.PerMinute("x", 1)}))
	must(t, l.CreateEntity(ctx, engine.Entity{ID: "e", Name: "old", Metadata: map[string]string{"a": "1", "b": "2", "e": ""}}, nil))
	first := `
system: {on_unavailable: allow}
resources: {same: {limits: {rpm: 1}}, new: {limits: [rpm:1, tpm:2/s:3]}}
entities:
  e: {parent: org, cascade: true, metadata: {b: "3", c: "4"}, limits: {rpm: 2, tpm: 1, y: 1}}
  org: {}
`
	const added = `add system
  on_unavailable:  -> allow
add resources.new
  limits.rpm:  -> 1/min
  limits.tpm:  -> 2/s:3
adopt resources.same
change entities.e
  name: old -> 
  parent:  -> org
  cascade:  -> true
  metadata.a: 1 -> 
  metadata.b: 2 -> 3
  metadata.c:  -> 4
  metadata.e: "" -> 
change entities.e.limits
  limits.rpm: 1/min -> 2/min
  limits.x: 1/min -> 
  limits.y:  -> 1/min
add entities.org
0 unchanged`
	equal(t, "first", put(t, l, first, nil), added)
	equal(t, "again", put(t, l, first, nil), "6 unchanged")
	equal(t, "less", put(t, l, "resources: {new: {limits: {rpm: 1}}}", nil), `remove system
  on_unavailable: allow -> 
change resources.new
  limits.tpm: 2/s:3 -> 
remove resources.same
  limits.rpm: 1/min -> 
remove entities.e
  parent: org -> 
  cascade: true -> 
  metadata.b: 3 -> 
  metadata.c: 4 -> 
remove entities.e.limits
  limits.rpm: 2/min -> 
  limits.tpm: 1/min -> 
  limits.y: 1/min -> 
remove entities.org
0 unchanged`)
	all, err := l.AllSettings(ctx)
	must(t, err)
	if len(all) != 2 || all[1].ID.Resource != "other" {
		t.Errorf("left: %v", all)
	}
}

func TestPlanRefuses(t *testing.T) {
	ctx, l := t.Context(), limiterOver(t, memory.New(nil))
	put(t, l, "manifest: theirs\nresources: {r: {limits: {rpm: 1}}}\nentities: {a: {parent: b}, b: {}}", nil)
	missing := &engine.EntityOptions{AllowMissingParent: true}
	must(t, l.CreateEntity(ctx, engine.Entity{ID: "x", Parent: "c"}, missing))
	must(t, l.CreateEntity(ctx, engine.Entity{ID: "orphan", Parent: "nobody"}, missing))
	text := `resources:
  r: {limits: {rpm: 2}}
entities:
  c:
    parent: x
  d:
    parent: lost
  orphan:
    parent: nobody
    name: kept
  limited:
    limits: {rpm: 1}
  e:
    parent: limited
`
	_, err := manifest.NewPlan(ctx, l, parse(t, text), nil)
	equal(t, "refused", problems(t, err), `f.yaml:2:3: resources.r: is managed by the manifest theirs: remove it there first, or pass --take-over
f.yaml:5:13: entities.c.parent: the parents form a cycle, c - x - c: change or remove one of them
f.yaml:7:13: entities.d.parent: entity lost does not exist in the manifest or in the store: add it to entities (lost: {}), correct the name, or pass --allow-missing`)
	var p *manifest.Problems
	if !errors.As(err, &p) || !p.Stored {
		t.Errorf("%v does not tell that it is for what is stored", err)
	}
	equal(t, "taken over", put(t, l, "resources: {r: {limits: {rpm: 2}}}", &manifest.Options{TakeOver: true}), `change resources.r from theirs
  limits.rpm: 1/min -> 2/min
0 unchanged`)
	_, err = manifest.NewPlan(ctx, l, parse(t, "manifest: theirs\nentities: {a: {parent: b}}"), nil)
	equal(t, "a parent goes", problems(t, err),
		"f.yaml: entities.b: would be removed, but is the parent of a: change the parent of a first, or keep b")
	_, err = manifest.NewPlan(ctx, l, parse(t, "manifest: theirs\nentities: {x: {}}"), nil)
	equal(t, "parents stay", problems(t, err), "")
	put(t, l, "manifest: mine\nentities: {child: {parent: b}}", nil)
	_, err = manifest.NewPlan(ctx, l, parse(t, "manifest: theirs\nentities: {d: {parent: lost}}"), nil)
	equal(t, "a parent that goes", problems(t, err), `f.yaml: entities.b: would be removed, but is the parent of child: change the parent of child first, or keep b
f.yaml:2:24: entities.d.parent: entity lost does not exist in the manifest or in the store: add it to entities (lost: {}), correct the name, or pass --allow-missing`)
}

// An entity cannot get a parent that the same manifest removes because it has left the file.
func TestPlanOfParentThatGoes(t *testing.T) {
	ctx, l := t.Context(), limiterOver(t, memory.New(nil))
	put(t, l, "entities: {org: {name: Org}, old: {}}", nil)
	text := "entities: {old: {parent: org}, new: {parent: org}}"
	for _, o := range []*manifest.Options{nil, {AllowMissingParent: true}} {
		_, err := manifest.NewPlan(ctx, l, parse(t, text), o)
		equal(t, "a parent that goes", problems(t, err),
			`f.yaml:1:26: entities.old.parent: entity org would be removed, because it has left the manifest: add it to entities (org: {}), or change the parent
f.yaml:1:46: entities.new.parent: entity org would be removed, because it has left the manifest: add it to entities (org: {}), or change the parent`)
	}
}

// A parent may be declared in any order, and with limits only: then its record is stored because of its children. A parent that is
// not declared is accepted on request.
func TestPlanParents(t *testing.T) {
	ctx, l := t.Context(), limiterOver(t, memory.New(nil))
	text := "entities: {a: {parent: org, cascade: true}, org: {limits: {rpm: 9}}, z: {parent: a}, b: {limits: {rpm: 1}}}"
	equal(t, "limits only", put(t, l, text, nil), `add entities.a
  parent:  -> org
  cascade:  -> true
add entities.b.limits
  limits.rpm:  -> 1/min
add entities.org
add entities.org.limits
  limits.rpm:  -> 9/min
add entities.z
  parent:  -> a
0 unchanged`)
	equal(t, "again", put(t, l, text, nil), "5 unchanged")
	equal(t, "a parent no more", put(t, l, "entities: {a: {}, org: {limits: {rpm: 9}}, z: {parent: a}, b: {limits: {rpm: 1}}}", nil), `change entities.a
  parent: org -> 
  cascade: true -> 
remove entities.org
3 unchanged`)

	name := "of somebody else"
	must(t, l.CreateEntity(ctx, engine.Entity{ID: "b", Name: name}, nil))
	equal(t, "a record that is there", put(t, l, "entities: {a: {parent: b}, b: {limits: {rpm: 1}}, org: {limits: {rpm: 9}}, z: {parent: a}}", nil), `change entities.a
  parent:  -> b
3 unchanged`)
	e, err := l.Entity(ctx, "b")
	must(t, err)
	equal(t, "its name", e.Name, name)

	lost := "manifest: other\nentities: {c: {parent: ghosst}}"
	_, err = manifest.NewPlan(ctx, l, parse(t, lost), nil)
	if problems(t, err) == "" {
		t.Error("a parent that is nowhere is no problem")
	}
	equal(t, "allowed", put(t, l, lost, &manifest.Options{AllowMissingParent: true}), `add entities.c
  parent:  -> ghosst
0 unchanged`)
	equal(t, "and then as it is", put(t, l, lost, nil), "1 unchanged")
	lost = "manifest: other\nentities: {c: {parent: ghosst, cascade: true}}"
	equal(t, "changed elsewhere", put(t, l, lost, nil), `change entities.c
  cascade:  -> true
0 unchanged`)
}

// An outdated plan overwrites nothing.
func TestPlanStale(t *testing.T) {
	ctx, l := t.Context(), limiterOver(t, memory.New(nil))
	p, err := manifest.NewPlan(ctx, l, parse(t, "system: {limits: {rpm: 1}}\nresources: {r: {limits: {rpm: 1}}}"), nil)
	must(t, err)
	must(t, l.SetResourceDefaults(ctx, "r", []engine.Limit{engine.PerMinute("rpm", 5)}))
	if err := p.Apply(ctx, l, nil); !errors.Is(err, engine.ErrStale) {
		t.Errorf("%v", err)
	}
	limits, err := l.ResourceDefaults(ctx, "r")
	must(t, err)
	equal(t, "stored by others", fmt.Sprint(limits), "[rpm:5/min]")
}

// drawManifest generates a manifest with everything that can be stored.
func drawManifest(t *rapid.T) *manifest.Manifest {
	odd := rapid.SampledFrom([]string{"a", "null", "True", "no", "1e3", "0x1F", "12", "007", "a:b", "2026-01-01", "a.b", "x-y", "1_0", ".5"})
	id := rapid.OneOf(odd, rapid.StringMatching(`[a-zA-Z0-9][a-zA-Z0-9_.\-:@/]{0,12}`), rapid.String(), rapid.SampledFrom([]string{
		"<<", " a", "a ", "- a", "? a", ": a", "a: b", "# c", "::1", "fe80::1%eth0", "auth0|5f7c", "+49", "sk-abc==", "_x", "~", "'", "\"", "\\", "{}", "[", "*a", "&a",
		"!x", "|", ">", "%", "@", "`", "---", "...", "\u202e", "\u2028", "\ufeff", "\u00a0", "😀", "=", strings.Repeat("|", 256), strings.Repeat("é", 128),
	})).Filter(func(s string) bool {
		return (&engine.Setting{ID: engine.SettingID{Kind: engine.SettingEntity, Entity: s}}).Check() == nil
	})
	resource := rapid.StringMatching(`[a-zA-Z0-9][a-zA-Z0-9_.\-:/]{0,8}`)
	text := rapid.OneOf(rapid.String(), odd, rapid.SampledFrom([]string{" a", "a ", "a: b", "# c", "- d", "\"", "'", "\\", "\n", "a\nb\n", "\u2028", "\x00", "😀", "&a", "*a", "!!x", "~", "[", "{}", "%", "@", "`", "\u0085", "\ufeff"}))
	limit := rapid.Custom(func(t *rapid.T) engine.Limit {
		return engine.Limit{
			Name:         rapid.OneOf(rapid.SampledFrom([]string{"null", "y", "NaN", "Off"}), rapid.StringMatching(`[a-zA-Z][a-zA-Z0-9_.\-]{0,5}`)).Draw(t, "name"),
			Capacity:     rapid.Int64Range(1, 1e15).Draw(t, "capacity"),
			RefillAmount: rapid.Int64Range(1, 1e15).Draw(t, "amount"),
			RefillPeriod: time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(3650*24*time.Hour)).Draw(t, "period")),
		}
	})
	limits := func() []engine.Limit {
		return rapid.SliceOfNDistinct(limit, 1, 4, func(l engine.Limit) string { return l.Name }).Draw(t, "limits")
	}
	var all []engine.Setting
	if rapid.Bool().Draw(t, "system") {
		s := engine.Setting{ID: engine.SettingID{Kind: engine.SettingSystem}, Exists: true, Limits: limits()}
		s.OnUnavailable = engine.Policy(rapid.IntRange(0, 2).Draw(t, "policy"))
		all = append(all, s)
	}
	for _, name := range rapid.SliceOfNDistinct(resource, 0, 3, rapid.ID).Draw(t, "resources") {
		all = append(all, engine.Setting{ID: engine.SettingID{Kind: engine.SettingResource, Resource: name}, Exists: true, Limits: limits()})
	}
	ids := rapid.SliceOfNDistinct(id, 0, 6, rapid.ID).Draw(t, "entities")
	for i, entity := range ids {
		if rapid.Bool().Draw(t, "default") {
			all = append(all, engine.Setting{ID: engine.SettingID{Kind: engine.SettingLimits, Entity: entity}, Exists: true, Limits: limits()})
		}
		for _, name := range rapid.SliceOfNDistinct(resource, 0, 2, rapid.ID).Draw(t, "own") {
			all = append(all, engine.Setting{ID: engine.SettingID{Kind: engine.SettingLimits, Entity: entity, Resource: name}, Exists: true, Limits: limits()})
		}
		if rapid.Bool().Draw(t, "record") {
			e := engine.Setting{ID: engine.SettingID{Kind: engine.SettingEntity, Entity: entity}, Exists: true}
			e.Record.Cascade = rapid.Bool().Draw(t, "cascade")
			e.Record.Name = text.Draw(t, "name")
			e.Record.Metadata = rapid.MapOfN(text.Filter(func(s string) bool { return s != "" && len(s) < 128 }), text, 0, 3).Draw(t, "metadata")
			if i > 0 && rapid.Bool().Draw(t, "child") {
				e.Record.Parent = ids[rapid.IntRange(0, i-1).Draw(t, "parent")]
			}
			all = append(all, e)
		}
	}
	return manifest.Of("m", "default", all)
}

// TestRoundTrip checks that an exported manifest, as YAML and as JSON, changes no settings, and that applying it twice changes
// nothing the second time.
func TestRoundTrip(t *testing.T) {
	folder := t.TempDir()
	stores := 0
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		var store backend.Backend = memory.New(nil)
		if stores++; stores%10 == 0 {
			file, err := bolt.Open(filepath.Join(folder, fmt.Sprint(stores)), &bolt.Options{NoSync: true})
			must(t, err)
			store = file
		}
		defer store.Close()
		l := limiterOver(t, store)
		given := drawManifest(t)
		p, err := manifest.NewPlan(ctx, l, parse(t, string(given.YAML("comment"))), nil)
		var refused *manifest.Problems
		if errors.As(err, &refused) { // a parent has no record, which the store accepts
			changes := make([]engine.SettingChange, len(given.Settings))
			for i, d := range given.Settings {
				changes[i] = engine.SettingChange{Before: engine.Setting{ID: d.ID}, After: d.Setting}
			}
			must(t, l.ApplyManifest(ctx, "m", changes, &engine.ManifestOptions{AllowMissingParent: true}))
		} else {
			must(t, err)
			must(t, p.Apply(ctx, l, nil))
		}
		stored, err := l.AllSettings(ctx)
		must(t, err)
		export := manifest.Of("m", "default", stored)
		asJSON, err := export.JSON()
		must(t, err)
		for _, text := range []string{string(export.YAML()), string(asJSON)} {
			p, err := manifest.NewPlan(ctx, l, parse(t, text), nil)
			must(t, err)
			if len(p.Changes) > 0 || p.Unchanged != len(stored) {
				t.Fatalf("exported\n%s\nwhich would\n%s", text, planned(p))
			}
		}
		other := manifest.Of("other", "default", stored)
		p, err = manifest.NewPlan(ctx, l, other, &manifest.Options{TakeOver: true})
		if must(t, err); p.Drift() || p.Count(manifest.Adopt) != len(stored) {
			t.Fatalf("under another name it would\n%s", planned(p))
		}
	})
}
