package aggregator_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

var allWindows = []aggregator.Window{aggregator.Hourly, aggregator.Daily, aggregator.Monthly}

// run is the random life of some buckets, and of aggregators that process their changes.
type run struct {
	*rapid.T
	*clock
	store   backend.Backend
	limiter *engine.Limiter
	faults  *limitertest.Fault
	workers []*aggregator.Aggregator // on the same store, like several processes

	log    []backend.Change // all changes
	at     int              // index of the first unprocessed change
	oldest int              // index of the first change that can be replayed, since a stream drops old ones
	leases []*engine.Lease
	want   map[string]int64 // "entity resource window start limit" → tokens, from the records themselves
}

func newRun(t *rapid.T, s backend.Backend) *run {
	c := &run{T: t, clock: clockAt(noon.Add(11*time.Hour + 50*time.Minute)), store: s, want: map[string]int64{}}
	l, err := engine.New(s, &engine.Options{Now: c.now, Sleep: impatient, MaxHold: 20 * time.Hour})
	c.must(err)
	c.limiter = l
	c.faults = limitertest.NewFault(s, nil)
	for range 2 {
		a, err := aggregator.New(c.faults, &aggregator.Options{Windows: allWindows, UsageRetention: 100000 * time.Hour, Sleep: impatient})
		c.must(err)
		c.workers = append(c.workers, a)
	}
	return c
}

func (c *run) must(err error) {
	if err != nil {
		c.Fatalf("%v", err)
	}
}

var (
	entities  = []string{"a", "b"}
	resources = []string{"r", "window"}
	names     = []string{"rpm", "tpm", "window", "ttl", "resource", "blob"}
)

func (c *run) entity() string   { return rapid.SampledFrom(entities).Draw(c.T, "entity") }
func (c *run) resource() string { return rapid.SampledFrom(resources).Draw(c.T, "resource") }

func (c *run) limits() []engine.Limit {
	some := rapid.Permutation(names).Draw(c.T, "names")[:rapid.IntRange(1, 4).Draw(c.T, "how many")]
	limits := make([]engine.Limit, len(some))
	for i, name := range some {
		limits[i] = engine.Every(name, rapid.Int64Range(1, 1000).Draw(c.T, "rate"), time.Minute)
	}
	return limits
}

// record reads the counters of a bucket, by the name of the limit and "acquires".
func (c *run) record(entity, resource string) (map[string]int64, bool) {
	key, _ := schema.Bucket("default", entity, resource)
	out := make([]backend.Record, 1)
	out[0].Reset(schema.BucketLayout)
	c.must(c.store.Read(context.Background(), []backend.Key{key}, out))
	if !out[0].Present() {
		return nil, false
	}
	text, _ := out[0].Text(schema.L)
	terms, err := schema.Unpack(text)
	c.must(err)
	used := map[string]int64{"acquires": out[0].Int64(schema.Acq)}
	for i, term := range terms {
		used[term.Name] = out[0].Int64(schema.Used(i))
	}
	return used, true
}

// watch calls a function, and computes its consumption from the records of buckets before and after it.
func (c *run) watch(do func()) {
	type id struct{ entity, resource string }
	before := map[id]map[string]int64{}
	for _, e := range entities {
		for _, r := range resources {
			before[id{e, r}], _ = c.record(e, r)
		}
	}
	do()
	for of, was := range before {
		is, _ := c.record(of.entity, of.resource)
		for name, n := range is {
			for _, w := range allWindows {
				key := fmt.Sprint(of.entity, " ", of.resource, " ", w, " ", w.Start(c.now().UnixNano()), " ", name)
				c.want[key] += n - was[name]
			}
		}
	}
}

func (c *run) acquire() {
	limits := c.limits()
	consume := engine.Tokens{}
	for _, l := range limits[:rapid.IntRange(1, len(limits)).Draw(c.T, "of them")] {
		consume[l.Name] = rapid.Int64Range(0, min(l.Capacity, 9)).Draw(c.T, "tokens")
	}
	q := engine.Request{Entity: c.entity(), Resource: c.resource(), Consume: consume, Limits: limits}
	c.watch(func() {
		lease, err := c.limiter.Acquire(context.Background(), q)
		switch exceeded := (*engine.ExceededError)(nil); {
		case err == nil:
			c.leases = append(c.leases, lease)
		case !errors.As(err, &exceeded) && !errors.Is(err, engine.ErrUnknownLimit):
			c.Fatalf("acquire: %v", err)
		}
	})
}

func (c *run) settle() {
	if len(c.leases) == 0 {
		c.Skip()
	}
	i := rapid.IntRange(0, len(c.leases)-1).Draw(c.T, "lease")
	lease := c.leases[i]
	c.leases = slices.Delete(c.leases, i, i+1)
	back := rapid.Bool().Draw(c.T, "roll back")
	c.watch(func() {
		if back {
			c.must(lease.Rollback(context.Background()))
			return
		}
		for name := range lease.Consumed() {
			c.must(lease.Adjust(engine.Tokens{name: rapid.Int64Range(0, 50).Draw(c.T, "more")}))
		}
		c.must(lease.Commit(context.Background()))
	})
}

func (c *run) configure() {
	entity, resource := c.entity(), c.resource()
	if rapid.IntRange(0, 3).Draw(c.T, "delete") == 0 {
		c.watch(func() { c.must(c.limiter.DeleteLimits(context.Background(), entity, resource)) })
		return
	}
	limits := c.limits()
	c.watch(func() { c.must(c.limiter.SetLimits(context.Background(), entity, resource, limits)) })
}

func (c *run) reset() {
	c.watch(func() { c.must(c.limiter.ResetBucket(context.Background(), c.entity(), c.resource())) })
}

// remove deletes an entity with its usage.
func (c *run) remove() {
	entity := c.entity()
	err := c.limiter.DeleteEntity(context.Background(), entity, nil)
	if err != nil && !errors.Is(err, engine.ErrEntityNotFound) {
		c.Fatalf("delete: %v", err)
	}
	maps.DeleteFunc(c.want, func(key string, _ int64) bool { return key[:2] == entity+" " })
	c.advance(time.Microsecond) // versions of a new bucket must be larger than those of the deleted one
}

func (c *run) pass() {
	d := rapid.SampledFrom([]time.Duration{time.Second, 20 * time.Second, 11 * time.Minute, time.Hour}).Draw(c.T, "time")
	c.advance(d)
}

// passDays lets buckets expire after all changes are processed, since readers of a stream are less than a day behind.
func (c *run) passDays() {
	c.take()
	c.process(len(c.log), nil)
	c.advance(time.Duration(rapid.IntRange(1, 40).Draw(c.T, "days")) * 24 * time.Hour)
	if rapid.Bool().Draw(c.T, "sweep") {
		_, err := c.store.Capabilities().Sweep(context.Background(), c.now().Unix())
		c.must(err)
	}
	c.take()
	c.process(len(c.log), nil)
	c.oldest = len(c.log)
}

// take moves the changes from the store to the log.
func (c *run) take() {
	for {
		n, err := c.store.Capabilities().Feed(context.Background(), aggregator.Layouts, 100, func(changes []backend.Change) error {
			c.log = append(c.log, changes...)
			return nil
		})
		c.must(err)
		if n == 0 {
			return
		}
	}
}

// follow processes a part of the log, starting wherever a reader may have to start again, with a store that may fail.
func (c *run) follow() {
	c.take()
	if c.at == len(c.log) && c.oldest == c.at {
		c.Skip()
	}
	c.at = rapid.IntRange(c.oldest, c.at).Draw(c.T, "again from")
	to := rapid.IntRange(c.at, len(c.log)).Draw(c.T, "up to")
	var plan limitertest.Plan
	if rapid.Bool().Draw(c.T, "trouble") {
		plan = limitertest.Random(rapid.Uint64().Draw(c.T, "seed"), map[limitertest.Act]float64{
			limitertest.Fail: .2, limitertest.LoseRequest: .2, limitertest.LoseReply: .3, limitertest.LoseRace: .1,
		})
	}
	c.process(to, plan)
}

func (c *run) process(to int, plan limitertest.Plan) {
	c.faults.SetPlan(plan)
	a := c.workers[rapid.IntRange(0, 1).Draw(c.T, "worker")]
	report := a.Process(context.Background(), c.log[c.at:to], c.now())
	c.faults.SetPlan(nil)
	switch {
	case len(report.Failed) == 0:
		c.at = to
	case plan == nil:
		c.Fatalf("without trouble failed: %v", report.Failed[0].Err)
	default:
		c.at += report.Failed[0].Index // as Lambda does
	}
}

// check compares all usage with the consumption computed from the records.
func (c *run) check() {
	c.take()
	c.process(len(c.log), nil)
	got, sums := map[string]int64{}, map[aggregator.Window]map[string]int64{}
	for _, e := range entities {
		for _, w := range allWindows {
			for q := (engine.UsageQuery{Entity: e, Window: engine.Window(w), Page: engine.Page{Size: 3}}); ; {
				page, err := c.limiter.Usage(context.Background(), q)
				c.must(err)
				for _, s := range page.Items {
					c.note(got, sums, w, s)
				}
				if q.Page.After = page.Next; page.Next == "" {
					break
				}
			}
		}
	}
	for _, all := range []map[string]int64{got, c.want} {
		maps.DeleteFunc(all, func(_ string, n int64) bool { return n == 0 })
	}
	if !maps.Equal(got, c.want) {
		c.Fatalf("usage is\n%s\nand should be\n%s", show(got), show(c.want))
	}
	if !maps.Equal(sums[aggregator.Hourly], sums[aggregator.Daily]) || !maps.Equal(sums[aggregator.Daily], sums[aggregator.Monthly]) {
		c.Fatalf("sums differ: %v", sums)
	}
}

func (c *run) note(got map[string]int64, sums map[aggregator.Window]map[string]int64, w aggregator.Window, s engine.UsageSnapshot) {
	tokens := maps.Clone(s.Tokens)
	tokens["acquires"] = s.Acquires
	if sums[w] == nil {
		sums[w] = map[string]int64{}
	}
	for name, n := range tokens {
		got[fmt.Sprint(s.Entity, " ", s.Resource, " ", w, " ", s.Start.Unix(), " ", name)] += n
		sums[w][s.Entity+" "+s.Resource+" "+name] += n
	}
	if start := time.Unix(w.Start(s.Start.UnixNano()), 0); !start.Equal(s.Start) || !s.End.After(s.Start) {
		c.Fatalf("a window from %v to %v", s.Start, s.End)
	}
}

func show(m map[string]int64) (text string) {
	for _, key := range slices.SortedFunc(maps.Keys(m), cmp.Compare[string]) {
		text += fmt.Sprintf("  %s: %d\n", key, m[key])
	}
	return text
}

// Consumption is counted exactly once in each kind of window, whatever happens to buckets and aggregators.
func TestEverythingIsCountedOnce(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				s := open(t)
				defer s.Close()
				c := newRun(rt, s)
				defer c.limiter.Close()
				rt.Repeat(map[string]func(*rapid.T){
					"acquire":   func(*rapid.T) { c.acquire() },
					"acquire 2": func(*rapid.T) { c.acquire() },
					"settle":    func(*rapid.T) { c.settle() },
					"configure": func(*rapid.T) { c.configure() },
					"reset":     func(*rapid.T) { c.reset() },
					"remove":    func(*rapid.T) { c.remove() },
					"pass":      func(*rapid.T) { c.pass() },
					"pass days": func(*rapid.T) { c.passDays() },
					"follow":    func(*rapid.T) { c.follow() },
					"follow 2":  func(*rapid.T) { c.follow() },
				})
				c.check()
			})
		})
	}
}
