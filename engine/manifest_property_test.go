package engine_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

// drawLimits draws the limits of a setting.
func drawLimits(t *rapid.T) []engine.Limit {
	one := rapid.Custom(func(t *rapid.T) engine.Limit {
		return engine.PerMinute(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"), rapid.Int64Range(1, 3).Draw(t, "rate"))
	})
	return rapid.SliceOfNDistinct(one, 1, 3, func(l engine.Limit) string { return l.Name }).Draw(t, "limits")
}

// drawSettings draws settings that do not contradict each other: parents have smaller numbers than their children.
func drawSettings(t *rapid.T) map[engine.SettingID]engine.Setting {
	all := map[engine.SettingID]engine.Setting{}
	put := func(s engine.Setting) { all[s.ID] = s }
	if rapid.Bool().Draw(t, "system") {
		put(system(engine.Policy(rapid.IntRange(0, 2).Draw(t, "policy")), drawLimits(t)...))
	}
	for i := range 6 {
		name := fmt.Sprint("x", i)
		if rapid.Bool().Draw(t, "resource") {
			put(resource(name, drawLimits(t)...))
		}
		if rapid.Bool().Draw(t, "default") {
			put(limits(name, "", drawLimits(t)...))
		}
		if rapid.Bool().Draw(t, "own") {
			put(limits(name, "x1", drawLimits(t)...))
		}
		if rapid.Bool().Draw(t, "record") {
			e := record(name, "")
			if i > 0 && rapid.Bool().Draw(t, "has a parent") {
				e.Record.Parent = fmt.Sprint("x", rapid.IntRange(0, i-1).Draw(t, "parent"))
			}
			e.Record.Cascade = rapid.Bool().Draw(t, "cascade")
			e.Record.Name = rapid.SampledFrom([]string{"", "N", "ö"}).Draw(t, "entity's name")
			put(e)
		}
	}
	return all
}

// TestManifestProperty: whatever two manifests have set, applying another version of the second leaves exactly the settings
// of that version and those of the first.
func TestManifestProperty(t *testing.T) {
	stores := map[string]func() backend.Backend{
		"memory": func() backend.Backend { return memory.New(nil) },
		"bolt": func() backend.Backend {
			s, err := bolt.Open(filepath.Join(t.TempDir(), "manifest.db"), &bolt.Options{NoSync: true})
			must(t, err)
			return s
		},
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				store := open()
				defer store.Close()
				w := newWorld(t)
				l, err := engine.New(store, &engine.Options{Now: w.now, Logger: slog.New(slog.DiscardHandler), CacheSize: 8})
				must(t, err)
				defer l.Close()
				byHand, first, second := drawSettings(r), drawSettings(r), drawSettings(r)
				enact(t, l, "hand", byHand, nil)
				enact(t, l, "m", first, byHand)
				want := enact(t, l, "m", second, byHand)
				got, err := l.AllSettings(t.Context())
				must(t, err)
				if inWords(got) != want {
					r.Fatalf("stored\n%s\nwanted\n%s", inWords(got), want)
				}
				mine, err := l.ManagedSettings(t.Context(), "m")
				must(t, err)
				if got := slices.DeleteFunc(got, func(s engine.Setting) bool { return s.Manifest != "m" }); inWords(got) != inWords(mine) {
					r.Fatalf("managed\n%s\nlisted\n%s", inWords(got), inWords(mine))
				}
			})
		})
	}
}

// enact applies as a manifest all wanted settings that the other manifest does not have, and deletes its other ones. It
// returns a description of what must be stored then.
func enact(t *testing.T, l *engine.Limiter, manifest string, wanted, other map[engine.SettingID]engine.Setting) string {
	t.Helper()
	ctx := t.Context()
	had, err := l.ManagedSettings(ctx, manifest)
	must(t, err)
	target := map[engine.SettingID]engine.Setting{}
	for _, s := range had {
		target[s.ID] = absent(s)
	}
	for id, s := range wanted {
		if _, taken := other[id]; !taken {
			target[id] = s
		}
	}
	stay(target, other)
	var list []engine.Setting
	for _, s := range target {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b engine.Setting) int { return a.ID.Compare(b.ID) })
	all, err := changesTo(ctx, l, list...)
	must(t, err)
	all = slices.DeleteFunc(all, func(c engine.SettingChange) bool {
		return c.Before.SameContent(&c.After) && c.Before.Manifest == manifest
	})
	must(t, l.ApplyManifest(ctx, manifest, all, &engine.ManifestOptions{AllowMissingParent: true}))
	var lines []string
	both := append(list, sorted(other)...)
	slices.SortFunc(both, func(a, b engine.Setting) int { return a.ID.Compare(b.ID) })
	for _, s := range both {
		if _, theirs := other[s.ID]; !s.Exists {
			continue
		} else if s.Manifest = manifest; theirs {
			s.Manifest = "hand"
		}
		slices.SortFunc(s.Limits, func(a, b engine.Limit) int { return strings.Compare(a.Name, b.Name) })
		lines = append(lines, inWords([]engine.Setting{s}))
	}
	return strings.Join(lines, "\n")
}

// stay keeps entities that are parents of others.
func stay(target, other map[engine.SettingID]engine.Setting) {
	for again := true; again; {
		again = false
		for _, settings := range []map[engine.SettingID]engine.Setting{target, other} {
			for _, s := range settings {
				parent := engine.SettingID{Kind: engine.SettingEntity, Entity: s.Record.Parent}
				if p, had := target[parent]; s.Exists && had && !p.Exists {
					target[parent] = record(parent.Entity, "")
					again = true
				}
			}
		}
	}
}

func sorted(all map[engine.SettingID]engine.Setting) (list []engine.Setting) {
	for _, s := range all {
		list = append(list, s)
	}
	return list
}
