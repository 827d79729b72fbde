package dynamo_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/dynamolocal"
	"github.com/zeroae/zae-limiter-go/internal/prices"
)

// till counts what the calls of a limiter cost. DynamoDB bills reads and writes in units of their own. A limiter looks for
// changes in the background, hence the lock.
type till struct {
	mu sync.Mutex
	cost
}

type cost struct{ requests, writes, reads float64 }

// Observe implements [engine.Observer].
func (c *till) Observe(e engine.Event) {
	if e.Kind != engine.EventStoreCall {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests += float64(e.Requests)
	if e.Call == "read" || e.Call == "list" {
		c.reads += e.Units
	} else {
		c.writes += e.Units
	}
}

// take empties the till.
func (c *till) take() cost {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.cost
	c.cost = cost{}
	return was
}

// shop is two processes on one table.
type shop struct {
	*testing.T
	till        till
	at          time.Time
	mine, other *engine.Limiter
	lease       *engine.Lease
}

var rates = []engine.Limit{engine.PerMinute("rpm", 10), engine.PerMinute("tpm", 10_000)}

func newShop(t *testing.T, server *dynamotest.Server) *shop {
	s := &shop{T: t, at: time.Unix(4_000_000_000, 0)}
	name, o := server.Table(t)
	limiter := func(observer engine.Observer) *engine.Limiter {
		l, err := engine.New(mustOpen(t, name, o), &engine.Options{
			Observer: observer, Timeout: time.Minute, Now: func() time.Time { return s.at },
			FollowInterval: time.Minute, // so that a look costs nothing beside an operation, unless it waits for it
			Sleep:          func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	s.mine, s.other = limiter(&s.till), limiter(nil)
	s.must(s.other.SetSystemDefaults(t.Context(), rates, nil))
	return s
}

func (s *shop) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *shop) ask(l *engine.Limiter, entity string, n int64, admitted bool) {
	s.Helper()
	lease, err := l.Acquire(s.Context(), engine.Request{Entity: entity, Resource: "gpt-4", Consume: engine.Tokens{"rpm": n, "tpm": 500}})
	if (err == nil) != admitted {
		s.Fatalf("%d tokens for %s: %v", n, entity, err)
	}
	s.lease = lease
}

func (s *shop) take(entity string) { s.Helper(); s.ask(s.mine, entity, 1, true) }

// family is user below team below org.
func (s *shop) family() {
	for _, e := range []engine.Entity{{ID: "org"}, {ID: "team", Parent: "org", Cascade: true}, {ID: "user", Parent: "team", Cascade: true}} {
		s.must(s.other.CreateEntity(s.Context(), e, nil))
	}
}

// costs are what operations cost, after what was before.
var costs = []struct {
	name           string
	before, charge func(*shop)
	want           cost
}{
	{"acquire", func(s *shop) { s.take("a") }, func(s *shop) { s.take("a") }, cost{1, 1, 0}},
	{"acquire, bucket full again", func(s *shop) { s.take("a"); s.at = s.at.Add(10 * time.Second) }, func(s *shop) { s.take("a") }, cost{1, 1, 0}},
	{"acquire, first of the process, in a bucket that others use", func(s *shop) { s.ask(s.other, "a", 1, true) }, func(s *shop) { s.take("a") }, cost{5, 2, 2.5}},
	{"acquire, first use of the bucket", func(s *shop) { s.take("b") }, func(s *shop) { s.take("a") }, cost{2, 2, 0}},
	{"acquire, two buckets (parent)", func(s *shop) { s.family(); s.take("team") }, func(s *shop) { s.take("team") }, cost{2, 2, 0}},
	{"acquire, three buckets", func(s *shop) { s.family(); s.take("user") }, func(s *shop) { s.take("user") }, cost{3, 3, 0}},
	{"denial, seen in the last acquire", func(s *shop) { s.take("a") }, func(s *shop) { s.ask(s.mine, "a", 10, false) }, cost{}},
	{"denial, tokens taken by others", func(s *shop) { s.take("a"); s.ask(s.other, "a", 5, true) }, func(s *shop) { s.ask(s.mine, "a", 5, false) }, cost{1, 1, 0}},
	{"the same denial again", func(s *shop) { s.take("a"); s.ask(s.other, "a", 5, true); s.ask(s.mine, "a", 5, false) }, func(s *shop) { s.ask(s.mine, "a", 5, false) }, cost{}},
	{"commit, nothing adjusted", func(s *shop) { s.take("a") }, func(s *shop) { s.must(s.lease.Commit(s.Context())) }, cost{}},
	{"adjust and commit, more", func(s *shop) { s.take("a") }, func(s *shop) {
		s.must(s.lease.Adjust(engine.Tokens{"tpm": 100}))
		s.must(s.lease.Commit(s.Context()))
	}, cost{1, 1, 0}},
	{"adjust and commit, less", func(s *shop) { s.take("a") }, func(s *shop) {
		s.must(s.lease.Adjust(engine.Tokens{"tpm": -100}))
		s.must(s.lease.Commit(s.Context()))
	}, cost{1, 1, 0}},
	{"rollback", func(s *shop) { s.take("a") }, func(s *shop) { s.must(s.lease.Rollback(s.Context())) }, cost{1, 1, 0}},
	{"rollback of three buckets", func(s *shop) { s.family(); s.take("user") }, func(s *shop) { s.must(s.lease.Rollback(s.Context())) }, cost{3, 3, 0}},
	{"acquire, after a minute without any", func(s *shop) { s.take("a"); s.at = s.at.Add(2 * time.Minute) }, func(s *shop) { s.take("a") }, cost{3, 1, 1.5}},
	{"look for changes, once a second and process", func(s *shop) { s.take("a") }, func(s *shop) { s.must(s.mine.Refresh(s.Context())) }, cost{1, 0, 0.5}},
	{"available", func(s *shop) { s.take("a") }, func(s *shop) {
		_, err := s.mine.Available(s.Context(), "a", "gpt-4")
		s.must(err)
	}, cost{1, 0, 1}},
	{"set limits of a resource", func(s *shop) { s.take("a") }, func(s *shop) {
		s.must(s.mine.SetResourceDefaults(s.Context(), "gpt-4", rates))
	}, cost{2, 8, 1}},
	{"set limits of an entity for a resource", func(s *shop) { s.take("a") }, func(s *shop) {
		s.must(s.mine.SetLimits(s.Context(), "b", "gpt-4", rates))
	}, cost{4, 12, 3}},
	{"limits changed, the next acquire", func(s *shop) {
		s.take("a")
		s.must(s.mine.SetResourceDefaults(s.Context(), "gpt-4", []engine.Limit{engine.PerMinute("rpm", 20), engine.PerMinute("tpm", 10_000)}))
	}, func(s *shop) { s.take("a") }, cost{4, 2, 4}},
	{"reset of a bucket", func(s *shop) { s.take("a") }, func(s *shop) { s.must(s.mine.ResetBucket(s.Context(), "a", "gpt-4")) }, cost{2, 12, 1}},
}

// TestCosts asserts what each operation costs on a DynamoDB that reports units as the service does, and that docs/costs.md
// says so.
func TestCosts(t *testing.T) {
	t.Parallel()
	server := dynamotest.Start(t, &dynamotest.Options{Version: dynamolocal.VersionExact})
	var page bytes.Buffer
	page.WriteString(costsHead)
	of := prices.OnDemand
	fmt.Fprintf(&page, costsPrices, of.Region, of.Month, of.Write, of.Read)
	for _, c := range costs {
		s := newShop(t, server)
		c.before(s)
		s.till.take()
		c.charge(s)
		paid := s.till.take()
		if paid != c.want {
			t.Errorf("%s: %+v, not %+v (requests, write units, read units)", c.name, paid, c.want)
		}
		dollars := prices.OnDemand.Dollars(paid.writes, paid.reads) * 1e6
		fmt.Fprintf(&page, "| %s | %g | %g | %g | %.3f |\n", c.name, paid.requests, paid.writes, paid.reads, dollars)
	}
	page.WriteString(costsFoot)
	path := filepath.Join("..", "..", "docs", "costs.md")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, page.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if there, err := os.ReadFile(path); err != nil || !bytes.Equal(there, page.Bytes()) {
		t.Errorf("docs/costs.md is out of date (%v): UPDATE_GOLDEN=1 go test ./backend/dynamo -run TestCosts", err)
	}
}

const costsHead = `# What operations cost on DynamoDB

A test writes this page (` + "`TestCosts`" + ` in ` + "`backend/dynamo`" + `). It asserts every row of the first table on DynamoDB Local 2.6.1, because that version
reports the units of transactions as the service does. Nothing on this page was measured on the service itself. The tables are for buckets with two
limits, short names, and a table on demand.

`

const costsPrices = `Prices: %s, on demand, %s: $%g for a million write units, $%g for a million read units.

| operation | requests | write units | read units | $ for a million |
|---|--:|--:|--:|--:|
`

const costsFoot = `
- A bucket's record is one write unit (1,024 bytes) for entity ids of up to 64 bytes, resources of up to 32 bytes, and 8 limits with names of up
  to 32 bytes. In an entity id, ` + "`|`" + ` and ` + "`%`" + ` count as three bytes each. With longer names an acquire costs two or three units, which the event
  ` + "`EventLargeRecord`" + ` reports.
- DynamoDB Local counts a read of several keys by the records that exist. The service also bills one read unit for a key without a record. The
  first use of a bucket by a process reads three keys, so it costs three units ($0.375 for a million).
- A look for changes of the configuration is half a read unit while nothing changes: $0.16 a month for a process that is always busy. In a
  namespace other than ` + "`default`" + ` it also reads the namespace's registration, one unit more.
- Acquires change no key of the index, so they cost no index unit. The first write of a bucket costs one.
- DynamoDB deletes a bucket's record without charge once the bucket has been full for ` + "`MaxHold`" + ` and 10 minutes (70 minutes unless you set
  ` + "`MaxHold`" + `). A bucket that is used less often is created again each time, at one more unit for the index.
- A failed condition is billed like a write. A denial that is known is answered from memory, and costs nothing.
- DynamoDB serves at most 1,000 write units a second for one bucket, admissions and denials together.
- The aggregator, backups and readers of the stream are not in the table.

If several processes share a half-used bucket, they need a second write now and then: a write states whether it expects the bucket to be full or
in use, and a wrong guess is refused. This table shows the requests that a decision takes. The named tests assert the bound:

| who | requests per decision | bound | test |
|---|--:|--:|---|
| one process, at any utilisation | 1.000 | 1 | ` + "`TestRequestsPerDecision/IO/Sequential`" + ` |
| 8 processes at half of the limit; two limits | 1.47; 1.64 | 1.5; 1.65 | ` + "`TestRequestsPerDecision/IO/SharedBucket`" + ` |
| 8 processes at a tenth; nine tenths; twice the limit | 1.11; 1.08; 1.00 | 1.15; 1.55; 1.01 | the same |
| 8 saturating processes, every denial asked of the store | 1.001 | 1.01 | ` + "`Saturation/EightProcesses`" + ` |
| 100 processes at nine tenths | 1.06 | 1.2 | ` + "`TestRequestsPerDecision/IO/SharedBucket`" + ` |
| a denial repeated within its time, a second at most | 0 | 0 | ` + "`TestRequestsPerDecision/IO/KnownDenials`" + ` |

This table shows what fleets pay per acquire once each process has seen its entities, with looks. Each entity has two stored limits, and a request
takes the same share of both, a hundredth. ` + "`TestFleets`" + ` in ` + "`bench`" + ` measures it in virtual time, and asserts the bounds:

| processes | entities | requests per entity and minute | writes | keys read | looks | $ for a million | bounds of writes; keys read |
|--:|---|--:|--:|--:|--:|--:|---|
| 10 | 10000 | 1 | 1.01 | 0.002 | 0.057 | 0.637 | 1.02; 0.05 |
| 10 | 10000 below 100 parents | 1 | 2.01 | 0.002 | 0.057 | 1.263 | 2.2; 0.1 |
| 10 | 10000 | 60 | 1.49 | 0.000 | 0.001 | 0.934 | 1.52; 0.05 |
`
