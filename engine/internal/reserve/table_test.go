package reserve_test

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

var seed = flag.Uint64("seed", 1, "of the simulation")

func oneOrTen(r *rand.Rand) []int64 {
	if r.Float64() < 0.1 {
		return []int64{10}
	}
	return []int64{1}
}

// TestTable reproduces the table of the design.
func TestTable(t *testing.T) {
	alltests.Only(t)
	t.Parallel()
	const T = 120 * sec
	one := func(rate, capacity int64) []bucket.Limit { return []bucket.Limit{perSecond(rate, capacity)} }
	for _, s := range []struct {
		scenario
		most figures // of all but admitted, which is the least
	}{
		{scenario{name: "100 callers, 1 process, 20/s", processes: 1, limits: one(20, 20), closed: 100, length: T}, figures{1.05, 0.99, 0.05, 0.001}},
		{scenario{name: "200 callers, 8 processes, 20/s", processes: 8, limits: one(20, 20), closed: 200, length: T}, figures{1.05, 0.99, 0.02, 0.05}},
		{scenario{name: "200 callers, 8 processes, 20/s, 1 and 10", processes: 8, limits: one(20, 20), closed: 200, amounts: oneOrTen, length: T}, figures{1.05, 0.99, 0.02, 0.05}},
		{scenario{name: "5,000 callers, 50 processes, 100/s", processes: 50, limits: one(100, 100), closed: 5000, length: T}, figures{1.05, 0.99, 0.02, 0.06}},
		{scenario{name: "2,000 callers, 50 processes, 1,000/s", processes: 50, limits: one(1000, 1000), closed: 2000, length: T}, figures{0.7, 0.99, 0.02, 0.1}},
		{scenario{name: "demand 1.3, 8 processes, 20/s, deadline 5 s", processes: 8, limits: one(20, 20), open: 26, deadline: 5 * sec, length: T}, figures{1.35, 0.99, 0.05, 0.1}},
		{scenario{name: "demand 1.3, 8 processes, 20/s, patience 5 s", processes: 8, limits: one(20, 20), open: 26, patience: 5, length: T}, figures{1.5, 0.99, 0.05, 3}},
		{scenario{name: "demand 2, 8 processes, 20/s, capacity 1, patience 2 s", processes: 8, limits: one(20, 1), open: 40, patience: 2, length: T}, figures{2, 0.99, 0.8, 3.5}},
		{scenario{name: "the same, 50 processes", processes: 50, limits: one(20, 1), open: 40, patience: 2, length: T}, figures{3.3, 0.98, 2, 4}},
		{scenario{name: "demand 3, 8 processes, capacity 1, patience 30 s", processes: 8, limits: one(20, 1), open: 60, patience: 30, length: 600 * sec}, figures{2.5, 0.99, 0.05, 30}},
		{scenario{name: "200 callers, 8 processes, half of them cancelled", processes: 8, limits: one(20, 1), closed: 200, cancels: 0.5, length: T}, figures{1.7, 0.99, 0.05, 10}},
		{scenario{name: "5,000 callers, 8 processes, 20/s", processes: 8, limits: one(20, 20), closed: 5000, length: 400 * sec}, figures{1.72, 0.99, 0.05, 500}},
		{scenario{name: "the same, 50 processes", processes: 50, limits: one(20, 20), closed: 5000, length: 400 * sec}, figures{5.1, 0.99, 0.05, 450}},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.scenario.reach = time.Minute
			w := newWorld(s.scenario, *seed)
			w.fail = t.Fatalf
			w.run()
			f := w.figures()
			t.Log(s.name, f)
			if f.writes > s.most.writes || f.admitted < s.most.admitted || f.excess > s.most.excess || f.early > s.most.early {
				t.Errorf("%v; allowed: %v", f, s.most)
			}
		})
	}
}

// TestSeveral holds the figures of paths with several limits: requests and tokens, now and then half of the tokens of a
// minute, and a parent that several entities share.
func TestSeveral(t *testing.T) {
	t.Parallel()
	perMinute := bucket.Limit{Name: "tpm", Capacity: 60_000, RefillAmount: 60_000, RefillPeriod: time.Minute}
	rpmAndTPM := func(r *rand.Rand) []int64 {
		need := []int64{1, r.Int64N(20) + 10}
		if r.IntN(2000) == 0 {
			need[1] = 30_000
		}
		return need
	}
	both := func(*rand.Rand) []int64 { return []int64{1, 1} }
	for _, s := range []struct {
		scenario
		most figures
	}{
		{scenario{name: "1 process", processes: 1, closed: 100, limits: []bucket.Limit{perSecond(20, 20), perMinute}, amounts: rpmAndTPM}, figures{1.05, 0.99, 0.1, 0.1}},
		{scenario{name: "8 processes", processes: 8, closed: 200, limits: []bucket.Limit{perSecond(20, 20), perMinute}, amounts: rpmAndTPM}, figures{1.6, 0.95, 0.1, 1}},
		{scenario{name: "50 processes, 500 callers at once", processes: 50, closed: 500, limits: []bucket.Limit{perSecond(20, 20), perMinute}, amounts: rpmAndTPM}, figures{2.8, 0.9, 0.1, 2}},
		{scenario{name: "50 processes", processes: 50, open: 22, limits: []bucket.Limit{perSecond(20, 20), perMinute}, amounts: rpmAndTPM}, figures{2.35, 0.95, 0.1, 1}},
		{scenario{name: "10 entities with a parent", processes: 8, closed: 200, children: 10, limits: []bucket.Limit{perSecond(20, 20)}, parent: []bucket.Limit{perSecond(20, 20)}, amounts: both}, figures{2.4, 0, 2, 2}},
		{scenario{name: "the entity decides", processes: 8, closed: 200, children: 1, limits: []bucket.Limit{perSecond(20, 20)}, parent: []bucket.Limit{perSecond(50, 50)}, amounts: both}, figures{2.1, 0.99, 0.1, 1}},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.scenario.reach, s.scenario.length = time.Minute, 120*sec
			w := newWorld(s.scenario, *seed)
			w.fail = t.Fatalf
			w.run()
			f := w.figures()
			t.Log(s.name, f)
			if f.writes > s.most.writes || f.admitted < s.most.admitted || f.excess > s.most.excess || f.early > s.most.early {
				t.Errorf("%v; allowed: %v", f, s.most)
			}
		})
	}
}
