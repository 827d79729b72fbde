package conformance

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// RunUsage proves that the aggregator counts what limiters consume once, from the Feed of the store, and that it can be
// queried. The store must have Feed.
func RunUsage(t *testing.T, open Open) {
	for _, s := range usage {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.tell(newEngineTest(t, havingFeed(open)))
		})
	}
}

var usage = stories{
	{"Sums", usageSums},
	{"Names", usageNames},
	{"OfAResource", usageOfResource},
	{"Within", usageWithin},
	{"Deleted", usageDeleted},
	{"Purged", usagePurged},
	{"RefundedAtTheEnd", usageRefunded},
	{"NewLifeByAClockBehind", usageNewLife},
	{"ReadsWriteNothing", usageReads},
	{"RefusesBadInput", usageInput},
}

// kinds are all kinds of windows.
var kinds = []engine.Window{engine.WindowHourly, engine.WindowDaily, engine.WindowMonthly}

// anyNumber of changes is expected.
const anyNumber = -1

// aggregate processes changes, each batch twice, until as many as expected were counted and none is left.
func (r *engineTest) aggregate(expected int) {
	r.Helper()
	a, err := aggregator.New(r.store, &aggregator.Options{
		Windows: []aggregator.Window{aggregator.Hourly, aggregator.Daily, aggregator.Monthly},
		Sleep:   func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	r.must(err)
	counted := 0
	take := func(changes []backend.Change) error {
		for range 2 {
			report := a.Process(r.Context(), changes, r.clock.Now())
			for _, f := range report.Failed {
				r.Errorf("change %d: %v", f.Index, f.Err)
			}
			counted += report.Counted
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), 3*patience) // for many calls
	defer cancel()
	for {
		n, err := r.store.Capabilities().Feed(ctx, aggregator.Layouts, 7, take)
		if err != nil {
			r.Fatalf("%d of %d changes counted: %v", counted, expected, err)
		}
		if n == 0 && counted >= expected {
			break
		}
		runtime.Gosched()
	}
	if counted != expected && expected != anyNumber {
		r.Errorf("%d changes were counted, not %d", counted, expected)
	}
}

// usage returns snapshots as "entity resource start tokens", from pages of the size.
func (r *engineTest) usage(l *engine.Limiter, q engine.UsageQuery, size int) (lines []string) {
	r.Helper()
	for q.Page.Size = size; ; {
		page, err := l.Usage(r.Context(), q)
		r.must(err)
		for _, s := range page.Items {
			lines = append(lines, fmt.Sprintf("%s %s %s %s q:%d", s.Entity, s.Resource, s.Start.Format("01-02T15"), amounts(s.Tokens), s.Acquires))
		}
		if page.Next == "" {
			return lines
		}
		if q.Page.After = page.Next; len(page.Items) != size {
			r.Fatalf("a page of %d in the middle, not of %d", len(page.Items), size)
		}
	}
}

func (r *engineTest) wantUsage(l *engine.Limiter, q engine.UsageQuery, want ...string) {
	r.Helper()
	for _, size := range []int{1, 2, 1000} {
		if got := r.usage(l, q, size); !slices.Equal(got, want) {
			r.Errorf("usage of %+v in pages of %d is\n%q, not\n%q", q, size, got, want)
		}
	}
}

// consume acquires n tokens of a limit that is large enough.
func (r *engineTest) consume(l *engine.Limiter, entity, resource string, n int64) *engine.Lease {
	r.Helper()
	return r.mustAcquire(l, engine.Request{Entity: entity, Resource: resource, Consume: tokens("tpd", n), Limits: []engine.Limit{engine.PerDay("tpd", 1e9)}})
}

// usageSums: over the ends of hours, days and months, with refunds and debts, the sums of all kinds of windows are what
// was consumed. The clock stands at 2033-05-18 03:33:20.
func usageSums(r *engineTest) {
	l := r.limiter()
	var held *engine.Lease
	for _, at := range []time.Duration{0, 27 * time.Minute, 20*time.Hour + 26*time.Minute, 13 * 24 * time.Hour, 13*24*time.Hour + 21*time.Hour} {
		r.clock.set(epoch + int64(at))
		if held != nil && at == 27*time.Minute {
			r.must(held.Rollback(r.Context()))
		}
		held = r.consume(l, user, api, 10)
		r.must(r.consume(l, user, api, 0).Commit(r.Context()))
		over := r.consume(l, user, "other", 3)
		r.must(over.Adjust(tokens("tpd", 4)))
		r.must(over.Commit(r.Context()))
	}
	r.must(l.ResetBucket(r.Context(), user, api))
	r.consume(l, user, api, 1)
	r.aggregate(5*3 + 1 + 1)
	for _, kind := range kinds {
		for _, q := range []engine.UsageQuery{{Entity: user, Resource: api}, {Entity: user, Resource: "other"}, {Resource: api}, {Entity: user}} {
			q.Window = kind
			sum, err := l.UsageSummary(r.Context(), q)
			r.must(err)
			want := map[string]int64{api: 5*10 - 10 + 1, "other": 5 * 7, "": 41 + 35}[q.Resource]
			if got := amounts(sum.Total); got != fmt.Sprint("tpd:", want) {
				r.Errorf("%s of %+v: %s, not %d", kind, q, got, want)
			}
		}
	}
	r.wantUsage(l, engine.UsageQuery{Entity: user, Resource: api, Window: engine.WindowHourly},
		"user-1 gpt-4 05-18T03 tpd:10 q:1", "user-1 gpt-4 05-18T04 tpd:0 q:1", "user-1 gpt-4 05-18T23 tpd:10 q:1",
		"user-1 gpt-4 05-31T03 tpd:10 q:1", "user-1 gpt-4 06-01T00 tpd:11 q:2")
	r.wantUsage(l, engine.UsageQuery{Entity: user, Window: engine.WindowMonthly},
		"user-1 gpt-4 05-01T00 tpd:30 q:4", "user-1 other 05-01T00 tpd:28 q:4", "user-1 gpt-4 06-01T00 tpd:11 q:2", "user-1 other 06-01T00 tpd:7 q:1")
}

// usageNames: limits, entities and resources of every legal name have usage.
func usageNames(r *engineTest) {
	l := r.limiter()
	for i, names := range groups() {
		consume := engine.Tokens{}
		for j, name := range names {
			consume[name] = int64(j + 1)
		}
		r.mustAcquire(l, engine.Request{Entity: user, Resource: hardIDs[i], Consume: consume, Limits: limitsNamed(names)})
	}
	entities := []string{"me@example.com", strings.Repeat("e", 256), "a", "a/b", "u", "a|b", "a%7Cb", longest, "::1"}
	for _, entity := range entities {
		for _, resource := range hardIDs[len(hardIDs)-4:] {
			r.consume(l, entity, resource, 1)
		}
	}
	r.aggregate(len(groups()) + 4*len(entities))
	for i, names := range groups() {
		sum, err := l.UsageSummary(r.Context(), engine.UsageQuery{Entity: user, Resource: hardIDs[i], Window: engine.WindowDaily})
		r.must(err)
		for j, name := range names {
			if sum.Total[name] != int64(j+1) || len(sum.Total) != len(names) {
				r.Errorf("of %q %d were used, not %d", name, sum.Total[name], j+1)
			}
		}
	}
	for _, entity := range entities {
		sum, err := l.UsageSummary(r.Context(), engine.UsageQuery{Entity: entity, Window: engine.WindowHourly})
		r.must(err)
		if sum.Snapshots != 4 || sum.Acquires != 4 {
			r.Errorf("usage of %q is %+v", entity, sum)
		}
	}
	for _, resource := range hardIDs[len(hardIDs)-4:] {
		if n := len(r.usage(l, engine.UsageQuery{Resource: resource, Window: engine.WindowMonthly}, 3)); n != len(entities) {
			r.Errorf("usage of resource %q has %d entities", resource, n)
		}
	}
}

// usageOfResource: all entities that used a resource, by time and name, and no others.
func usageOfResource(r *engineTest) {
	l, others := r.limiter(), r.limiter(func(o *engine.Options) { o.Namespace, o.CreateNamespace = "other", true })
	var want []string
	for hour := range 3 {
		for i := range 12 {
			entity := fmt.Sprintf("e%02d", i)
			r.consume(l, entity, api, int64(i+1))
			want = append(want, fmt.Sprintf("%s %s 05-18T%02d tpd:%d q:1", entity, api, 3+hour, i+1))
		}
		r.consume(l, "e00", "gpt-4-mini", 1)
		r.clock.advance(time.Hour)
	}
	r.consume(others, "e00", api, 1)
	r.aggregate(3*13 + 1)
	r.wantUsage(l, engine.UsageQuery{Resource: api, Window: engine.WindowHourly}, want...)
	r.wantUsage(l, engine.UsageQuery{Resource: api, Entity: "e03", Window: engine.WindowHourly}, want[3], want[15], want[27])
	r.wantUsage(others, engine.UsageQuery{Resource: api, Window: engine.WindowDaily}, "e00 gpt-4 05-18T00 tpd:1 q:1")
	from := time.Unix(0, epoch).UTC().Truncate(time.Hour)
	r.wantUsage(l, engine.UsageQuery{Resource: api, Window: engine.WindowHourly, From: from.Add(time.Nanosecond), To: from.Add(2 * time.Hour)}, want[12:24]...)
}

// usageWithin: a time range selects windows by their start, includes its beginning and excludes its end.
func usageWithin(r *engineTest) {
	l := r.limiter()
	start := time.Unix(0, epoch).UTC().Truncate(time.Hour)
	for range 4 {
		r.consume(l, user, api, 1)
		r.clock.advance(time.Hour)
	}
	r.aggregate(4)
	at := func(h int, d time.Duration) time.Time { return start.Add(time.Duration(h)*time.Hour + d) }
	for _, c := range []struct {
		from, to time.Time
		want     string
	}{
		{want: "3 4 5 6"},
		{from: at(1, 0), want: "4 5 6"},
		{from: at(1, 1), want: "5 6"},
		{from: at(0, -1), to: at(1, 0), want: "3"},
		{to: at(1, 1), want: "3 4"},
		{from: at(1, 0), to: at(1, 0), want: ""},
		{from: time.Unix(-1e12, 0), to: time.Unix(1e12, 0), want: "3 4 5 6"},
		{to: time.Unix(-1, 0), want: ""},
	} {
		for _, q := range []engine.UsageQuery{{Entity: user}, {Resource: api}, {Entity: user, Resource: api}} {
			q.Window, q.From, q.To = engine.WindowHourly, c.from, c.to
			var hours []string
			for _, line := range r.usage(l, q, 2) {
				hours = append(hours, strings.TrimPrefix(strings.Fields(line)[2], "05-18T0"))
			}
			if got := strings.Join(hours, " "); got != c.want {
				r.Errorf("from %v to %v of %q and %q: hours %q, not %q", c.from, c.to, q.Entity, q.Resource, got, c.want)
			}
		}
	}
}
