package conformance

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// configuration proves that what is stored is found again, by reading it, in lists and in audit events.
var configuration = stories{
	{"PolicyAlone", configurationPolicyAlone},
	{"ResourcesWithEntityLimits", configurationResources},
	{"ResourcesAtOnce", configurationResourcesAtOnce},
	{"AuditQueries", configurationAuditQueries},
	{"Followed", configurationFollowed},
}

// configurationPolicyAlone stores a policy without limits, and then one beside limits, which stay.
func configurationPolicyAlone(r *engineTest) {
	l, ctx := r.limiter(), r.Context()
	limits := []engine.Limit{stored("a", 10)}
	r.wantInvalid("neither limits nor a policy", l.SetSystemDefaults(ctx, nil, &engine.SystemOptions{}))
	r.wantInvalid("nil", l.SetSystemDefaults(ctx, nil, nil))
	want := func(what string, limits []engine.Limit, policy engine.Policy) {
		r.Helper()
		c, err := r.limiter().SystemDefaults(ctx)
		if err != nil || c.OnUnavailable != policy || !slices.Equal(c.Limits, limits) {
			r.Errorf("%s: %+v, %v", what, c, err)
		}
	}
	allow, block := &engine.SystemOptions{OnUnavailable: engine.PolicyAllow}, &engine.SystemOptions{OnUnavailable: engine.PolicyBlock}
	r.must(l.SetSystemDefaults(ctx, nil, allow))
	want("a policy alone", nil, engine.PolicyAllow)
	_, err := l.Acquire(ctx, ask(tokens("a", 1)))
	r.wantError("Acquire without limits", err, engine.ErrNoLimits)
	r.mustAcquire(l, ask(tokens("a", 1), limits...))
	r.must(l.SetSystemDefaults(ctx, limits, nil))
	want("limits beside it", limits, engine.PolicyAllow)
	r.must(l.SetSystemDefaults(ctx, []engine.Limit{}, block))
	want("a policy beside limits", limits, engine.PolicyBlock)
	r.must(l.SetSystemDefaults(ctx, nil, &engine.SystemOptions{OnUnavailable: engine.PolicyLocal}))
	want("the policy local, which has no share in the store", limits, engine.PolicyLocal)
	r.mustAcquire(l, ask(tokens("a", 1)))
	r.must(l.DeleteSystemDefaults(ctx))
	want("deleted", nil, engine.PolicyDefault)
}

// wantResources compares the resources for which entities have limits, page by page, with what is expected.
func (r *engineTest) wantResources(what string, want ...string) {
	r.Helper()
	l := r.limiter()
	for _, size := range []int{1, 2, 100} {
		got := []string{}
		for p := (engine.Page{Size: size}); ; {
			list, err := l.ResourcesWithEntityLimits(r.Context(), p)
			r.must(err)
			if list.Next != "" && len(list.Items) != size {
				r.Errorf("%s: a page of %d, not %d, and it is not the last", what, len(list.Items), size)
			}
			got = append(got, list.Items...)
			if p.After = list.Next; p.After == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			r.Errorf("%s: resources with limits of entities, %d a page: %v, not %v", what, size, got, want)
		}
	}
}

// configurationResources lists a resource as long as an entity has limits for it, however they are set and deleted. Names that
// are prefixes of each other come in the store's order.
func configurationResources(r *engineTest) {
	l, ctx := r.limiter(), r.Context()
	limits := []engine.Limit{stored("a", 10)}
	r.wantResources("nothing is stored")
	r.must(l.SetSystemDefaults(ctx, limits, nil))
	r.must(l.SetResourceDefaults(ctx, "of-all", limits))
	r.must(l.SetLimits(ctx, user, "", limits))
	r.wantResources("no entity has limits for a resource")
	for _, resource := range []string{"gpt", "gpt-4", "gpt-4o", "gpt:4", "z"} {
		for _, entity := range []string{"e1", "e2", "e3"} {
			r.must(l.SetLimits(ctx, entity, resource, limits))
		}
	}
	r.must(l.SetLimits(ctx, "e1", "gpt-4", []engine.Limit{stored("a", 20)}))
	r.wantResources("set", "gpt-4o", "gpt-4", "gpt:4", "gpt", "z")
	for _, entity := range []string{"e1", "e2"} {
		r.must(l.DeleteLimits(ctx, entity, "gpt-4"))
		r.must(l.DeleteEntity(ctx, entity, nil))
	}
	r.wantResources("one entity has them still", "gpt-4o", "gpt-4", "gpt:4", "gpt", "z")
	r.must(l.DeleteLimits(ctx, "e3", "gpt-4"))
	r.wantResources("the last of a resource", "gpt-4o", "gpt:4", "gpt", "z")
	r.must(l.DeleteEntity(ctx, "e3", nil))
	r.wantResources("the last entity")
	for i := range 20 { // more than one commit removes
		r.must(l.SetLimits(ctx, "e1", fmt.Sprintf("r%02d", i), limits))
	}
	r.must(l.DeleteEntity(ctx, "e1", nil))
	r.wantResources("an entity with many limits")
	r.byManifest(l, limits)
}

// byManifest sets, takes over and removes limits of entities by a manifest.
func (r *engineTest) byManifest(l *engine.Limiter, limits []engine.Limit) {
	apply := func(exists func(entity, resource string) bool) {
		var wanted []engine.Setting
		for _, entity := range []string{"e1", "e2"} {
			for _, resource := range []string{"", "m1", "m2"} {
				s := engine.Setting{ID: engine.SettingID{Kind: engine.SettingLimits, Entity: entity, Resource: resource}}
				if s.Exists = exists(entity, resource); s.Exists {
					s.Limits = limits
				}
				wanted = append(wanted, s)
			}
		}
		r.apply(l, wanted...)
	}
	r.must(l.SetLimits(r.Context(), "e1", "m1", limits))
	apply(func(_, _ string) bool { return true })
	r.wantResources("set by a manifest", "m1", "m2")
	apply(func(entity, resource string) bool { return resource != "m2" || entity == "e2" })
	r.wantResources("removed by a manifest for one of two", "m1", "m2")
	apply(func(_, resource string) bool { return resource == "" })
	r.wantResources("removed by a manifest")
}

// configurationResourcesAtOnce sets and deletes limits of many entities for one resource at the same time. It stays in the list
// as long as one of them has limits.
func configurationResourcesAtOnce(r *engineTest) {
	limits := []engine.Limit{stored("a", 10)}
	check := func(err error) {
		if err != nil {
			r.Errorf("%v", err)
		}
	}
	var all sync.WaitGroup
	for i := range 8 {
		l := r.limiter()
		all.Go(func() {
			entity := fmt.Sprintf("e%d", i)
			for range r.of(10, 2) {
				check(l.SetLimits(r.Context(), entity, "r", limits))
				check(l.DeleteLimits(r.Context(), entity, "r"))
			}
			if i == 5 {
				check(l.SetLimits(r.Context(), entity, "r", limits))
			}
		})
	}
	all.Wait()
	r.wantResources("one has them", "r")
	r.must(r.limiter().DeleteLimits(r.Context(), "e5", "r"))
	r.wantResources("nobody has them")
}

// configurationAuditQueries finds events by entity, by resource, by both, and those of neither.
func configurationAuditQueries(r *engineTest) {
	l, ctx := r.limiter(), r.Context()
	limits := []engine.Limit{stored("a", 10)}
	for _, change := range []func() error{
		func() error { return l.SetSystemDefaults(ctx, limits, nil) },
		func() error { return l.SetResourceDefaults(ctx, "r1", limits) },
		func() error { return l.SetLimits(ctx, "e1", "r1", limits) },
		func() error { return l.SetLimits(ctx, "e1", "", limits) },
		func() error { return l.CreateEntity(ctx, engine.Entity{ID: "e1"}, nil) },
		func() error { return l.SetLimits(ctx, "e2", "r1", limits) },
		func() error { return l.SetLimits(ctx, "e2", "r2", limits) },
		func() error { return l.DeleteSystemDefaults(ctx) },
	} {
		r.clock.advance(time.Second)
		r.must(change())
	}
	for _, c := range []struct {
		what  string
		query engine.AuditQuery
		want  string
	}{
		{"all", engine.AuditQuery{}, "limits_deleted /, limits_set e2/r2, limits_set e2/r1, entity_created e1/, limits_set e1/, limits_set e1/r1, limits_set /r1, limits_set /"},
		{"of an entity", engine.AuditQuery{Entity: "e1"}, "entity_created e1/, limits_set e1/, limits_set e1/r1"},
		{"of a resource", engine.AuditQuery{Resource: "r1"}, "limits_set e2/r1, limits_set e1/r1, limits_set /r1"},
		{"of both", engine.AuditQuery{Entity: "e1", Resource: "r1"}, "limits_set e1/r1"},
		{"of the system", engine.AuditQuery{System: true}, "limits_deleted /, limits_set /"},
		{"of a resource without any", engine.AuditQuery{Resource: "r9"}, ""},
	} {
		for _, size := range []int{1, 2, 100} {
			var got []string
			r.until("the index shows all events of "+c.what, func() bool {
				got = got[:0]
				for p := (engine.Page{Size: size}); ; {
					c.query.Page = p
					page, err := l.AuditEvents(ctx, c.query)
					r.must(err)
					for _, e := range page.Items {
						got = append(got, e.Action+" "+e.Entity+"/"+e.Resource)
					}
					if p.After = page.Next; p.After == "" {
						break
					}
				}
				return len(got) >= strings.Count(c.want, "/")
			})
			if strings.Join(got, ", ") != c.want {
				r.Errorf("%s, %d a page: %s, not %s", c.what, size, strings.Join(got, ", "), c.want)
			}
		}
	}
	for what, q := range map[string]engine.AuditQuery{
		"the system and an entity": {System: true, Entity: "e1"}, "the system and a resource": {System: true, Resource: "r1"},
		"a bad resource": {Resource: "a b"},
	} {
		_, err := l.AuditEvents(ctx, q)
		r.wantInvalid(what, err)
	}
}

// configurationFollowed: a limiter sees another's changes by looking for them, and at once if it is told to.
func configurationFollowed(r *engineTest) {
	l, other := r.limiter(), r.limiter()
	capacity := func() int64 {
		all, err := l.Available(r.Context(), user, api)
		r.must(err)
		return all[0].Limit.Capacity
	}
	set := func(n int64) {
		r.must(other.SetResourceDefaults(r.Context(), api, []engine.Limit{stored("a", n)}))
	}
	set(10)
	if got := capacity(); got != 10 {
		r.Errorf("first use: %d", got)
	}
	set(11)
	r.must(l.Refresh(r.Context()))
	if got := capacity(); got != 11 {
		r.Errorf("after Refresh: %d", got)
	}
	for n := range int64(r.of(5, 2)) {
		set(20 + n)
		seen, tries := false, 0
		for ; !seen && tries < 30_000; tries++ { // looks are in the background, and the index may be late
			if tries%1000 == 0 {
				r.clock.advance(time.Second) // half a minute at most: after a minute, the limit is read again anyway
			}
			seen = capacity() == 20+n
		}
		if !seen {
			r.Errorf("change %d: not seen by looks", n)
		}
	}
	if told := r.events.of(engine.EventConfigChanged); len(told) == 0 || told[0].Resource != api {
		r.Errorf("told of %+v", told)
	}
}
