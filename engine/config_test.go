package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// level is one level of configuration, with the calls for it.
type level struct {
	name   string
	set    func(*engine.Limiter, context.Context, []engine.Limit) error
	get    func(*engine.Limiter, context.Context) ([]engine.Limit, error)
	remove func(*engine.Limiter, context.Context) error
}

func levels() []level {
	of := func(entity, resource string) level {
		return level{
			entity + " " + resource,
			func(l *engine.Limiter, ctx context.Context, limits []engine.Limit) error {
				return l.SetLimits(ctx, entity, resource, limits)
			},
			func(l *engine.Limiter, ctx context.Context) ([]engine.Limit, error) {
				return l.Limits(ctx, entity, resource)
			},
			func(l *engine.Limiter, ctx context.Context) error { return l.DeleteLimits(ctx, entity, resource) },
		}
	}
	return []level{
		{
			" ",
			func(l *engine.Limiter, ctx context.Context, limits []engine.Limit) error {
				return l.SetSystemDefaults(ctx, limits, nil)
			},
			func(l *engine.Limiter, ctx context.Context) ([]engine.Limit, error) {
				c, err := l.SystemDefaults(ctx)
				return c.Limits, err
			},
			(*engine.Limiter).DeleteSystemDefaults,
		},
		{
			" r",
			func(l *engine.Limiter, ctx context.Context, limits []engine.Limit) error {
				return l.SetResourceDefaults(ctx, "r", limits)
			},
			func(l *engine.Limiter, ctx context.Context) ([]engine.Limit, error) {
				return l.ResourceDefaults(ctx, "r")
			},
			func(l *engine.Limiter, ctx context.Context) error { return l.DeleteResourceDefaults(ctx, "r") },
		},
		of("e", ""),
		of("e", "r"),
	}
}

func TestConfig(t *testing.T) {
	for _, v := range levels() {
		w, ctx := newWorld(t), t.Context()
		read := func() []engine.Limit {
			limits, err := v.get(w.Limiter, ctx)
			must(t, err)
			return limits
		}
		if got := read(); got != nil {
			t.Errorf("%s: absent limits are %v, not nil", v.name, got)
		}
		must(t, v.remove(w.Limiter, ctx))
		equal(t, v.name+": nothing was deleted", w.dump(true), map[string]string{})

		a, b, c := engine.PerMinute("a", 10).WithBurst(20), engine.PerDay("b", 5), engine.Every("c", 1, time.Millisecond)
		given := []engine.Limit{b, a}
		must(t, v.set(w.Limiter, ctx, given))
		equal(t, v.name+": what was given stays", given, []engine.Limit{b, a})
		equal(t, v.name+": by name", read(), []engine.Limit{a, b})
		before := w.dump(true)
		must(t, v.set(w.Limiter, ctx, []engine.Limit{a, b}))
		equal(t, v.name+": the same again", w.dump(true), before)
		must(t, v.set(w.Limiter, ctx, []engine.Limit{c}))
		equal(t, v.name+": the whole list", read(), []engine.Limit{c})
		must(t, v.remove(w.Limiter, ctx))
		must(t, v.remove(w.Limiter, ctx))
		if got := read(); got != nil {
			t.Errorf("%s: deleted limits are %v, not nil", v.name, got)
		}
		equal(t, v.name+": left", w.dump(false), map[string]string{})

		const ab = `{"limits":[{"name":"a","capacity":20,"refill_amount":10,"refill_period_seconds":60},{"name":"b","capacity":5,"refill_amount":5,"refill_period_seconds":86400}]}`
		const onlyC = `{"limits":[{"name":"c","capacity":1,"refill_amount":1,"refill_period_seconds":0.001}]}`
		equal(t, v.name+": audit", strings.Join(w.told(9), "\n"), strings.Join([]string{
			"limits_deleted " + v.name + " " + onlyC + " -",
			"limits_set " + v.name + " " + ab + " " + onlyC,
			"limits_set " + v.name + " - " + ab,
		}, "\n"))
	}
}

func TestConfigValidation(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	var many []engine.Limit
	for i := range 17 {
		many = append(many, engine.PerMinute(fmt.Sprint("l", i), 1))
	}
	ok := engine.PerMinute("ok", 1)
	for _, v := range levels() {
		for _, c := range []struct {
			limits []engine.Limit
			field  string
		}{
			{nil, "Limits"},
			{[]engine.Limit{}, "Limits"},
			{many, "Limits"},
			{[]engine.Limit{ok, ok}, "Limits"},
			{[]engine.Limit{engine.PerMinute("1", 1)}, "Limits[1].Name"},
			{[]engine.Limit{engine.PerMinute("x", 0)}, "Limits[x].Capacity"},
			{[]engine.Limit{ok, engine.PerMinute("x", 1).WithBurst(1e15 + 1)}, "Limits[x].Capacity"},
			{[]engine.Limit{engine.Every("x", 1, 1)}, "Limits[x].RefillPeriod"},
		} {
			wants(t, v.name, v.set(w.Limiter, ctx, c.limits), invalid(c.field))
		}
	}
	good := []engine.Limit{ok}
	wants(t, "policy", w.SetSystemDefaults(ctx, good, &engine.SystemOptions{OnUnavailable: 99}), invalid("OnUnavailable"))
	_, read := w.Limits(ctx, "", "")
	_, readDefaults := w.ResourceDefaults(ctx, "")
	_, listed := w.EntitiesWithLimits(ctx, "a@b", engine.Page{})
	for field, errs := range map[string][]error{
		"Entity":   {w.SetLimits(ctx, "", "r", good), w.DeleteLimits(ctx, "\n", ""), read},
		"Resource": {w.SetLimits(ctx, "e", "a@b", good), w.DeleteLimits(ctx, "e", "#"), w.SetResourceDefaults(ctx, "", good), w.DeleteResourceDefaults(ctx, ""), readDefaults, listed},
	} {
		for _, err := range errs {
			wants(t, field, err, invalid(field))
		}
	}
	equal(t, "store", w.dump(true), map[string]string{})
}

func TestSystemPolicy(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	a, b := []engine.Limit{engine.PerMinute("a", 1)}, []engine.Limit{engine.PerMinute("b", 1)}
	steps := []struct {
		limits []engine.Limit
		o      *engine.SystemOptions
		want   engine.Policy
	}{
		{a, nil, engine.PolicyDefault},
		{a, &engine.SystemOptions{OnUnavailable: engine.PolicyAllow}, engine.PolicyAllow},
		{b, nil, engine.PolicyAllow},
		{a, &engine.SystemOptions{}, engine.PolicyAllow},
		{a, &engine.SystemOptions{OnUnavailable: engine.PolicyBlock}, engine.PolicyBlock},
	}
	for _, s := range steps {
		must(t, w.SetSystemDefaults(ctx, s.limits, s.o))
		c, err := w.SystemDefaults(ctx)
		must(t, err)
		equal(t, "stored", c, engine.SystemConfig{Limits: s.limits, OnUnavailable: s.want})
	}
	if line := w.told(1)[0]; !strings.Contains(line, `"on_unavailable":"allow"} {`) || !strings.HasSuffix(line, `"on_unavailable":"block"}`) {
		t.Error(line)
	}
	must(t, w.DeleteSystemDefaults(ctx))
	c, err := w.SystemDefaults(ctx)
	must(t, err)
	equal(t, "deleted", c, engine.SystemConfig{})
}

func TestConfigLists(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	limits := []engine.Limit{engine.PerMinute("rpm", 1)}
	var resources, entities []string
	for i := range 11 {
		name := fmt.Sprintf("n%02d", i)
		must(t, w.SetResourceDefaults(ctx, name, limits))
		must(t, w.SetLimits(ctx, name, "r", limits))
		must(t, w.SetLimits(ctx, "d"+name, "", limits))
		if i%3 == 0 {
			must(t, w.DeleteResourceDefaults(ctx, name))
			must(t, w.DeleteLimits(ctx, name, "r"))
			must(t, w.DeleteLimits(ctx, "d"+name, ""))
		} else {
			resources, entities = append(resources, name), append(entities, "d"+name)
		}
	}
	w.trouble.ghosts = []backend.Item{ghost(schema.Resource("default", "n00"))}
	l := w.troubled()
	for _, size := range []int{1, 2, 7, 8} {
		equal(t, "resources", pages(t, size, func(p engine.Page) (engine.List[string], error) { return l.Resources(ctx, p) }), resources)
	}
	w.trouble.ghosts = []backend.Item{ghost(schema.EntityLimits("default", "n00", "r"))}
	equal(t, "entities of r", pages(t, 3, func(p engine.Page) (engine.List[string], error) { return l.EntitiesWithLimits(ctx, "r", p) }), resources)
	equal(t, "entities with a default", pages(t, 3, func(p engine.Page) (engine.List[string], error) { return w.EntitiesWithLimits(ctx, "", p) }), entities)
	equal(t, "of nobody", pages(t, 3, func(p engine.Page) (engine.List[string], error) { return w.EntitiesWithLimits(ctx, "x", p) }), []string(nil))
}

// ghost is an index entry of a record that was deleted.
func ghost(key backend.Key, place backend.Place) backend.Item {
	return backend.Item{Key: key, Sort: place.Sort}
}

// No concurrent change is lost, and the events are in order: each begins where the one before ended.
func TestConfigRace(t *testing.T) {
	for _, v := range levels() {
		w, ctx := newWorld(t), t.Context()
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				if err := v.set(w.Limiter, ctx, []engine.Limit{engine.PerMinute("rpm", int64(i+1))}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		page, err := w.AuditEvents(ctx, engine.AuditQuery{})
		must(t, err)
		equal(t, "events", len(page.Items), 16)
		slices.SortFunc(page.Items, func(a, b engine.AuditEvent) int { return strings.Compare(a.ID, b.ID) })
		next := map[string]json.RawMessage{}
		for _, e := range page.Items {
			next[string(e.Before)] = e.After
		}
		last := json.RawMessage(nil)
		for range page.Items {
			last = next[string(last)]
		}
		limits, err := v.get(w.Limiter, ctx)
		must(t, err)
		equal(t, v.name+": what is stored is what the last event says", string(last),
			fmt.Sprintf(`{"limits":[{"name":"rpm","capacity":%d,"refill_amount":%[1]d,"refill_period_seconds":60}]}`, limits[0].Capacity))
	}
}

// A stored policy is in force at once, also if the store cannot be reached from then on.
func TestSystemPolicyAtOnce(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	limits := []engine.Limit{engine.PerMinute("rpm", 10)}
	l := w.troubled()
	use := func() (engine.Decision, error) {
		w.trouble.will(slices.Repeat([]fault{refused}, 20)...)
		defer w.trouble.will()
		return l.Allow(ctx, engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": 1}})
	}
	must(t, l.SetSystemDefaults(ctx, limits, &engine.SystemOptions{OnUnavailable: engine.PolicyAllow}))
	d, err := use()
	must(t, err)
	equal(t, "degraded", d, engine.Decision{Allowed: true, Degraded: true})
	must(t, l.Ping(ctx))
	must(t, l.DeleteSystemDefaults(ctx))
	_, err = use()
	wants(t, "no policy any more", err, engine.ErrUnavailable)
}

// A limiter's own change is in force from its next acquire on, at every level.
func TestConfigAtOnce(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	available := func() int64 {
		t.Helper()
		s, err := w.Available(ctx, "e", "r")
		must(t, err)
		return s[0].Remaining
	}
	_, err := w.Available(ctx, "e", "r")
	wants(t, "nothing stored", err, engine.ErrNoLimits)
	for i, v := range levels() {
		n := int64(100 * (i + 1))
		must(t, v.set(w.Limiter, ctx, []engine.Limit{engine.PerMinute("rpm", n)}))
		equal(t, v.name, available(), n)
	}
	for i, v := range slices.Backward(levels()) {
		equal(t, v.name+" still", available(), int64(100*(i+1)))
		must(t, v.remove(w.Limiter, ctx))
	}
	_, err = w.Available(ctx, "e", "r")
	wants(t, "nothing stored any more", err, engine.ErrNoLimits)
}

// SetLimits converts the existing bucket without an acquire.
func TestSetLimitsConverts(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	must(t, w.SetLimits(ctx, "e", "r", []engine.Limit{engine.PerMinute("rpm", 10)}))
	_, err := w.Allow(ctx, engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": 4}})
	must(t, err)
	before := w.bucket("e", "r")
	must(t, w.SetLimits(ctx, "e", "r", []engine.Limit{engine.PerMinute("rpm", 100)}))
	if after := w.bucket("e", "r"); after == before {
		t.Error("the bucket was not converted")
	}
	s, err := w.Available(ctx, "e", "r")
	must(t, err)
	equal(t, "available", s[0].Remaining, int64(96))
}

func (w *world) bucket(entity, resource string) string {
	key, _ := schema.Bucket("default", entity, resource)
	return w.dump(false)[fmt.Sprint(key)]
}
