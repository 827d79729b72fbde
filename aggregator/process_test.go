package aggregator_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

var (
	rpm = engine.PerMinute("rpm", 100)
	tpm = engine.PerMinute("tpm", 10_000)
)

// The first use counts, each hour and day has its own usage, and a refund counts in the window in which it happens.
func TestWindows(t *testing.T) {
	onEach(t, func(t *testing.T, s backend.Backend) {
		c := clockAt(time.Date(2040, 2, 29, 22, 59, 59, 0, time.UTC))
		l, a := limiterOver(t, s, c), aggregatorOver(t, s, aggregator.Options{Windows: allWindows})
		ask := func(n int64) *engine.Lease {
			lease, err := l.Acquire(t.Context(), engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": 1, "tpm": n}, Limits: []engine.Limit{rpm, tpm}})
			must(t, err)
			return lease
		}
		early := ask(100)
		c.advance(time.Second)
		ask(10)
		c.advance(time.Hour) // to March
		must(t, early.Rollback(t.Context()))
		ask(1)
		report := a.Process(t.Context(), feed(t, s), c.now())
		equal(t, "report", report, aggregator.Report{Counted: 4, Snapshots: 3 + 2 + 2})
		for w, want := range map[engine.Window][]string{
			engine.WindowHourly: {
				"e r hourly 2040-02-29T22:00+1h0m0s rpm=1 tpm=100 q=1", "e r hourly 2040-02-29T23:00+1h0m0s rpm=1 tpm=10 q=1",
				"e r hourly 2040-03-01T00:00+1h0m0s tpm=-99 q=1",
			},
			engine.WindowDaily:   {"e r daily 2040-02-29T00:00+24h0m0s rpm=2 tpm=110 q=2", "e r daily 2040-03-01T00:00+24h0m0s tpm=-99 q=1"},
			engine.WindowMonthly: {"e r monthly 2040-02-01T00:00+696h0m0s rpm=2 tpm=110 q=2", "e r monthly 2040-03-01T00:00+744h0m0s tpm=-99 q=1"},
		} {
			equal(t, string(w), allUsage(t, l, engine.UsageQuery{Entity: "e", Window: w}, 2), want)
		}
	})
}

// A month in which limits are renamed every day has more names than a snapshot has counters.
func TestMoreNamesThanCounters(t *testing.T) {
	onEach(t, func(t *testing.T, s backend.Backend) {
		c := clockAt(time.Date(2040, 3, 1, 0, 0, 0, 0, time.UTC))
		l, a := limiterOver(t, s, c), aggregatorOver(t, s, aggregator.Options{Windows: allWindows})
		want := engine.Tokens{}
		for round := range 2 {
			for i := range 60 {
				name := fmt.Sprint("limit-", i)
				must(t, l.SetLimits(t.Context(), "e", "r", []engine.Limit{engine.PerSecond(name, 1000), rpm}))
				_, err := l.Allow(t.Context(), engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{name: int64(i), "rpm": 1}})
				must(t, err)
				want[name] += int64(i)
				want["rpm"]++
				c.advance(time.Minute)
				if i%7 == round {
					report := a.Process(t.Context(), feed(t, s), c.now())
					equal(t, "failed", report.Failed, nil)
				}
			}
		}
		a.Process(t.Context(), feed(t, s), c.now())
		for _, w := range []engine.Window{engine.WindowDaily, engine.WindowMonthly} {
			sum, err := l.UsageSummary(t.Context(), engine.UsageQuery{Entity: "e", Resource: "r", Window: w})
			must(t, err)
			equal(t, "sum", sum.Total, want)
			equal(t, "acquires", sum.Acquires, 120)
		}
	})
}

// bucketChange returns a change of a bucket, as a stream delivers it.
func bucketChange(entity string, ver, at int64, packed string, used int64) backend.Change {
	key, _ := schema.Bucket("default", entity, "r")
	c := backend.Change{Key: key}
	c.Before.Reset(schema.BucketLayout)
	c.After.Reset(schema.BucketLayout)
	c.After.SetNum(schema.Ver, backend.Int(ver))
	c.After.SetNum(schema.At, backend.Int(at))
	c.After.SetNum(schema.Used(0), backend.Int(used))
	c.After.SetText(schema.L, packed)
	return c
}

func packed(limits ...engine.Limit) string {
	var terms []schema.Term
	for _, l := range limits {
		terms = append(terms, schema.Term{Limit: l})
	}
	return schema.Pack(terms)
}

// An unreadable change is reported, and later changes of the same bucket are skipped; other buckets are not affected.
func TestPoison(t *testing.T) {
	now, good := noon.UnixNano(), packed(rpm)
	for what, poison := range map[string]backend.Change{
		"format":     bucketChange("a", now+1, now, "\x09", 1),
		"no limits":  bucketChange("a", now+1, now, "", 1),
		"no version": bucketChange("a", 0, now, good, 1),
		"no time":    bucketChange("a", now+1, 0, good, 1),
		"far time":   bucketChange("a", now+1, math.MaxInt64, good, 1),
	} {
		t.Run(what, func(t *testing.T) {
			s := inMemory(t)
			a, l := aggregatorOver(t, s, aggregator.Options{}), limiterOver(t, s, clockAt(noon))
			changes := []backend.Change{
				bucketChange("a", now, now, good, 1), poison, bucketChange("b", now, now, good, 5), bucketChange("a", now+2, now, good, 9),
			}
			report := a.Process(t.Context(), changes, noon)
			equal(t, "counted", report.Counted, 2)
			if len(report.Failed) != 2 || report.Failed[0].Index != 1 || report.Failed[1].Index != 3 ||
				!errors.Is(report.Failed[0].Err, aggregator.ErrRecord) || !errors.Is(report.Failed[1].Err, aggregator.ErrBehind) {
				t.Errorf("failed: %v", report.Failed)
			}
			for entity, want := range map[string]string{"a": "[a r daily 2040-05-30T00:00+24h0m0s rpm=1 q=0]", "b": "[b r daily 2040-05-30T00:00+24h0m0s rpm=5 q=0]"} {
				equal(t, entity, fmt.Sprint(allUsage(t, l, engine.UsageQuery{Entity: entity, Window: engine.WindowDaily}, 10)), want)
			}
		})
	}
}

// Calls that fail are retried a few times; then the changes are reported, and counted when they are delivered again.
func TestStoreFails(t *testing.T) {
	s := inMemory(t)
	faults := limitertest.NewFault(s, nil)
	waits := 0
	a := aggregatorOver(t, faults, aggregator.Options{Sleep: func(ctx context.Context, d time.Duration) error {
		if waits++; d < 0 || d > time.Second {
			t.Errorf("a wait of %v", d)
		}
		return ctx.Err()
	}})
	now := noon.UnixNano()
	changes := []backend.Change{bucketChange("a", now, now, packed(rpm), 1), bucketChange("b", now, now, packed(rpm), 1)}
	only := func(entity string) func(backend.Key) bool {
		return func(k backend.Key) bool { return k.Partition == schema.UsagePartition(entity) }
	}
	faults.SetPlan(limitertest.Where(only("b"), limitertest.Always(limitertest.Fail)))
	report := a.Process(t.Context(), changes, noon)
	if report.Counted != 1 || len(report.Failed) != 1 || report.Failed[0].Index != 1 || !errors.Is(report.Failed[0].Err, backend.ErrUnavailable) || waits == 0 {
		t.Errorf("%+v after %d waits", report, waits)
	}
	faults.SetPlan(limitertest.On(limitertest.OpApply, faults.Calls(limitertest.OpApply), limitertest.LoseReply))
	equal(t, "again", a.Process(t.Context(), changes, noon), aggregator.Report{Counted: 0, Skipped: 2, Snapshots: 0})
	sum, err := limiterOver(t, s, clockAt(noon)).UsageSummary(t.Context(), engine.UsageQuery{Entity: "b", Window: engine.WindowHourly})
	must(t, err)
	equal(t, "b", amounts(sum.Total), "rpm=1")

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	report = a.Process(gone, []backend.Change{bucketChange("c", now, now, packed(rpm), 1)}, noon)
	if len(report.Failed) != 1 || !errors.Is(report.Failed[0].Err, context.Canceled) {
		t.Errorf("with a context that is done: %+v", report)
	}
}

// One write per snapshot is enough for any number of changes, if the snapshot already has the limits.
func TestOneWriteForASnapshot(t *testing.T) {
	s := inMemory(t)
	faults := limitertest.NewFault(s, nil)
	a, l := aggregatorOver(t, faults, aggregator.Options{}), limiterOver(t, s, clockAt(noon))
	for range 3 {
		for range 50 {
			_, err := l.Allow(t.Context(), engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"tpm": 1}, Limits: []engine.Limit{rpm, tpm}})
			must(t, err)
		}
		before := faults.Writes()
		a.Process(t.Context(), feed(t, s), noon)
		equal(t, "writes", faults.Writes()-before, 2)
		equal(t, "reads", faults.Calls(limitertest.OpRead)+faults.Calls(limitertest.OpList), 0)
	}
}

// Snapshots expire when the retention after the end of their window has passed.
func TestUsageRetention(t *testing.T) {
	s, c := inMemory(t), clockAt(noon)
	a, l := aggregatorOver(t, s, aggregator.Options{Windows: []aggregator.Window{aggregator.Hourly}, UsageRetention: 48 * time.Hour}), limiterOver(t, s, c)
	now := noon.UnixNano()
	a.Process(t.Context(), []backend.Change{bucketChange("a", now, now, packed(rpm), 1)}, noon)
	for at, want := range map[time.Duration]int{49*time.Hour - time.Second: 1, 49 * time.Hour: 0} {
		c.set(noon.Add(at))
		equal(t, at.String(), len(allUsage(t, l, engine.UsageQuery{Resource: "r", Window: engine.WindowHourly}, 10)), want)
	}
	old := []backend.Change{bucketChange("b", now, now, packed(rpm), 1)}
	equal(t, "an hour that is forgotten", a.Process(t.Context(), old, noon.Add(49*time.Hour)), aggregator.Report{Skipped: 1})
	equal(t, "one that is not", a.Process(t.Context(), old, noon.Add(49*time.Hour-1)), aggregator.Report{Counted: 1, Snapshots: 1})
}

// Changes of other records are ignored.
func TestOthersAreIgnored(t *testing.T) {
	s := inMemory(t)
	l, a := limiterOver(t, s, clockAt(noon)), aggregatorOver(t, s, aggregator.Options{})
	must(t, l.CreateEntity(t.Context(), engine.Entity{ID: "e"}, nil))
	must(t, l.SetLimits(t.Context(), "e", "r", []engine.Limit{rpm}))
	var all []backend.Change
	_, err := s.Capabilities().Feed(t.Context(), schema.LayoutOf, 100, func(changes []backend.Change) error {
		all = changes
		return nil
	})
	must(t, err)
	if len(all) != 5 {
		t.Fatalf("%d changes", len(all))
	}
	equal(t, "report", a.Process(t.Context(), all, noon), aggregator.Report{})
}

func TestOptions(t *testing.T) {
	for what, o := range map[string]aggregator.Options{
		"window":    {Windows: []aggregator.Window{"weekly"}},
		"twice":     {Windows: []aggregator.Window{"daily", "daily"}},
		"retention": {UsageRetention: -time.Second},
		"fraction":  {AuditRetention: time.Millisecond},
	} {
		if _, err := aggregator.New(inMemory(t), &o); !errors.Is(err, aggregator.ErrOptions) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := aggregator.New(nil, nil); !errors.Is(err, aggregator.ErrOptions) {
		t.Errorf("no store: %v", err)
	}
}

// The usage of an entity that is deleted with many buckets is listed once.
func TestDeletionIsOneListing(t *testing.T) {
	s := inMemory(t)
	faults := limitertest.NewFault(s, nil)
	a, l := aggregatorOver(t, faults, aggregator.Options{}), limiterOver(t, s, clockAt(noon))
	for i := range 30 {
		_, err := l.Allow(t.Context(), engine.Request{Entity: "e", Resource: fmt.Sprint("r", i), Consume: engine.Tokens{"rpm": 1}, Limits: []engine.Limit{rpm}})
		must(t, err)
	}
	must(t, l.DeleteEntity(t.Context(), "e", nil)) // nothing was counted yet
	late := feed(t, s)
	equal(t, "counted late", a.Process(t.Context(), late[:30], noon).Snapshots, 60)
	faults.SetPlan(limitertest.On(limitertest.OpList, 0, limitertest.Fail))
	equal(t, "failed", len(a.Process(t.Context(), late[30:], noon).Failed), 30)
	equal(t, "report", a.Process(t.Context(), late, noon), aggregator.Report{Removed: 60})
	equal(t, "listings", faults.Calls(limitertest.OpList), 2)
	equal(t, "left", len(allUsage(t, l, engine.UsageQuery{Entity: "e", Window: engine.WindowDaily}, 10)), 0)
}

// Changes that are delivered late, up to the 24 hours of a stream, and repeatedly, are counted as if they were delivered at once:
// windows depend on the writer's clock, and a snapshot includes a change only once.
func TestLate(t *testing.T) {
	onEach(t, func(t *testing.T, s backend.Backend) {
		c := clockAt(noon)
		l := limiterOver(t, s, c)
		for i := range 6 {
			_, err := l.Allow(t.Context(), engine.Request{Entity: "e", Resource: "r", Consume: engine.Tokens{"rpm": int64(i)}, Limits: []engine.Limit{rpm}})
			must(t, err)
			c.advance(20 * time.Minute)
		}
		changes := feed(t, s)
		atOnce := inMemory(t)
		aggregatorOver(t, atOnce, aggregator.Options{}).Process(t.Context(), changes, c.now())
		a, late := aggregatorOver(t, s, aggregator.Options{}), noon.Add(24*time.Hour)
		equal(t, "late", a.Process(t.Context(), changes[:4], late).Counted, 4)
		for range 2 { // in other batches, and again
			report := a.Process(t.Context(), changes, late)
			equal(t, "counted and skipped", report.Counted+report.Skipped, len(changes))
			equal(t, "failed", len(report.Failed), 0)
		}
		for _, w := range []engine.Window{engine.WindowHourly, engine.WindowDaily} {
			q := engine.UsageQuery{Entity: "e", Window: w}
			equal(t, string(w), allUsage(t, l, q, 10), allUsage(t, limiterOver(t, atOnce, c), q, 10))
		}
	})
}

// longKeys adds a key to lists that is too long for any store.
type longKeys struct{ backend.Backend }

func (s longKeys) List(ctx context.Context, q backend.Query) (backend.Keys, error) {
	keys, err := s.Backend.List(ctx, q)
	long := backend.Key{Namespace: q.Namespace, Partition: q.Partition, Sort: "h|0000003600|r" + strings.Repeat("x", 1000)}
	keys.Items = append(keys.Items, backend.Item{Key: long, Sort: long.Sort})
	return keys, err
}

// An unreadable snapshot and a key that is too long do not prevent the removal of the usage of deleted buckets.
func TestDeletionBesideUnreadable(t *testing.T) {
	onEach(t, func(t *testing.T, s backend.Backend) {
		a, l := aggregatorOver(t, longKeys{s}, aggregator.Options{}), limiterOver(t, s, clockAt(noon))
		for i := range 3 {
			_, err := l.Allow(t.Context(), engine.Request{Entity: "e", Resource: fmt.Sprint("r", i), Consume: engine.Tokens{"rpm": 1}, Limits: []engine.Limit{rpm}})
			must(t, err)
		}
		must(t, l.DeleteEntity(t.Context(), "e", nil)) // nothing was counted yet
		changes := feed(t, s)
		equal(t, "counted", a.Process(t.Context(), changes[:3], noon).Snapshots, 6)
		odd := backend.NewLayout("odd", backend.Field{Name: "z"})
		key, _ := schema.Usage("default", "e", "r1", schema.Hourly, schema.Hourly.Start(noon.UnixNano()))
		for _, w := range []backend.Write{
			{Key: key, Layout: odd, Remove: true}, {Key: key, Layout: odd, Effects: []backend.Effect{{Slot: 0, Op: backend.Set, Num: backend.Int(1)}}},
		} {
			must(t, s.Apply(t.Context(), []backend.Write{w}, make([]backend.Outcome, 1)))
		}
		equal(t, "report", a.Process(t.Context(), changes[3:], noon), aggregator.Report{Removed: 5})
	})
}
