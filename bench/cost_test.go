package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// shop is a store with a bill, a clock that stands still unless told, and two processes' limiters over them.
type shop struct {
	t     *testing.T
	store *ledger
	at    time.Time
	mine  *engine.Limiter
	other *engine.Limiter
	lease *engine.Lease
}

func newShop(t *testing.T, quick bool) *shop {
	s := &shop{t: t, store: newLedger(), at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s.mine, s.other = s.limiter(quick), s.limiter(quick)
	return s
}

func (s *shop) limiter(quick bool) *engine.Limiter {
	store := backend.Backend(s.store)
	if quick {
		store = quickLedger{s.store}
	}
	l, err := engine.New(store, &engine.Options{
		FollowInterval: time.Minute, // so that a look costs nothing beside an operation, unless it waits for it
		Now:            func() time.Time { return s.at },
		Sleep:          func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	s.must(err)
	s.t.Cleanup(func() { l.Close() })
	return l
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

const ten = 10 // the capacity in these tests, per minute

var perMinute = []engine.Limit{engine.PerMinute("rpm", ten), engine.PerMinute("tpm", ten)}

// ask asks for n tokens of rpm and one of tpm, and wants the answer to be as said.
func (s *shop) ask(l *engine.Limiter, entity string, n int64, admitted bool) {
	s.t.Helper()
	lease, err := l.Acquire(s.t.Context(), engine.Request{
		Entity: entity, Resource: resource, Limits: perMinute, Consume: engine.Tokens{"rpm": n, "tpm": 1},
	})
	if err != nil && !errors.As(err, new(*engine.ExceededError)) {
		s.t.Fatal(err)
	}
	if (err == nil) != admitted {
		s.t.Fatalf("%s, %d tokens: %v", entity, n, err)
	}
	s.lease = lease
}

func (s *shop) take(entity string)   { s.t.Helper(); s.ask(s.mine, entity, 1, true) }
func (s *shop) denied(entity string) { s.t.Helper(); s.ask(s.mine, entity, ten, false) }

// family makes user a child of team, and that a child of org, all with the resource's limits.
func (s *shop) family() {
	s.t.Helper()
	for _, e := range []engine.Entity{{ID: "org"}, {ID: "team", Parent: "org", Cascade: true}, {ID: "user", Parent: "team", Cascade: true}} {
		s.must(s.mine.CreateEntity(s.t.Context(), e, nil))
	}
	s.must(s.mine.SetResourceDefaults(s.t.Context(), resource, perMinute))
}

// price is what an operation costs after another one.
type price struct {
	name          string
	before, after func(*shop)
	want          bill
}

// one is a write and nothing else: the price of most things.
var one = bill{applies: 1, writes: 1}

var prices = []price{
	{"acquire", func(s *shop) { s.take("a") }, func(s *shop) { s.take("a") }, one},
	{"acquire a moment later", func(s *shop) { s.take("a"); s.at = s.at.Add(10 * time.Millisecond) }, func(s *shop) { s.take("a") }, one},
	{"acquire of a bucket that is full again", func(s *shop) { s.take("a"); s.at = s.at.Add(30 * time.Second) }, func(s *shop) { s.take("a") }, one},
	{"acquire after somebody else's", func(s *shop) { s.take("a"); s.ask(s.other, "a", 1, true) }, func(s *shop) { s.take("a") }, one},
	{
		"first use of the process",
		func(*shop) {},
		func(s *shop) { s.take("a") },
		bill{lists: 1, reads: 2, keys: 6, applies: 1, writes: 1}, // the first look, and the configuration
	},
	{"first use of a bucket", func(s *shop) { s.take("a") }, func(s *shop) { s.take("b") }, bill{reads: 1, keys: 3, applies: 1, writes: 1}},
	{"denial, where the last acquire shows it", func(s *shop) { s.take("a") }, func(s *shop) { s.denied("a") }, bill{}},
	{"repeated denial", func(s *shop) { s.take("a"); s.denied("a") }, func(s *shop) { s.denied("a") }, bill{}},
	{
		"denial, where others have taken the tokens",
		func(s *shop) { s.take("a"); s.ask(s.other, "a", 5, true) },
		func(s *shop) { s.ask(s.mine, "a", 5, false) },
		bill{applies: 1, writes: 1, refused: 1},
	},
	{
		"denial, after the last one is too old to be trusted",
		func(s *shop) { s.take("a"); s.denied("a"); s.at = s.at.Add(1001 * time.Millisecond) },
		func(s *shop) { s.denied("a") },
		bill{applies: 1, writes: 1, refused: 1},
	},
	{"commit", func(s *shop) { s.take("a") }, func(s *shop) { s.must(s.lease.Commit(s.t.Context())) }, bill{}},
	{"adjust and commit", func(s *shop) { s.take("a") }, adjustAndCommit(2, -1), one},
	{"adjust down and commit", func(s *shop) { s.take("a") }, adjustAndCommit(-1, -1), one},
	{"rollback", func(s *shop) { s.take("a") }, func(s *shop) { s.must(s.lease.Rollback(s.t.Context())) }, one},
	{"rollback after commit", func(s *shop) { s.take("a"); s.must(s.lease.Commit(s.t.Context())) }, func(s *shop) { s.must(s.lease.Rollback(s.t.Context())) }, bill{}},
	{"more for a lease", func(s *shop) { s.take("a") }, func(s *shop) { s.must(s.lease.Consume(s.t.Context(), engine.Tokens{"rpm": 1})) }, one},
	{"release", func(s *shop) { s.take("a") }, func(s *shop) { s.must(s.lease.Release(s.t.Context(), engine.Tokens{"rpm": 1})) }, one},
	{
		"what is available",
		func(s *shop) { s.take("a") },
		func(s *shop) {
			_, err := s.mine.Available(s.t.Context(), "a", resource, perMinute...)
			s.must(err)
		},
		bill{reads: 1, keys: 1},
	},
	{
		"how long to wait",
		func(s *shop) { s.take("a"); s.denied("a") },
		func(s *shop) {
			wait, err := s.mine.TimeUntilAvailable(s.t.Context(), engine.Request{
				Entity: "a", Resource: resource, Limits: perMinute, Consume: engine.Tokens{"rpm": ten},
			})
			if s.must(err); wait != 6*time.Second {
				s.t.Errorf("%v", wait)
			}
		},
		bill{reads: 1, keys: 1},
	},
}

// cascades are the prices where an entity's parents are charged, too.
var cascades = []price{
	{"cascade 2", func(s *shop) { s.family(); s.take("team") }, func(s *shop) { s.take("team") }, bill{applies: 2, writes: 2}},
	{"cascade 3", func(s *shop) { s.family(); s.take("user") }, func(s *shop) { s.take("user") }, bill{applies: 3, writes: 3}},
	{"cascade 3, commit", func(s *shop) { s.family(); s.take("user") }, func(s *shop) { s.must(s.lease.Commit(s.t.Context())) }, bill{}},
	{"cascade 3, rollback", func(s *shop) { s.family(); s.take("user") }, func(s *shop) { s.must(s.lease.Rollback(s.t.Context())) }, bill{applies: 3, writes: 3}},
	{
		"cascade 2, denial by a parent that is known to be empty",
		func(s *shop) { s.family(); s.take("team"); s.ask(s.mine, "org", ten-1, true) },
		func(s *shop) { s.ask(s.mine, "team", 1, false) },
		bill{},
	},
	{
		"cascade 2, denial by a parent that others have emptied",
		func(s *shop) { s.family(); s.take("team"); s.ask(s.other, "org", ten-1, true) },
		func(s *shop) { s.ask(s.mine, "team", 1, false) },
		bill{applies: 3, writes: 3, refused: 1},
	},
}

// changes are the prices of configuration, and of learning that it has changed.
var changes = []price{
	{
		"set the system's defaults",
		func(*shop) {},
		func(s *shop) { s.must(s.mine.SetSystemDefaults(s.t.Context(), perMinute, nil)) },
		bill{lists: 1, reads: 2, keys: 2, commits: 1, committed: 2},
	},
	{
		"set an entity's limits",
		func(s *shop) { s.take("a") },
		func(s *shop) { s.set(s.mine, 20) }, // what is stored, what counts, the bucket; which is then converted
		bill{reads: 4, keys: 13, applies: 1, writes: 1, commits: 1, committed: 4},
	},
	{"set the limits that are there", func(s *shop) { s.take("a"); s.set(s.mine, 20) }, func(s *shop) { s.set(s.mine, 20) }, bill{reads: 3, keys: 8}},
	{"acquire after an own change", func(s *shop) { s.take("a"); s.set(s.mine, 20) }, func(s *shop) { s.take("a") }, one},
	{
		"acquire after a minute without any",
		func(s *shop) { s.take("a"); s.at = s.at.Add(time.Minute) },
		func(s *shop) { s.take("a") },
		bill{lists: 1, reads: 1, keys: 2, applies: 1, writes: 1}, // the look reads the resource and the system again
	},
}

// sharedAtFirst is the price of the first use of a bucket that others use. On a store without I/O, which knows the greater of
// two numbers, nothing needs to be guessed.
func sharedAtFirst(quick bool) price {
	want := bill{reads: 1, keys: 3, applies: 2, writes: 2, refused: 1}
	if quick {
		want = bill{reads: 1, keys: 3, applies: 1, writes: 1}
	}
	return price{
		"first use of a bucket that others use",
		func(s *shop) { s.take("a"); s.ask(s.other, "b", 1, true) },
		func(s *shop) { s.take("b") },
		want,
	}
}

// learning is the price of an acquire after somebody else's change.
var learning = price{
	"acquire after somebody else's change",
	func(s *shop) { s.take("a"); s.set(s.other, 20) },
	func(s *shop) { s.take("a") },
	bill{reads: 1, keys: 5, applies: 2, writes: 2, refused: 1},
}

func (s *shop) set(l *engine.Limiter, n int64) {
	s.t.Helper()
	s.must(l.SetLimits(s.t.Context(), "a", resource, []engine.Limit{engine.PerMinute("rpm", n), engine.PerMinute("tpm", n)}))
}

func adjustAndCommit(rpm, tpm int64) func(*shop) {
	return func(s *shop) {
		s.must(s.lease.Adjust(engine.Tokens{"rpm": rpm, "tpm": tpm}))
		s.must(s.lease.Commit(s.t.Context()))
	}
}

// TestPrices holds every operation to what it may ask of a store, on one that takes its time and on one without I/O.
func TestPrices(t *testing.T) {
	for _, quick := range []bool{false, true} {
		for _, p := range slices.Concat(prices, cascades, changes, []price{learning, sharedAtFirst(quick)}) {
			t.Run(fmt.Sprintf("quick=%t/%s", quick, p.name), func(t *testing.T) {
				s := newShop(t, quick)
				p.before(s)
				before := s.store.now()
				p.after(s)
				if got := s.store.now().minus(before); got != p.want {
					t.Errorf("%v, not %v", got, p.want)
				}
			})
		}
	}
}

// TestCommits counts the transactions that a durable bbolt store commits: each is two syncs. The limiter's denials are
// those that ask the store each time.
func TestCommits(t *testing.T) {
	const n = 100
	for _, c := range []struct {
		name string
		who  contender
		workload
		least, most uint64
	}{
		{"admissions", allow, hotSerial, n, n},
		{"admissions with a lease", acquire, hotSerial, n, n},
		{"admissions in a cascade of 2", allow, cascade2, n, 2 * n},
		{"admissions by 64 goroutines", allow, hotMany, 1, n},
		{"denials", denyByStore, denials, 0, 0},
		{"writes that hold", floorApply, hotSerial, n, n},
		{"refused writes", floorApply, denials, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			commits, err := commitsOf(t.TempDir(), c.who, c.workload, n)
			if err != nil {
				t.Fatal(err)
			}
			if commits < c.least || commits > c.most {
				t.Errorf("%d commits, %d to %d expected", commits, c.least, c.most)
			}
		})
	}
}

// commitsOf counts what n decisions commit.
func commitsOf(dir string, who contender, w workload, n int) (uint64, error) {
	k, file := watched()
	s, err := who.openFunc(k, dir, w)
	if err != nil {
		return 0, err
	}
	defer s.close() //nolint:errcheck // what was to be known of it is known
	before, err := file.commits()
	if err != nil {
		return 0, err
	}
	l, err := newCourse(w).newLap(s, n, 0)
	if err != nil {
		return 0, err
	}
	l.run()
	if err := l.check(); err != nil {
		return 0, err
	}
	after, err := file.commits()
	return after - before, err
}
