package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine"
)

// legalNames proves that every legal name works in every operation.
var legalNames = stories{
	{"Limits", namesOfLimits},
	{"StoredLimits", namesStored},
	{"Ids", namesOfIDs},
	{"Apart", namesApart},
	{"Entities", namesOfEntities},
	{"Families", namesOfFamilies},
}

// hardNames are words that stores and schemas reserve, the longest name, and names with signs.
var hardNames = []string{
	"window", "ttl", "resource", "entity", "PK", "SK", "GSI1PK", "size", "name", "status", "L", "v", "b", "t0", "u15",
	"a.b", "a-b", "a_b", "a.b-c_d", "A", "a", "Z.", "total_events", strings.Repeat("n", 64), "limit.v1", "x.t0",
}

// groups returns the names in groups of 16, which is the most that one bucket holds.
func groups() [][]string { return slices.Collect(slices.Chunk(hardNames, 16)) }

// tour makes every operation on a bucket with these limits of 100 a day.
func (r *engineTest) tour(l *engine.Limiter, q engine.Request, names []string) {
	q.Consume = engine.Tokens{}
	for i, name := range names {
		q.Consume[name] = int64(i + 1)
	}
	want := func(what string, used func(i int64) int64) {
		r.Helper()
		all, err := l.Available(r.Context(), q.Entity, q.Resource, q.Limits...)
		r.must(err)
		if len(all) != len(names) {
			r.Fatalf("%s: %d limits, not %d", what, len(all), len(names))
		}
		for _, s := range all {
			i := int64(slices.Index(names, s.Limit.Name) + 1)
			if i == 0 || s.Remaining != 100-used(i) {
				r.Errorf("%s, of %q: %d available, not %d", what, s.Limit.Name, s.Remaining, 100-used(i))
			}
		}
	}
	lease := r.mustAcquire(l, q)
	want("Acquire", func(i int64) int64 { return i })
	r.must(lease.Adjust(q.Consume))
	r.must(lease.Flush(r.Context()))
	want("Adjust and Flush", func(i int64) int64 { return 2 * i })
	r.must(lease.Consume(r.Context(), q.Consume))
	want("Consume", func(i int64) int64 { return 3 * i })
	r.must(lease.Release(r.Context(), q.Consume))
	want("Release", func(i int64) int64 { return 2 * i })
	if got, want := amounts(lease.Consumed()), 2; got == "" || lease.Consumed()[names[len(names)-1]] != int64(want*len(names)) {
		r.Errorf("Consumed is %s", got)
	}
	r.must(lease.Rollback(r.Context()))
	want("Rollback", func(int64) int64 { return 0 })
	for name := range q.Consume {
		q.Consume[name] = 100
	}
	r.must(r.mustAcquire(l, q).Commit(r.Context()))
	e := r.mustDeny(l, q)
	if len(e.Violations()) != len(names) {
		r.Errorf("a denial lists %d violations, of %d: %v", len(e.Violations()), len(names), e)
	}
	if text, err := e.MarshalJSON(); err != nil || !strings.Contains(string(text), `"limit_name":"`+names[0]+`"`) {
		r.Errorf("the denial as JSON: %s, %v", text, err)
	}
	r.must(l.ResetBucket(r.Context(), q.Entity, q.Resource))
	want("ResetBucket", func(int64) int64 { return 0 })
	if d, err := l.TimeUntilAvailable(r.Context(), q); d != 0 || err != nil {
		r.Errorf("TimeUntilAvailable: %v, %v", d, err)
	}
	r.mustAcquire(l, q)
}

func limitsNamed(names []string) []engine.Limit {
	var limits []engine.Limit
	for _, name := range names {
		limits = append(limits, engine.PerDay(name, 100))
	}
	return limits
}

func namesOfLimits(r *engineTest) {
	l := r.limiter()
	for i, names := range groups() {
		q := ask(nil, limitsNamed(names)...)
		q.Resource = hardNames[i]
		r.tour(l, q, names)
	}
}

func namesStored(r *engineTest) {
	l := r.limiter()
	for i, names := range groups() {
		limits := limitsNamed(names)
		if i == 0 {
			r.must(l.SetSystemDefaults(r.Context(), limits, nil))
		} else {
			r.must(l.SetResourceDefaults(r.Context(), api, limits))
		}
		r.must(l.ResetBucket(r.Context(), user, api))
		r.tour(l, ask(nil), names)
		r.tour(r.limiter(), engine.Request{Entity: fmt.Sprint("someone-", i), Resource: api, Limits: limits}, names)
	}
}

// hardIDs are legal ids of both entities and resources.
var hardIDs = []string{
	"a", "A", "0", "a/b", "a//b", "a:b", "a::b", "a/", "a:", "a.", "a-", "a_", "system", "entity", "bucket", "limits", "default", "e",
	"user/1:x.y-z_w", strings.Repeat("r", 128),
}

func namesOfIDs(r *engineTest) {
	l := r.limiter()
	entities := append([]string{"me@example.com", "a@", strings.Repeat("e", 256), strings.Repeat("e/", 128)}, hardIDs...)
	for i, entity := range entities {
		q := engine.Request{Entity: entity, Resource: hardIDs[i%len(hardIDs)], Limits: limitsNamed([]string{"rpd", "tpd"})}
		r.tour(l, q, []string{"rpd", "tpd"})
		if i%4 == 0 {
			r.must(l.SetLimits(r.Context(), entity, q.Resource, limitsNamed([]string{"stored"})))
			r.mustAcquire(l, engine.Request{Entity: entity, Resource: q.Resource, Consume: tokens("stored", 1)})
		}
	}
}

// namesApart: ids that look alike, and pairs that would be equal if they were joined, have different buckets.
func namesApart(r *engineTest) {
	l, limit := r.limiter(), engine.PerDay("rpd", 1)
	type pair struct{ entity, resource string }
	var pairs []pair
	for _, sep := range []string{"/", ":", "-", "_", ".", "//", "::", "/:"} {
		pairs = append(pairs, pair{"a", "b" + sep + "c"}, pair{"a" + sep + "b", "c"}, pair{"a" + sep + "b" + sep + "c", "c"}, pair{"a" + sep, "b"}, pair{"a", "b" + sep})
	}
	pairs = append(pairs, pair{"a", "b"}, pair{"A", "b"}, pair{"a", "B"}, pair{"b", "a"}, pair{"a", "a"}, pair{"ab", "c"}, pair{"a", "bc"})
	for _, p := range pairs {
		r.mustAcquire(l, engine.Request{Entity: p.entity, Resource: p.resource, Consume: tokens("rpd", 1), Limits: []engine.Limit{limit}})
	}
	for _, p := range pairs {
		r.mustDeny(r.limiter(), engine.Request{Entity: p.entity, Resource: p.resource, Consume: tokens("rpd", 1), Limits: []engine.Limit{limit}})
	}
}
