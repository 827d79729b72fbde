package schema_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// before is the rule of old for ids of entities: their keys are on disk.
var before = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.\-:@/]{0,255}\z`)

// anyEntity draws legal ids: those of old, and some that look like parts of keys or like what is escaped.
var anyEntity = rapid.OneOf(
	rapid.StringMatching(`[a-zA-Z0-9][a-zA-Z0-9_.\-:@/]{0,255}`),
	rapid.StringOfN(rapid.RuneFrom([]rune("|%257C}{aer é\u202e日")), 1, 85, 256),
	rapid.SampledFrom([]string{
		"e", "e/r", "limits", "child", "bucket", "|", "%", "%7C", "%25", "%257C", "%7c", "||", "a|b", "e|e", "limits|r", "|entities",
		strings.Repeat("|", 256), strings.Repeat("%", 256), strings.Repeat("%7C", 85), strings.Repeat("é", 128),
	}),
)

func legalEntity(id string) bool {
	return id != "" && len(id) <= 256 && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}

// standing is where the records of an entity stand, by what they are: keys, and places in the index as keys.
func standing(entity, other, resource string) map[string]backend.Key {
	const ns = "n"
	all := map[string]backend.Key{"deletion": schema.Deletion(ns, entity), "child": schema.Child(ns, other, entity), "parent": schema.Child(ns, entity, other)}
	add := func(what string, key backend.Key, place backend.Place) {
		all[what], all["place of "+what] = key, backend.Key{Namespace: ns, Partition: place.Partition, Sort: place.Sort}
	}
	key, place := schema.Bucket(ns, entity, resource)
	add("bucket", key, place)
	key, place = schema.Entity(ns, entity)
	add("entity", key, place)
	all["managed entity"], _ = schema.Managed(ns, "m", key)
	key, place = schema.EntityLimits(ns, entity, resource)
	add("limits", key, place)
	all["managed limits"], _ = schema.Managed(ns, "m", key)
	key, place = schema.Audit(ns, entity, "01ARZ3NDEKTSV4RRFFQ69G5FAV")
	add("event", key, backend.Place{Partition: place.Partition, Sort: place.Sort + key.Partition})
	key, place = schema.Usage(ns, entity, resource, schema.Daily, 1_764_115_200)
	add("usage", key, backend.Place{Partition: schema.UsageIndex(schema.Daily, resource)[0], Sort: place.Sort})
	return all
}

// asBefore is standing as it was when ids stood in keys as they are, for short ids.
func asBefore(entity, other, resource string) map[string]backend.Key {
	k := func(partition, sort string) backend.Key {
		return backend.Key{Namespace: "n", Partition: partition, Sort: sort}
	}
	return map[string]backend.Key{
		"deletion": k("d|"+entity, "deletion"), "child": k("e|"+other, "child|"+entity), "parent": k("e|"+entity, "child|"+other),
		"bucket": k("b|e|"+entity+"|"+resource, "bucket"), "place of bucket": k("e|"+entity, resource),
		"entity": k("e|"+entity, "entity"), "place of entity": k("|entities", entity),
		"limits": k("e|"+entity, "limits|"+resource), "place of limits": k("l|"+resource, entity),
		"event": k("a|"+entity, "01ARZ3NDEKTSV4RRFFQ69G5FAV"), "place of event": k("|audit", "01ARZ3NDEKTSV4RRFFQ69G5FAVa|"+entity),
		"usage": k("u|"+entity, "d|1764115200|"+resource), "place of usage": k("u|d|"+resource+"|0", "1764115200|"+entity),
		"managed entity": k("m|m", "e|"+entity), "managed limits": k("m|m", "l|"+entity+"|"+resource),
	}
}

// checkEntities holds what keys of two entities must keep: they are legal, differ, and are read back; and ids of old
// have the keys of old.
func checkEntities(t interface{ Fatalf(string, ...any) }, a, b, resource string) {
	mine, others := standing(a, b, resource), standing(b, a, resource)
	for what, k := range mine {
		if err := k.Validate(); err != nil {
			t.Fatalf("%s of %q: %v", what, a, err)
		}
		if a != b && k == others[what] {
			t.Fatalf("%s of %q and %q stand at %v", what, a, b, k)
		}
	}
	if before.MatchString(a) && before.MatchString(b) {
		for what, k := range asBefore(a, b, resource) {
			if strings.HasPrefix(what, "managed") && len(k.Sort) > 320 {
				k.Sort = mine[what].Sort // a digest
			}
			if mine[what] != k {
				t.Fatalf("%s of %q stood at %v and stands at %v", what, a, k, mine[what])
			}
		}
	}
	of, r, ok := schema.BucketOf(mine["bucket"])
	usage, _, _, _, _ := schema.UsageOf(mine["usage"])
	configured, _ := schema.ConfiguredBy(mine["limits"])
	itself, _ := schema.ConfiguredBy(mine["entity"])
	for what, got := range map[string]string{
		"bucket": of, "usage": usage, "limits": configured, "entity": itself, "child": schema.ChildOf(mine["child"]), "event": schema.AuditedOf(mine["event"]),
		"place of entity": schema.EntityOf(mine["place of entity"].Sort), "place of limits": schema.EntityOf(mine["place of limits"].Sort),
	} {
		if got != a || !ok || r != resource {
			t.Fatalf("%s of %q is read as one of %q", what, a, got)
		}
	}
	if place := schema.PlaceOf(mine["bucket"]); place.Partition != schema.EntityPartition(a) || place.Sort != resource {
		t.Fatalf("the bucket of %q and %q is listed at %v", a, resource, place)
	}
	for _, what := range []string{"entity", "limits"} {
		entry, id := schema.Managed("n", "m", mine[what])
		if record, ok := schema.ManagedRecord("n", id); !ok || record != mine[what] {
			t.Fatalf("%v is listed as %v, %q, which is %v", mine[what], entry, id, record)
		}
	}
}

func TestEntitiesAtRandom(t *testing.T) {
	resource := rapid.StringMatching(`[a-zA-Z0-9][a-zA-Z0-9_.\-:/]{0,127}`)
	rapid.Check(t, func(t *rapid.T) {
		checkEntities(t, anyEntity.Draw(t, "a"), anyEntity.Draw(t, "b"), resource.Draw(t, "resource"))
	})
}

func FuzzEntities(f *testing.F) {
	for _, pair := range [][2]string{
		{"|", "%7C"},
		{"%", "%25"},
		{"%7C", "%257C"},
		{"a|b", "a"},
		{"::1", "fe80::1%eth0"},
		{"auth0|5f7c", "auth0%7C5f7c"},
		{"user-1", "user-2"},
		{strings.Repeat("|", 256), strings.Repeat("%", 256)},
		{"\u202e", "é"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if legalEntity(a) && legalEntity(b) {
			checkEntities(t, a, b, "gpt-4")
		}
	})
}

// What is on disk for an id of old is written out.
func TestKeysOfOld(t *testing.T) {
	for id, want := range map[string]string{
		"user-1": "b|e|user-1|r", "a/b:c@d.e_f-g": "b|e|a/b:c@d.e_f-g|r", "auth0|5f7c": "b|e|auth0%7C5f7c|r", "fe80::1%eth0": "b|e|fe80::1%25eth0|r",
		"%7C": "b|e|%257C|r", "日本": "b|e|日本|r",
	} {
		if k, _ := schema.Bucket("n", id, "r"); k.Partition != want {
			t.Errorf("the bucket of %q stands at %q, not %q", id, k.Partition, want)
		}
	}
}
