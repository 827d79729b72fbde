package schema_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Keys and places of snapshots are on disk, and so is in which part of the index an entity stands.
func TestUsageKeys(t *testing.T) {
	key, place := schema.Usage("n", "user-1", "gpt-4", schema.Hourly, 1_764_158_400)
	if want := (backend.Key{Namespace: "n", Partition: "u|user-1", Sort: "h|1764158400|gpt-4"}); key != want {
		t.Errorf("a snapshot stands at %v", key)
	}
	if want := (backend.Place{Partition: "u|h|gpt-4|4", Sort: "1764158400|user-1"}); place != want {
		t.Errorf("a snapshot is listed at %v", place)
	}
	for entity, part := range map[string]string{"a": "4", "b": "5", "user-123": "3", "user-124": "2"} {
		if _, place := schema.Usage("n", entity, "r", schema.Monthly, 0); place.Partition != "u|m|r|"+part {
			t.Errorf("%s is listed in %s", entity, place.Partition)
		}
	}
	if schema.LayoutOf(key) != schema.UsageLayout || !schema.ListsUsage(key.Partition) || !schema.ListsUsage(place.Partition) || schema.ListsUsage("e|u") {
		t.Error("kinds of partitions are mistaken")
	}
	for _, k := range []backend.Key{{Namespace: "n", Partition: "u|e", Sort: "x|1|r"}, {Namespace: "n", Partition: "u|e", Sort: "h|x|r"}, {Namespace: "n", Partition: "u|e", Sort: "h|1"}, {Namespace: "n", Partition: "e|e", Sort: "h|1|r"}} {
		if _, _, _, _, ok := schema.UsageOf(k); ok {
			t.Errorf("%v reads as a snapshot", k)
		}
	}
}

// Any legal ids and any time give legal keys that can be read, listed once in the part of the index of the entity.
func TestUsageKeysAtRandom(t *testing.T) {
	entity, resource := anyEntity, rapid.StringMatching(`[a-zA-Z0-9][a-zA-Z0-9_.\-:/]{0,127}`)
	rapid.Check(t, func(t *rapid.T) {
		e, r, w := entity.Draw(t, "entity"), resource.Draw(t, "resource"), rapid.SampledFrom(schema.Windows).Draw(t, "window")
		at := rapid.Int64Range(1_577_836_800, 7_258_118_400).Draw(t, "at")
		start := w.Start(at * int64(time.Second))
		key, place := schema.Usage("n", e, r, w, start)
		if key.Validate() != nil || place.Validate() != nil {
			t.Fatalf("%v, %v", key, place)
		}
		if gotE, gotR, gotW, gotS, ok := schema.UsageOf(key); !ok || gotE != e || gotR != r || gotW != w || gotS != start {
			t.Fatalf("%v reads as %q, %q, %s, %d", key, gotE, gotR, gotW, gotS)
		}
		if key.Partition != schema.UsagePartition(e) || !slices.Contains(schema.UsageIndex(w, r), place.Partition) {
			t.Fatalf("%v and %v are not where they are looked for", key, place)
		}
		from, to := start+rapid.Int64Range(-2, 2).Draw(t, "from"), start+rapid.Int64Range(-2, 2).Draw(t, "to")
		inside := from <= start && start < to
		first, end := schema.UsageRange(w, from, to)
		if got := first <= key.Sort && key.Sort < end; got != inside {
			t.Fatalf("[%d, %d) has %d: %v", from, to, start, got)
		}
		first, end = schema.UsageIndexRange(from, to)
		if got := first <= place.Sort && place.Sort < end; got != inside {
			t.Fatalf("the index' [%d, %d) has %d: %v", from, to, start, got)
		}
	})
}

// A window holds its instants: it starts at or before each and ends after it, where the next one starts.
func TestWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(1_577_836_800, 7_258_118_399).Draw(t, "at"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
		for w, want := range map[schema.Window]time.Time{
			schema.Hourly:  at.Truncate(time.Hour),
			schema.Daily:   time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC),
			schema.Monthly: time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC),
		} {
			start := w.Start(at.UnixNano())
			end := w.End(start)
			if start != want.Unix() || end <= at.Unix() || w.Start(end*int64(time.Second)) != end || w.Start(end*int64(time.Second)-1) != start {
				t.Fatalf("%s of %v: from %d to %d", w, at, start, end)
			}
		}
	})
}

// count lets a write of Count happen on r, as a store would; it reports whether its conditions held.
func count(t *rapid.T, r, known *backend.Record, add []schema.Counter) bool {
	conds, effects, err := schema.Count(known, add)
	if err != nil {
		t.Fatal(err)
	}
	key, place := schema.Usage("n", "e", "r", schema.Daily, 0)
	effects = append(effects, backend.Effect{Slot: schema.UsageVer, Op: backend.Add, Num: backend.Int(1)})
	w := backend.Write{Key: key, Layout: schema.UsageLayout, Index: &place, Conds: conds, Effects: effects}
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	applied, err := backend.CheckAndApply(r, &w)
	if err != nil {
		t.Fatal(err)
	}
	return applied
}

// Counters add up by name, however many names there come to be, whether the record is known or guessed.
func TestCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r backend.Record
		r.Reset(schema.UsageLayout)
		want, refused := map[string]int64{}, 0
		for range rapid.IntRange(1, 30).Draw(t, "writes") {
			names := rapid.SliceOfNDistinct(rapid.IntRange(0, 60), 1, 16, rapid.ID[int]).Draw(t, "names")
			slices.Sort(names)
			var add []schema.Counter
			for _, i := range names {
				n := rapid.Int64Range(-5, 1e15).Draw(t, "n")
				add = append(add, schema.Counter{Name: fmt.Sprint("limit.", i), N: backend.Int(n)})
				want[fmt.Sprint("limit.", i)] += n
			}
			var guess backend.Record
			guess.Reset(schema.UsageLayout)
			if rapid.Bool().Draw(t, "guess") && count(t, &r, &guess, add) {
				continue
			}
			refused++
			if known := r; !count(t, &r, &known, add) {
				t.Fatal("a write on the record as it is was refused")
			}
		}
		counters, err := schema.Counters(&r)
		if err != nil || len(counters) != len(want) {
			t.Fatalf("%d counters of %d: %v", len(counters), len(want), err)
		}
		for _, c := range counters {
			if c.N.SaturateInt64() != want[c.Name] {
				t.Fatalf("%s is %v, not %d", c.Name, c.N, want[c.Name])
			}
		}
	})
}

// The first name has the first counter, and what a newer version wrote is refused.
func TestUsageSlots(t *testing.T) {
	var r backend.Record
	r.Reset(schema.UsageLayout)
	r.SetText(schema.UsageNames, "a|b")
	for i, name := range []string{"c0", "c1"} {
		r.SetNum(schema.UsageLayout.MustSlot(name), backend.Int(int64(7+i)))
	}
	r.SetText(schema.UsageRest, "c=-3")
	counters, err := schema.Counters(&r)
	if got := fmt.Sprint(counters); err != nil || got != "[{a 7} {b 8} {c -3}]" {
		t.Errorf("%s, %v", got, err)
	}
	for _, rest := range []string{"c", "c=x", "c=1|", "=|="} {
		r.SetText(schema.UsageRest, rest)
		_, err := schema.Counters(&r)
		_, _, other := schema.Count(&r, nil)
		if !errors.Is(err, schema.ErrFormat) || !errors.Is(other, schema.ErrFormat) {
			t.Errorf("%q: %v, %v", rest, err, other)
		}
	}
}
