package settle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/local"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// losing is a settler over a store whose writes may fail, with what it has reported.
type losing struct {
	*testing.T
	*Settler
	backend.Backend
	state  *charge.State
	fails  func(nth int64) error // nil: a write is made
	writes atomic.Int64
	heard  map[charge.Kind]map[string]int64
}

// Apply implements backend.Backend.
func (l *losing) Apply(ctx context.Context, writes []backend.Write, outs []backend.Outcome) error {
	n := l.writes.Add(1)
	if l.fails != nil {
		if err := l.fails(n); err != nil {
			return err
		}
	}
	return l.Backend.Apply(ctx, writes, outs)
}

const losingNow = bucket.MinTime + int64(time.Hour)

// newLosing is a settler of one bucket, of a store that others may have, too.
func newLosing(t *testing.T, of backend.Backend) *losing {
	t.Helper()
	l := &losing{T: t, Backend: of, heard: map[charge.Kind]map[string]int64{}}
	clock := func() int64 { return losingNow }
	l.Settler = New(charge.New(charge.Options{
		Store:     store.New(store.Options{Backend: l, Now: clock, Sleep: pause.For, Logger: slog.Default()}),
		Namespace: "default", CacheSize: 1, Now: clock,
		CheckID: func(string, string) error { return nil },
		Start:   func(f func(context.Context)) { f(t.Context()) },
		Report: func(_ context.Context, r charge.Report) {
			if l.heard[r.Kind] == nil {
				l.heard[r.Kind] = map[string]int64{}
			}
			for name, n := range r.Tokens {
				l.heard[r.Kind][name] += n
			}
		},
	}))
	var err error
	if l.state, err = l.StateAt(&charge.ID{Entity: "e", Resource: "r"}); err != nil {
		t.Fatal(err)
	}
	return l
}

// limitsOf are limits of 1,000 a minute.
func limitsOf(names ...string) *limitset.Set {
	var all []bucket.Limit
	for _, name := range names {
		all = append(all, bucket.Limit{Name: name, Capacity: 1000, RefillAmount: 1000, RefillPeriod: time.Minute})
	}
	return limitset.Of(all, false)
}

// make makes the bucket's record with these limits, of which one token each is used.
func (l *losing) make(set *limitset.Set) *Part {
	l.Helper()
	p := newPart(l.state, set, backend.Num{})
	for i := range set.Terms {
		p.at(i).pending = 1
	}
	if err := l.settleDirectly(l.Context(), p, losingNow); err != nil {
		l.Fatal(err)
	}
	l.writes.Store(0)
	return p
}

// want compares the counters of the record, and what was reported.
func (l *losing) want(used string, kind charge.Kind, heard string) {
	l.Helper()
	r, err := l.Store.ReadOne(l.Context(), l.Key(l.state))
	if err != nil {
		l.Fatal(err)
	}
	if got := fmt.Sprint(r.Int64(schema.Used(0)), r.Int64(schema.Used(1))); got != used {
		l.Errorf("%s are used, not %s", got, used)
	}
	if got := fmt.Sprint(l.heard[kind]); got != "map["+heard+"]" {
		l.Errorf("reported: %s, not %s", got, heard)
	}
}

var errAway = fmt.Errorf("%w: away", backend.ErrUnavailable)

// TestUsageOfALimitSeenLate: usage is counted by a record that has got its limit since it was last seen.
func TestUsageOfALimitSeenLate(t *testing.T) {
	one, two := memory.New(nil), memory.New(nil)
	l := newLosing(t, one)
	l.make(limitsOf("a"))
	l.Backend = two // another process has removed the record, and made another one
	both := limitsOf("a", "b")
	p := newLosing(t, two).make(both)
	l.settleOwed(l.state, both, pocket.Owed{
		Refund: pocket.Tokens{0, 0}, Charge: pocket.Tokens{0, 0}, Used: pocket.Tokens{2, 5}, Acquired: 1, Born: p.born,
	})
	l.want("3 6", charge.UsageLost, "")
}

// TestGoneAndAway: usage of a limit that is gone is reported once, although the write of the rest fails.
func TestGoneAndAway(t *testing.T) {
	l := newLosing(t, memory.New(nil))
	l.make(limitsOf("a"))
	l.fails = func(int64) error { return errAway }
	p := newPart(l.state, limitsOf("a", "b"), backend.Num{})
	p.at(0).pending, p.at(1).pending = 3, 5
	l.SettleAside(t.Context(), p)
	l.want("1 0", charge.UsageLost, "a:3 b:5")
}

// TestGoneAndAwayTogether: the same, of leases whose shared write has failed, and which then settle alone.
func TestGoneAndAwayTogether(t *testing.T) {
	l := newLosing(t, memory.New(nil))
	l.make(limitsOf("a"))
	l.fails = func(nth int64) error {
		if nth <= 1 {
			return backend.ErrRejected
		}
		return nil
	}
	var group []*settlement
	both := limitsOf("a", "b")
	for range 2 {
		p := newPart(l.state, both, backend.Num{})
		p.at(0).pending, p.at(1).pending = 3, 5
		group = append(group, &settlement{Part: p, charges: true, outcome: make(chan error, 1)})
	}
	l.waiting[l.state] = new(settlements)
	if err := l.settleGroup(t.Context(), l.state, group, losingNow); !errors.Is(err, errAlone) {
		t.Fatal(err)
	}
	for _, s := range group {
		if err := l.settleDirectly(t.Context(), s.Part, losingNow); err != nil {
			t.Fatal(err)
		}
	}
	l.want("7 0", charge.UsageLost, "b:10")
}

// TestGoneAndWrittenBack: the same, of a write-back that is made in its second try.
func TestGoneAndWrittenBack(t *testing.T) {
	l, both := newLosing(t, memory.New(nil)), limitsOf("a", "b")
	l.make(limitsOf("a"))
	w := &WriteBack{Settler: l.Settler, Buckets: local.New(local.Whole, 1), Lost: func(context.Context, int64) {}}
	w.Convert = func(context.Context, string, string, *limitset.Set) error { return nil }
	w.Buckets.Take(losingNow, []local.Charge{{ID: local.ID{Entity: "e", Resource: "r"}, Configured: both, Limits: both, Need: []int64{3, 5}, Tats: new(limitset.Arrivals)}}, true)
	l.fails = func(int64) error {
		return errAway
	}
	if err := w.try(t.Context(), w.Buckets.Next(losingNow)); err == nil {
		t.Fatal("no error")
	}
	l.fails = nil
	if err := w.try(t.Context(), w.Buckets.Next(losingNow)); err != nil {
		t.Fatal(err)
	}
	l.want("4 0", charge.UsageLost, "b:5")
}

// TestChargeThatLowers: a write that charges tokens and lowers the counter counts nothing when the charge is sent again alone.
func TestChargeThatLowers(t *testing.T) {
	l, set := newLosing(t, memory.New(nil)), limitsOf("a")
	p := l.make(set)
	l.fails = func(nth int64) error {
		if nth == 1 {
			return backend.ErrOutcomeUnknown
		}
		return nil
	}
	l.settleOwed(l.state, set, pocket.Owed{Refund: pocket.Tokens{0}, Charge: pocket.Tokens{1}, Used: pocket.Tokens{-2}, Born: p.born})
	l.want("1 0", charge.RefundLost, "a:2")
}

// TestRejectedForEver: what the store rejects does not wait.
func TestRejectedForEver(t *testing.T) {
	l, set := newLosing(t, memory.New(nil)), limitsOf("a")
	p := l.make(set)
	l.fails = func(nth int64) error {
		if nth > 1 {
			return nil
		}
		return backend.ErrRejected
	}
	l.settleOwed(l.state, set, pocket.Owed{Refund: pocket.Tokens{0}, Charge: pocket.Tokens{2}, Used: pocket.Tokens{2}, Born: p.born})
	l.want("1 0", charge.UsageLost, "a:2")
}

// TestWaitsInABubble: what waits for the store lets virtual time go on, although the limiter was made outside of the bubble.
func TestWaitsInABubble(t *testing.T) {
	away, back := context.WithCancel(context.Background())
	defer back()
	away.Done()
	set := limitsOf("a")
	synctest.Test(t, func(t *testing.T) {
		l := newLosing(t, memory.New(nil))
		l.Start = func(f func(context.Context)) { f(away) }
		l.fails = func(nth int64) error {
			if nth < 10 {
				return errAway
			}
			return nil
		}
		l.settleOwed(l.state, set, pocket.Owed{Refund: pocket.Tokens{0}, Charge: pocket.Tokens{1}, Used: pocket.Tokens{1}})
		l.want("1 0", charge.UsageLost, "")
	})
}

// TestUsageBesideARefundOfAnotherLife: a refund that another life of the record refuses takes no usage with it, and lowers no counter,
// however many acquires are counted beside it.
func TestUsageBesideARefundOfAnotherLife(t *testing.T) {
	for acquired := int64(-1); acquired <= 1; acquired++ {
		l, both := newLosing(t, memory.New(nil)), limitsOf("a", "b")
		l.make(both)
		l.settleOwed(l.state, both, pocket.Owed{
			Refund: pocket.Tokens{2, 0}, Charge: pocket.Tokens{0, 0}, Used: pocket.Tokens{-2, 5}, Acquired: acquired, Born: backend.Int(1),
		})
		l.want("1 6", charge.UsageLost, "")
	}
}

// TestLosesWhatLowers: of a write-back that is given up, what would have lowered counters is lost refunds.
func TestLosesWhatLowers(t *testing.T) {
	l, both := newLosing(t, memory.New(nil)), limitsOf("a", "b")
	l.make(both)
	w := &WriteBack{Settler: l.Settler, Buckets: local.New(local.Whole, 1)}
	w.Buckets.Take(losingNow, []local.Charge{{ID: local.ID{Entity: "e", Resource: "r"}, Configured: both, Limits: both, Need: []int64{3, 5}, Tats: new(limitset.Arrivals)}}, true)
	o := w.Buckets.Next(losingNow)
	o.Items[0].Used = -3
	w.loseUsage(o, errAway)
	l.want("1 1", charge.UsageLost, "b:5")
	l.want("1 1", charge.RefundLost, "a:3")
}
