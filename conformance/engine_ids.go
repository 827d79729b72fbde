package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine"
)

// longest is an id of an entity that is longest in keys.
var longest = strings.Repeat("|", 256)

// strangeIDs are ids of entities that callers use, and some that look like keys or like escaped ids.
var strangeIDs = []string{
	"::1", "fe80::1%eth0", "auth0|5f7c", "auth0%7C5f7c", "auth0%257C5f7c", "joe+dev@example.com", "+491701234", "sk-abc==", "_internal", "_",
	"-", "--help", " ", "a b", "a  b", ".", "..", "*", "#", "~", "$", "{}", "'", `"`, `\`, "日本語", "é", "e\u0301", "\u202eabc", "abc", "a\u200bbc", "\u2028",
	"|", "||", "%", "%25", "|entities", "e|a", "limits|" + api, user + "|" + api, longest, strings.Repeat("%", 256), strings.Repeat("é", 128),
}

// namesOfEntities: entities with such ids stay apart in every operation on a bucket.
func namesOfEntities(r *engineTest) {
	l, names := r.limiter(), []string{"rpd", "tpd"}
	for i, id := range strangeIDs[:r.of(len(strangeIDs), 12)] {
		q := engine.Request{Entity: id, Resource: api, Limits: limitsNamed(names)}
		r.tour(l, q, names)
		if i%4 == 0 {
			r.must(l.SetLimits(r.Context(), id, api, limitsNamed([]string{"stored"})))
			r.mustAcquire(l, engine.Request{Entity: id, Resource: api, Consume: tokens("stored", 1)})
		}
	}
	limit := engine.PerDay("one", 1)
	for _, id := range strangeIDs {
		r.mustAcquire(l, engine.Request{Entity: id, Resource: "apart", Consume: tokens("one", 1), Limits: []engine.Limit{limit}})
	}
	fresh := r.limiter()
	for _, id := range strangeIDs {
		r.mustDeny(fresh, engine.Request{Entity: id, Resource: "apart", Consume: tokens("one", 1), Limits: []engine.Limit{limit}})
	}
}

// namesOfFamilies: such ids are parents and children, are configured, listed, audited, managed and deleted like any other.
func namesOfFamilies(r *engineTest) {
	l := r.limiter()
	families := [][2]string{{longest, longest[:255] + "%"}, {longest[:255] + "%", longest}, {"auth0|1", "::1"}, {"%7C", "|"}}
	for _, f := range families {
		r.lifeOfFamily(l, f[0], f[1])
	}
	left, err := l.Entities(r.Context(), engine.Page{})
	r.must(err)
	settings, err := l.AllSettings(r.Context())
	r.must(r.orCannotScan(err))
	buckets, err := l.Buckets(r.Context(), engine.BucketQuery{})
	r.must(r.orCannotScan(err))
	if len(left.Items)+len(settings)+len(buckets.Items) > 0 {
		r.Errorf("%v, %v and %v are left", left.Items, settings, buckets.Items)
	}
}

// lifeOfFamily makes every change to a parent and a child.
func (r *engineTest) lifeOfFamily(l *engine.Limiter, parent, child string) {
	r.Helper()
	ctx := r.Context()
	r.mustEntity(l, engine.Entity{ID: parent})
	r.mustEntity(l, engine.Entity{ID: child, Parent: parent, Cascade: true})
	r.must(l.SetLimits(ctx, parent, "", []engine.Limit{stored("a", 100)}))
	r.must(l.SetLimits(ctx, child, api, []engine.Limit{stored("a", 50)}))
	r.mustAcquire(l, engine.Request{Entity: child, Resource: api, Consume: tokens("a", 10)})
	r.wantLeftOf(r.limiter(), child, "of a family", amounts(map[string]int64{"a": 40, parent + " a": 90}))
	r.wantFamily(l, parent, child)
	for _, to := range []string{"", parent} {
		_, err := l.UpdateEntity(ctx, child, engine.EntityUpdate{Parent: &to}, unborn)
		r.must(err)
	}
	r.must(l.ResetBucket(ctx, parent, api))
	r.wantError("a parent", l.DeleteEntity(ctx, parent, nil), engine.ErrHasChildren)
	r.must(l.DeleteEntity(ctx, parent, &engine.DeleteOptions{Force: true}))
	e, err := l.Entity(ctx, child)
	r.must(err)
	if e.ID != child || e.Parent != "" {
		r.Errorf("of a parent that was deleted: %+v", e)
	}
	r.must(l.DeleteEntity(ctx, child, nil))

	id := engine.SettingID{Kind: engine.SettingLimits, Entity: child, Resource: strings.Repeat("r", 128)}
	limits := engine.Setting{ID: id, Exists: true, Limits: []engine.Limit{stored("a", 5)}}
	record := func(id, parent string) engine.Setting {
		s := engine.Setting{ID: engine.SettingID{Kind: engine.SettingEntity, Entity: id}, Exists: true}
		s.Record.Parent = parent
		return s
	}
	wanted := []engine.Setting{limits, record(child, parent), record(parent, "")}
	r.apply(l, wanted...)
	managed, err := r.limiter().ManagedSettings(ctx, "m")
	r.must(err)
	if len(managed) != 3 || !slices.ContainsFunc(managed, func(s engine.Setting) bool { return s.SameContent(&limits) && s.ID == id }) {
		r.Errorf("of the family of %.9q a manifest manages %v", parent, managed)
	}
	for i := range wanted {
		wanted[i] = engine.Setting{ID: wanted[i].ID}
	}
	r.apply(l, wanted...)
}

// wantFamily wants both in all lists.
func (r *engineTest) wantFamily(l *engine.Limiter, parent, child string) {
	r.Helper()
	ctx, both := r.Context(), []string{parent, child}
	slices.Sort(both)
	r.until("the index lists the family", func() bool {
		all, err := l.Entities(ctx, engine.Page{})
		r.must(err)
		var ids, used []string
		for _, e := range all.Items {
			ids = append(ids, e.ID)
		}
		slices.Sort(ids)
		limited, err := l.EntitiesWithLimits(ctx, api, engine.Page{})
		r.must(err)
		defaults, err := l.EntitiesWithLimits(ctx, "", engine.Page{})
		r.must(err)
		for _, id := range both {
			buckets, err := l.Buckets(ctx, engine.BucketQuery{Entity: id})
			r.must(err)
			for _, b := range buckets.Items {
				used = append(used, b.Entity)
			}
		}
		return slices.Equal(ids, both) && slices.Equal(used, both) && slices.Equal(limited.Items, []string{child}) && slices.Equal(defaults.Items, []string{parent})
	})
	children, err := l.Children(ctx, parent, engine.Page{})
	r.must(err)
	x, err := l.Explain(ctx, child, api)
	r.must(err)
	events, err := l.AuditEvents(ctx, engine.AuditQuery{Entity: child})
	r.must(err)
	all, err := l.AuditEvents(ctx, engine.AuditQuery{})
	r.must(err)
	got := fmt.Sprint(len(children.Items) == 1 && children.Items[0].ID == child, len(x.Path) == 2 && x.Path[1].Entity == parent,
		len(events.Items) >= 2 && events.Items[0].Entity == child, slices.ContainsFunc(all.Items, func(e engine.AuditEvent) bool { return e.Entity == parent }))
	if got != "true true true true" {
		r.Errorf("children, path, events, all events of %.9q and %.9q: %s", parent, child, got)
	}
}
