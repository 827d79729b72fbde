package schema_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Keys and places as doc.go lists them: they are on disk, and must not change.
func TestKeys(t *testing.T) {
	k := func(ns, partition, sort string) backend.Key {
		return backend.Key{Namespace: ns, Partition: partition, Sort: sort}
	}
	p := func(partition, sort string) *backend.Place { return &backend.Place{Partition: partition, Sort: sort} }
	placed := func(key backend.Key, place backend.Place) (backend.Key, *backend.Place) { return key, &place }
	check := func(what string, key backend.Key, place *backend.Place, wantKey backend.Key, wantPlace *backend.Place, layout *backend.Layout) {
		t.Helper()
		if key != wantKey || (place == nil) != (wantPlace == nil) || place != nil && *place != *wantPlace {
			t.Errorf("%s stands at %v, %v", what, key, place)
		}
		if schema.LayoutOf(key) != layout {
			t.Errorf("%s has another layout", what)
		}
	}
	key, place := placed(schema.Bucket("n", "e", "r"))
	check("a bucket", key, place, k("n", "b|e|e|r", "bucket"), p("e|e", "r"), schema.BucketLayout)
	key, place = placed(schema.Entity("n", "e"))
	check("an entity", key, place, k("n", "e|e", "entity"), p("|entities", "e"), schema.EntityLayout)
	key, place = placed(schema.EntityLimits("n", "e", "r"))
	check("an entity's limits", key, place, k("n", "e|e", "limits|r"), p("l|r", "e"), schema.ConfigLayout)
	key, place = placed(schema.EntityLimits("n", "e", ""))
	check("an entity's default", key, place, k("n", "e|e", "limits|"), p("l|", "e"), schema.ConfigLayout)
	key, place = placed(schema.Resource("n", "r"))
	check("a resource", key, place, k("n", "r|r", "limits"), p("|resources", "r"), schema.ConfigLayout)
	key, place = placed(schema.Audit("n", "e", "01ARZ"))
	check("an event", key, place, k("n", "a|e", "01ARZ"), p("|audit", "01ARZ"), schema.AuditLayout)
	key, place = placed(schema.Audit("n", "", "01ARZ"))
	check("an event of none", key, place, k("n", "a|", "01ARZ"), p("|audit", "01ARZ"), schema.AuditLayout)
	check("a child", schema.Child("n", "p", "e"), nil, k("n", "e|p", "child|e"), nil, schema.MarkLayout)
	check("the system", schema.System("n"), nil, k("n", "s|", "limits"), nil, schema.ConfigLayout)
	check("a deletion", schema.Deletion("n", "e"), nil, k("n", "d|e", "deletion"), nil, schema.MarkLayout)
	check("a mark of limits", schema.Limited("n", "e", "r"), nil, k("n", "w|", "r|3f79bb7b435b05321651daefd374cdc6"), nil, schema.MarkLayout)
	check("a namespace", schema.Namespace("n"), nil, k("_", "n|", "n"), nil, schema.NamespaceLayout)
	check("the version", schema.Version(), nil, k("_", "schema|", "schema"), nil, schema.VersionLayout)
	for record, id := range map[backend.Key]string{
		k("n", "s|", "limits"): "s|", k("n", "r|r", "limits"): "r|r", k("n", "e|e", "entity"): "e|e",
		k("n", "e|e", "limits|"): "l|e|", k("n", "e|e", "limits|r"): "l|e|r",
	} {
		entry, got := schema.Managed("n", "m", record)
		check("a managed record", entry, nil, k("n", "m|m", id), nil, schema.ManagedLayout)
		if got != id {
			t.Errorf("the id of %v is %q", record, got)
		}
	}
	for _, foreign := range []string{"", "s", "x|e", "r|", "h|00"} {
		if k, ok := schema.ManagedRecord("n", foreign); ok && foreign != "s" {
			t.Errorf("%q is the id of %v", foreign, k)
		}
	}
	for _, unknown := range []backend.Key{k("n", "x|e", "entity"), k("n", "e|e", "other"), k("n", "", ""), k("n", "|entities", "e")} {
		if schema.LayoutOf(unknown) != nil {
			t.Errorf("%v has a layout", unknown)
		}
	}
}

// Whatever is legal as an id gives a legal key, from which it can be read, and no two ids give the same.
func TestKeysAtRandom(t *testing.T) {
	entity := anyEntity
	resource := rapid.OneOf(rapid.StringMatching(`[a-zA-Z0-9][a-zA-Z0-9_.\-:/]{0,127}`), rapid.SampledFrom([]string{"r", "e", "limits"}))
	rapid.Check(t, func(t *rapid.T) {
		ns, e, o, r := "n", entity.Draw(t, "entity"), entity.Draw(t, "other"), resource.Draw(t, "resource")
		bucket, bucketPlace := schema.Bucket(ns, e, r)
		record, recordPlace := schema.Entity(ns, e)
		limits, limitsPlace := schema.EntityLimits(ns, e, r)
		deflt, defaultPlace := schema.EntityLimits(ns, e, "")
		defaults, defaultsPlace := schema.Resource(ns, r)
		event, eventPlace := schema.Audit(ns, e, strings.Repeat("0", 26))
		child := schema.Child(ns, e, o)
		seen := map[backend.Key]bool{}
		for _, k := range []backend.Key{bucket, record, limits, deflt, defaults, event, child, schema.System(ns), schema.Deletion(ns, e), schema.Version()} {
			if err := k.Validate(); err != nil || seen[k] {
				t.Fatalf("%v: %v, twice: %v", k, err, seen[k])
			}
			seen[k] = true
		}
		for _, p := range []backend.Place{bucketPlace, recordPlace, limitsPlace, defaultPlace, defaultsPlace, eventPlace} {
			if err := p.Validate(); err != nil {
				t.Fatalf("%v: %v", p, err)
			}
		}
		if gotE, gotR, ok := schema.BucketOf(bucket); !ok || gotE != e || gotR != r {
			t.Fatalf("bucket of %q and %q", gotE, gotR)
		}
		if _, _, ok := schema.BucketOf(record); ok {
			t.Fatal("an entity is read as a bucket")
		}
		if schema.ChildOf(child) != o || schema.ResourceOf(limits) != r || schema.ResourceOf(deflt) != "" {
			t.Fatalf("%v, %v, %v", child, limits, deflt)
		}
		for _, k := range []backend.Key{record, limits, deflt, defaults, schema.System(ns)} {
			entry, id := schema.Managed(ns, "m", k)
			back, ok := schema.ManagedRecord(ns, id)
			if sort, whole := schema.ManagedID(entry.Sort); whole && sort != id || entry.Validate() != nil || !ok || back != k || seen[entry] {
				t.Fatalf("%v is listed as %v, %q, which is %v", k, entry, id, back)
			}
			seen[entry] = true
		}
		for k, want := range map[backend.Key][2]string{record: {e}, limits: {e, r}, deflt: {e}, defaults: {"", r}, schema.System(ns): {}, child: {e}, bucket: {}} {
			if gotE, gotR := schema.ConfiguredBy(k); want != [2]string{gotE, gotR} {
				t.Fatalf("%v is of %q and %q", k, gotE, gotR)
			}
		}
		mark, other := schema.Limited(ns, e, r), schema.Limited(ns, o, r)
		resource, next := schema.LimitedResource(mark.Sort)
		if mark.Validate() != nil || (mark == other) != (e == o) || resource != r || mark.Sort >= next || other.Sort >= next || schema.Limited(ns, e, r+"0").Sort > mark.Sort {
			t.Fatalf("%v marks %q, behind which is %q", mark, resource, next)
		}
		if bucketPlace.Partition != schema.EntityPartition(e) || limitsPlace.Partition != schema.LimitsIndex(r) || event.Partition != schema.AuditPartition(e) {
			t.Fatal("a partition's name is another than that of its place")
		}
		inside := func(k backend.Key, from, to string) bool { return from <= k.Sort && k.Sort < to }
		for _, k := range []backend.Key{record, limits, deflt, child} {
			from, to := schema.ChildRange()
			isChild := inside(k, from, to)
			from, to = schema.LimitsRange()
			if isChild != (k == child) || inside(k, from, to) != (k == limits || k == deflt) {
				t.Fatalf("%v stands in the wrong range", k)
			}
		}
	})
}

// TestStanding: the place of a key is the one that the key's maker gives, and nothing else has one.
func TestStanding(t *testing.T) {
	type made struct {
		key   backend.Key
		place backend.Place
	}
	of := func(k backend.Key, p backend.Place) made { return made{k, p} }
	for _, m := range []made{
		of(schema.Bucket("n", "e", "r")), of(schema.Entity("n", "e")), of(schema.EntityLimits("n", "e", "r")), of(schema.EntityLimits("n", "e", "")), of(schema.Resource("n", "r")),
		of(schema.Audit("n", "e", "01")), of(schema.Audit("n", "", "01")), of(schema.Usage("n", "e", "r", schema.Hourly, 3600)),
	} {
		if place, ok := schema.Standing(m.key); !ok || place != m.place {
			t.Errorf("%v stands at %+v, %v; not at %+v", m.key, place, ok, m.place)
		}
	}
	for _, k := range []backend.Key{
		schema.System("n"), schema.Child("n", "p", "c"), schema.Deletion("n", "e"), schema.Namespace("n"), schema.Version(),
		{Namespace: "n", Partition: "b|e|e|r", Sort: "x"},
		{Namespace: "n", Partition: "b|x", Sort: "bucket"},
		{Namespace: "n", Partition: "e|e", Sort: "x"},
		{Namespace: "n", Partition: "r|r", Sort: "x"},
		{Namespace: "n", Partition: "u|e", Sort: "h|1|r"},
		{Namespace: "n", Partition: "u|e", Sort: "h|00000000001|r"},
	} {
		if place, ok := schema.Standing(k); ok {
			t.Errorf("%v stands at %+v", k, place)
		}
	}
}
