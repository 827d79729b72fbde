package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

const namespace = "ns"

// world has the records of a store, its index of audit events, and the true time. It has one goroutine.
type world struct {
	t       fataler
	at      int64
	records map[backend.Key]*backend.Record
	events  []listed // ascending by id
	delay   func() time.Duration
	changes int
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// listed is an entry of the index.
type listed struct {
	backend.Item
	visible int64
	foreign bool
}

func newWorld(t fataler) *world {
	w := &world{t: t, at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano(), records: map[backend.Key]*backend.Record{}}
	w.delay = func() time.Duration { return 0 }
	w.register("active")
	return w
}

func (w *world) pass(d time.Duration) { w.at += int64(d) }

func (w *world) record(k backend.Key, set func(*backend.Record)) {
	r := new(backend.Record)
	r.Reset(schema.LayoutOf(k))
	set(r)
	w.records[k] = r
	w.changes++
}

func (w *world) register(state string) {
	w.record(schema.Namespace(namespace), func(r *backend.Record) {
		r.SetNum(schema.NamespaceVer, num.FromInt64(int64(w.changes+1)))
		r.SetText(schema.NamespaceState, state)
	})
}

// set stores new limits for what a change is of, each time others, and returns its change.
func (w *world) set(c Change, resource string) {
	var k backend.Key
	switch c.Kind {
	case EntityChanged:
		k, _ = schema.EntityLimits(namespace, c.Name, resource)
	case ResourceChanged:
		k, _ = schema.Resource(namespace, c.Name)
	case SystemChanged:
		k = schema.System(namespace)
	}
	w.record(k, func(r *backend.Record) { r.SetText(schema.ConfigLimits, fmt.Sprint(k.Partition, k.Sort, w.changes)) })
}

// parent stores an entity with a parent.
func (w *world) parent(name, parent string) {
	k, _ := schema.Entity(namespace, name)
	w.record(k, func(r *backend.Record) {
		r.SetNum(schema.EntityVer, num.FromInt64(int64(w.changes+1)))
		r.SetNum(schema.EntityCascade, num.FromInt64(1))
		r.SetText(schema.EntityParent, parent)
	})
}

// event stores an audit event.
func (w *world) event(id string, c Change, action string) {
	var entity, resource string
	switch c.Kind {
	case EntityChanged:
		entity = c.Name
	case ResourceChanged:
		resource = c.Name
	case Everything:
		action = schema.ActionLimitsChanged
	}
	k, place := schema.Audit(namespace, entity, id)
	w.record(k, func(r *backend.Record) {
		r.SetText(schema.AuditAction, action)
		if resource != "" {
			r.SetText(schema.AuditResource, resource)
		}
	})
	w.index(listed{Item: backend.Item{Key: k, Sort: place.Sort}, visible: w.at + int64(w.delay())})
}

func (w *world) index(l listed) { w.events = slices.Insert(w.events, w.find(l.Sort), l) }

func (w *world) find(id string) int {
	at, _ := slices.BinarySearchFunc(w.events, id, func(l listed, id string) int { return strings.Compare(l.Sort, id) })
	return at
}

// config is what is stored now.
func (w *world) config(name, resource string) Config {
	var c Config
	k, _ := schema.Entity(namespace, name)
	if r := w.records[k]; r != nil {
		c.Entity = entityOf(r)
	}
	own, _ := schema.EntityLimits(namespace, name, resource)
	defaults, _ := schema.EntityLimits(namespace, name, "")
	ofResource, _ := schema.Resource(namespace, resource)
	for i, k := range []backend.Key{own, defaults, ofResource, schema.System(namespace)} {
		if r := w.records[k]; r != nil {
			c.Limits, _ = r.Text(schema.ConfigLimits)
			c.Level = Level(i + 1)
			break
		}
	}
	return c
}

// process is a limiter of the world: what the engine does with a Follower.
type process struct {
	*Follower
	w     *world
	skew  time.Duration
	known map[[2]string]cached
	queue []func(context.Context) // looks that have not run yet, if async

	async            bool
	listErr, readErr error
	during           func() // runs once, while a read is under way
	duringLook       func() // the same, for a read of a look
	calm             bool   // during waits for a read that is not a look's

	inLook                         bool
	lists, listed, looked, fetched int // calls of List and their keys; keys that looks and fetches have read
	changed                        []Change
	ahead                          []time.Duration
	unusable                       []error
	failed                         []error
	refreshed                      int
}

type cached struct {
	c   Config
	seq uint64
}

var errGone = errors.New("the namespace is gone")

func (w *world) process(skew time.Duration, adjust ...func(*Options)) *process {
	p := &process{w: w, skew: skew, known: map[[2]string]cached{}}
	o := Options{
		Store: p, Namespace: namespace, Interval: time.Second, TTL: time.Minute, Size: 100_000, Patience: time.Hour, Go: p.run,
		CheckKeys: func() []backend.Key { return []backend.Key{schema.Namespace(namespace)} },
		Check: func(_ context.Context, out []backend.Record) error {
			if state, _ := out[0].Text(schema.NamespaceState); state != "active" {
				return errGone
			}
			return nil
		},
		OnChange:   func(c Change) { p.changed = append(p.changed, c) },
		OnAhead:    func(_ string, d time.Duration) { p.ahead = append(p.ahead, d) },
		OnFailure:  func(_ context.Context, err error) { p.failed = append(p.failed, err) },
		OnUnusable: func(_ context.Context, err error) { p.unusable = append(p.unusable, err) },
	}
	for _, f := range adjust {
		f(&o)
	}
	p.Follower = New(o)
	return p
}

func (p *process) now() int64 { return p.w.at + int64(p.skew) }

func (p *process) run(f func(context.Context)) bool {
	look := func(ctx context.Context) {
		p.inLook = true
		f(ctx)
		p.inLook = false
	}
	if p.async {
		p.queue = append(p.queue, look)
	} else {
		look(context.Background())
	}
	return true
}

// drain runs the looks that wait.
func (p *process) drain() {
	for len(p.queue) > 0 {
		f := p.queue[0]
		p.queue = p.queue[1:]
		f(context.Background())
	}
}

// List lists what is visible.
func (p *process) List(_ context.Context, q backend.Query) (backend.Keys, error) {
	p.lists++
	if p.listErr != nil {
		return backend.Keys{}, p.listErr
	}
	events := p.w.events
	at, step := p.w.find(q.From), 1
	if q.Reverse {
		if at, step = len(events)-1, -1; q.To != "" {
			at = p.w.find(q.To) - 1
		}
	}
	var out backend.Keys
	var last *backend.Item
	for ; at >= 0 && at < len(events); at += step {
		e := &events[at]
		if e.Sort < q.From || q.To != "" && e.Sort >= q.To {
			break
		}
		if e.visible > p.w.at || q.After != nil && (!q.Reverse && e.Sort <= q.After.Sort || q.Reverse && e.Sort >= q.After.Sort) {
			continue
		}
		if len(out.Items)+out.Foreign == q.Size {
			out.More, out.Rest = true, last
			break
		}
		if last = &e.Item; e.foreign {
			out.Foreign++
			continue
		}
		out.Items = append(out.Items, e.Item)
		p.listed++
	}
	return out, nil
}

// Read returns what is stored when it is called, even if that changes during the call.
func (p *process) Read(_ context.Context, keys []backend.Key) ([]backend.Record, error) {
	if p.readErr != nil {
		return nil, p.readErr
	}
	out := make([]backend.Record, len(keys))
	for i, k := range keys {
		out[i].Reset(schema.LayoutOf(k))
		if r := p.w.records[k]; r != nil {
			out[i].CopyFrom(r)
		}
	}
	if p.inLook {
		p.looked += len(keys)
	} else {
		p.fetched += len(keys)
	}
	run := &p.during
	if p.inLook && p.duringLook != nil {
		run = &p.duringLook
	}
	if f := *run; f != nil && (!p.inLook || !p.calm) {
		*run = nil
		f()
	}
	return out, nil
}

// acquire does what the engine does to find the configuration.
func (p *process) acquire(name, resource string) (Config, error) {
	ctx, now, id := context.Background(), p.now(), [2]string{name, resource}
	k, have := p.known[id]
	if have && p.Fresh(k.seq, now) {
		return k.c, nil
	}
	if err := p.Follow(ctx, now); err != nil {
		return Config{}, err
	}
	c, seq, age := p.Get(name, resource, now)
	if age == Aging {
		p.refreshed++ // the engine does it in the background
		if fresh, seq, _, err := p.Fetch(ctx, name, resource, now); err == nil {
			p.known[id] = cached{fresh, seq}
			return c, nil
		}
	}
	if age >= Expired {
		var err error
		c, seq, _, err = p.Fetch(ctx, name, resource, now)
		if err != nil && have && errors.Is(err, store.ErrUnavailable) {
			return k.c, nil
		}
		if err != nil {
			return Config{}, err
		}
	}
	p.known[id] = cached{c, seq}
	return c, nil
}

// want wants the process to have the stored configuration.
func (p *process) want(what, name, resource string) {
	p.w.t.Helper()
	got, err := p.acquire(name, resource)
	if want := p.w.config(name, resource); err != nil || got != want {
		p.w.t.Fatalf("%s: %s on %s: %+v, %v; want %+v", what, name, resource, got, err, want)
	}
}

// wantOld wants the process to have another configuration than the stored one.
func (p *process) wantOld(what, name, resource string) {
	p.w.t.Helper()
	if got, err := p.acquire(name, resource); err != nil || got == p.w.config(name, resource) {
		p.w.t.Fatalf("%s: %s on %s: %+v, %v; want an old one", what, name, resource, got, err)
	}
}

// change changes something as the engine does.
func (p *process) change(c Change, resource string) (id string) {
	p.w.t.Helper()
	p.Look(context.Background(), p.now(), time.Second)
	id, err := p.NextID(p.now())
	if err != nil {
		p.w.t.Fatalf("NextID: %v", err)
	}
	if c.Kind != Everything {
		p.w.set(c, resource)
	}
	p.w.event(id, c, schema.ActionLimitsSet)
	p.Changed(c)
	p.Wrote(p.now(), id)
	return id
}

// count returns what the process has called and read since it was last asked, and resets it.
func (p *process) count() (lists, listed, looked, fetched int) {
	lists, listed, looked, fetched = p.lists, p.listed, p.looked, p.fetched
	p.lists, p.listed, p.looked, p.fetched = 0, 0, 0, 0
	return lists, listed, looked, fetched
}

func (p *process) wantFetched(what string, n int) {
	p.w.t.Helper()
	if _, _, _, fetched := p.count(); fetched != n {
		p.w.t.Fatalf("%s: acquires have read %d keys, want %d", what, fetched, n)
	}
}

func entityOfName(name string) Change   { return Change{EntityChanged, name} }
func resourceOfName(name string) Change { return Change{ResourceChanged, name} }

var system = Change{Kind: SystemChanged}

var _ fataler = (*testing.T)(nil)
