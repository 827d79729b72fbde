package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// listsSkip proves that records which cannot be read fail no list, deletion or purge: they are skipped, or removed, and
// reported. So records of a newer program, or of somebody who writes to the store directly, hide no others.
var listsSkip = stories{
	{"EveryList", skipInLists},
	{"Pages", skipInPages},
	{"DeleteEntity", skipInDeletion},
	{"Purge", scanning(skipInPurge)},
}

// noting is a store that remembers the places of the engine's records, so that a story can spoil the records.
type noting struct {
	backend.Backend
	lock   sync.Mutex
	places map[backend.Key]*backend.Place
}

func (n *noting) note(w *backend.Write) {
	n.lock.Lock()
	defer n.lock.Unlock()
	if w.Index != nil {
		place := *w.Index
		n.places[w.Key] = &place
	} else if _, known := n.places[w.Key]; !known && len(w.Effects) > 0 {
		n.places[w.Key] = nil
	}
}

// Apply implements [backend.Backend].
func (n *noting) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	err := n.Backend.Apply(ctx, writes, out)
	for i := range out {
		if out[i].Applied {
			n.note(&writes[i])
		}
	}
	return err
}

// Commit implements [backend.Backend].
func (n *noting) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	err := n.Backend.Commit(ctx, token, writes)
	for i := 0; err == nil && i < len(writes); i++ {
		n.note(&writes[i])
	}
	return err
}

// oddLayout is one that no record of the engine has.
var oddLayout = backend.NewLayout("odd", backend.Field{Name: "of another program"})

// spoil replaces records whose key contains "bad" by records of an unknown layout, and returns how many.
func (n *noting) spoil(r *engineTest) (spoiled int) {
	r.Helper()
	n.lock.Lock()
	defer n.lock.Unlock()
	for k, place := range n.places {
		if !strings.Contains(k.Partition+"|"+k.Sort, "bad") {
			continue
		}
		effect := setNum(oddLayout.MustSlot("of another program"), numOf(1))
		for _, w := range []backend.Write{
			{Key: k, Layout: oddLayout, Remove: true}, {Key: k, Layout: oddLayout, Index: place, Effects: []backend.Effect{effect}},
		} {
			out := make([]backend.Outcome, 1)
			r.must(n.Backend.Apply(r.Context(), []backend.Write{w}, out))
		}
		spoiled++
	}
	return spoiled
}

// spoilable returns a limiter over a store whose records can be spoiled. walks reports whether the store can be scanned, which
// only some lists need.
func (r *engineTest) spoilable(change ...func(*engine.Options)) (l *engine.Limiter, n *noting, walks bool) {
	r.Helper()
	n = &noting{Backend: backend.Wrap(r.store, nil), places: map[backend.Key]*backend.Place{}}
	walks = r.canScan()
	l, err := engine.New(n, r.options(change...))
	r.must(err)
	r.Cleanup(func() { _ = l.Close() })
	return l, n, walks
}

func (r *engineTest) skippedSoFar() (n int) {
	for _, e := range r.events.of(engine.EventSkipped) {
		if e.Skipped < 1 || e.Err == nil {
			r.Errorf("an event of %d skipped records, because of %v", e.Skipped, e.Err)
		}
		n += e.Skipped
	}
	return n
}

// goodAndBad creates one record of each kind with "good" in its key, and one with "bad".
func (r *engineTest) goodAndBad(l *engine.Limiter) {
	r.Helper()
	limit := []engine.Limit{stored("a", 9)}
	for _, is := range []string{"good", "bad"} {
		r.must(l.RegisterNamespace(r.Context(), is))
		r.must(l.CreateEntity(r.Context(), engine.Entity{ID: is, Parent: user}, &engine.EntityOptions{AllowMissingParent: true}))
		r.must(l.SetLimits(r.Context(), is, api, limit))
		r.must(l.SetResourceDefaults(r.Context(), is, limit))
		managed := engine.SettingID{Kind: engine.SettingResource, Resource: is + "-m"}
		r.apply(l, engine.Setting{ID: managed, Exists: true, Limits: limit})
		r.mustAcquire(l, engine.Request{Entity: user, Resource: is, Consume: tokens("a", 1), Limits: limit})
	}
}

// listed returns the names of a list, each once.
func listed[T any](list engine.List[T], err error) (text string, _ error) {
	var names []string
	for _, it := range list.Items {
		switch it := any(it).(type) {
		case string:
			names = append(names, it)
		case engine.Entity:
			names = append(names, it.ID)
		case engine.Namespace:
			names = append(names, it.Name)
		case engine.BucketState:
			names = append(names, it.Resource)
		case engine.AuditEvent:
			names = append(names, it.Entity+" "+it.Resource)
		case engine.Setting:
			names = append(names, it.ID.String())
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", "), err
}

func skipInLists(r *engineTest) {
	l, n, walks := r.spoilable()
	r.goodAndBad(l)
	if spoiled := n.spoil(r); spoiled < 8 {
		r.Fatalf("only %d records were spoiled", spoiled)
	}
	ctx, page := r.Context(), engine.Page{}
	settings := func(all []engine.Setting, err error) (string, error) {
		return listed(engine.List[engine.Setting]{Items: all}, err)
	}
	for _, list := range []struct {
		what, want string
		walks      bool // it is made by walking through the store
		read       func() (string, error)
	}{
		{"Entities", "good", false, func() (string, error) { return listed(l.Entities(ctx, page)) }},
		{"Children", "good", false, func() (string, error) { return listed(l.Children(ctx, user, page)) }},
		{"Resources", "good, good-m", false, func() (string, error) { return listed(l.Resources(ctx, page)) }},
		{"EntitiesWithLimits", "good", false, func() (string, error) { return listed(l.EntitiesWithLimits(ctx, api, page)) }},
		{"ListNamespaces", "default, good", false, func() (string, error) { return listed(l.ListNamespaces(ctx, page)) }},
		{"AuditEvents", " ,  bad,  bad-m,  good,  good-m, good , good " + api, false, func() (string, error) { return listed(l.AuditEvents(ctx, engine.AuditQuery{})) }},
		{"AuditEvents of one", "", false, func() (string, error) { return listed(l.AuditEvents(ctx, engine.AuditQuery{Entity: "bad"})) }},
		{"Buckets of one", "good", false, func() (string, error) { return listed(l.Buckets(ctx, engine.BucketQuery{Entity: user})) }},
		{"Buckets", "good", true, func() (string, error) { return listed(l.Buckets(ctx, engine.BucketQuery{})) }},
		{"ManagedSettings", "resource good-m", false, func() (string, error) { return settings(l.ManagedSettings(ctx, "m")) }},
		{"AllSettings", "entity good, limits of good on " + api + ", resource good, resource good-m", true, func() (string, error) { return settings(l.AllSettings(ctx)) }},
	} {
		if list.walks && !walks {
			continue
		}
		before := r.skippedSoFar()
		r.until(list.what+" lists what can be read", func() bool {
			got, err := list.read()
			if err != nil {
				r.Fatalf("%s: %v", list.what, err)
			}
			return got == list.want
		})
		if r.skippedSoFar() == before {
			r.Errorf("%s: nobody is told of what was skipped", list.what)
		}
	}
}

// skipInPages: pages are full, whatever is skipped, and each record is on one page.
func skipInPages(r *engineTest) {
	l, n, _ := r.spoilable()
	for i := range 12 {
		r.must(l.SetResourceDefaults(r.Context(), fmt.Sprintf("%s-%02d", []string{"bad", "good", "bad"}[i%3], i), []engine.Limit{stored("a", 9)}))
	}
	n.spoil(r)
	r.until("pages of what can be read are full", func() bool {
		var pages []string
		for p := (engine.Page{Size: 3}); ; {
			list, err := l.Resources(r.Context(), p)
			r.must(err)
			pages = append(pages, strings.Join(list.Items, " "))
			if p.After = list.Next; list.Next == "" {
				return strings.Join(pages, " | ") == "good-01 good-04 good-07 | good-10"
			}
		}
	})
}

// skipInDeletion deletes an entity of which some limits and buckets cannot be read: all of them are removed, and no others.
func skipInDeletion(r *engineTest) {
	l, n, walks := r.spoilable()
	limit := []engine.Limit{stored("a", 9)}
	for _, id := range []string{user, "other"} {
		r.must(l.CreateEntity(r.Context(), engine.Entity{ID: id}, nil))
		for _, resource := range []string{"good", "bad"} {
			r.must(l.SetLimits(r.Context(), id, resource, limit))
			r.mustAcquire(l, engine.Request{Entity: id, Resource: resource, Consume: tokens("a", 1)})
		}
	}
	if spoiled := n.spoil(r); spoiled != 6 {
		r.Fatalf("%d records were spoiled, not 6", spoiled)
	}
	r.must(l.DeleteEntity(r.Context(), user, nil))
	if !walks {
		return
	}
	left := map[string]int{}
	keys, err := scanAll(r.Context(), n.Capabilities().Scan, engine.DefaultNamespace, 100)
	r.must(err)
	for _, k := range keys {
		for _, id := range []string{user, "other"} {
			if strings.Contains(k.Partition, "e|"+id) {
				left[id]++
			}
		}
	}
	if left[user] != 0 || left["other"] != 5 {
		r.Errorf("of the deleted entity %d records are left, of the other one %d of 5: %v", left[user], left["other"], keys)
	}
}

// skipInPurge purges a namespace in which there are records that cannot be read.
func skipInPurge(r *engineTest) {
	l, n, _ := r.spoilable(func(o *engine.Options) { o.Namespace, o.CreateNamespace = "gone", true })
	r.must(l.SetResourceDefaults(r.Context(), "bad", []engine.Limit{stored("a", 9)}))
	r.must(l.SetResourceDefaults(r.Context(), "good", []engine.Limit{stored("a", 9)}))
	n.spoil(r)
	unknown := backend.Write{Key: backend.Key{Namespace: "gone", Partition: "?|", Sort: "?"}, Layout: oddLayout}
	unknown.Effects = []backend.Effect{setNum(oddLayout.MustSlot("of another program"), numOf(1))}
	r.must(n.Apply(r.Context(), []backend.Write{unknown}, make([]backend.Outcome, 1)))
	r.must(l.DeleteNamespace(r.Context(), "gone"))
	r.must(l.PurgeNamespace(r.Context(), "gone"))
	if keys, err := scanAll(r.Context(), n.Capabilities().Scan, "gone", 100); err != nil || len(keys) > 0 {
		r.Errorf("after the purge there are %v, %v", keys, err)
	}
}
