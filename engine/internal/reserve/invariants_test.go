package reserve_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// scenarios are small fleets of all kinds: one and several limits, parents, callers that leave or have deadlines, leases that
// refund, slow writes and lost replies, crashes, resets, queues beyond the reach.
func scenarios() *rapid.Generator[scenario] {
	return rapid.Custom(func(t *rapid.T) scenario {
		rate := rapid.SampledFrom([]int64{2, 20, 200}).Draw(t, "rate")
		s := scenario{
			processes: rapid.SampledFrom([]int{1, 2, 5}).Draw(t, "processes"),
			limits:    []bucket.Limit{perSecond(rate, rapid.SampledFrom([]int64{1, 10, 300}).Draw(t, "capacity"))},
			open:      float64(rate) * rapid.SampledFrom([]float64{0.5, 1.3, 3}).Draw(t, "demand"),
			plain:     float64(rate) * rapid.SampledFrom([]float64{0, 0.5, 2}).Draw(t, "plain"),
			patience:  rapid.SampledFrom([]float64{0, 0, 0.3, 5}).Draw(t, "patience"),
			deadline:  rapid.SampledFrom([]int64{0, 0, sec / 2, 5 * sec}).Draw(t, "deadline"),
			refunds:   rapid.SampledFrom([]float64{0, 0, 0.6}).Draw(t, "refunds"),
			lost:      rapid.SampledFrom([]float64{0, 0, 0.1}).Draw(t, "lost"),
			late:      rapid.SampledFrom([]float64{0, 0.05}).Draw(t, "late"),
			crashes:   rapid.SampledFrom([]float64{0, 0, 0.3}).Draw(t, "crashes"),
			resets:    rapid.SampledFrom([]float64{0, 0, 0.1}).Draw(t, "resets"),
			skew:      rapid.SampledFrom([]int64{0, 0, 5 * sec}).Draw(t, "skew"),
			reach:     rapid.SampledFrom([]time.Duration{0, 100 * time.Millisecond, 3 * time.Second, time.Minute}).Draw(t, "reach"),
		}
		s.open = max(s.open, 2)
		s.length = int64(min(15, 400/s.open) * 1e9)
		limits := append([]bucket.Limit(nil), s.limits...)
		if rapid.Bool().Draw(t, "two") {
			second := perSecond(rapid.SampledFrom([]int64{1, 10, 100}).Draw(t, "rate 2")*rate, 60*rate)
			s.limits = append(s.limits, second)
			limits = append(limits, second)
		}
		if rapid.Bool().Draw(t, "family") {
			s.parent = []bucket.Limit{perSecond(2*rate, rapid.SampledFrom([]int64{5, 600}).Draw(t, "capacity of parent"))}
			s.children = rapid.IntRange(1, 3).Draw(t, "children")
			limits = append(limits, s.parent...)
		}
		heavy := rapid.SampledFrom([]float64{0, 0.1, 0.5}).Draw(t, "heavy")
		s.amounts = func(r *rand.Rand) []int64 {
			need := make([]int64, len(limits))
			for i, l := range limits {
				need[i] = 1
				if r.Float64() < heavy {
					need[i] = r.Int64N(min(10, l.Capacity) + 1)
				}
			}
			need[0] = max(1, need[0])
			return need
		}
		return s
	})
}

// TestInvariants holds random fleets to what must always be true: tokens are conserved at each step, nobody is served later
// than promised or denied without proof (the world checks that), the bound holds, who came earlier is served earlier, and
// nothing is left once nobody comes any more.
func TestInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(scenarios().Draw(t, "scenario"), rapid.Uint64().Draw(t, "seed"))
		w.checks, w.fail = true, t.Fatalf
		w.run()
		w.quieten()
		for _, p := range w.procs {
			for _, l := range p.lines {
				if !l.Rest() || l.Due() != never {
					t.Fatalf("a line has %d in the queue, %d slots, %d of nobody, due %d", l.Queued(), l.Held(), l.Free(), l.Due())
				}
			}
		}
		if w.transit != 0 || w.owed != 0 || w.errors != 0 {
			t.Fatalf("in transit %d, to be refunded %d, errors %d", w.transit, w.owed, w.errors)
		}
		if w.patience+w.refunds+w.resets == 0 && w.deadline == 0 { // refunds may let those who come later be served earlier
			w.checkOrder()
			within := w.reach == time.Minute && w.asked < 40*w.limits[0].RefillAmount // nobody queues beyond the reach
			if within && len(w.limits) == 1 && w.parent == nil && w.lost == 0 && w.skew == 0 {
				w.checkOrderOfAll()
			}
		}
		for r := range w.records {
			w.checkBound(r)
			if w.lost+w.crashes+w.resets == 0 {
				w.checkAcquires(r)
			}
		}
	})
}

// checkAcquires: a record counts those that were served, and nobody who left.
func (w *world) checkAcquires(r int) {
	want := int64(0)
	for _, s := range w.served {
		if _, ok := s.x.need(r, 0); ok && !s.x.plain {
			want++
		}
	}
	if got := w.records[r].acq; got != want {
		w.fail("record %d counts %d acquires, want %d", r, got, want)
	}
}

// checkOrder: of two callers of a line that were served, the one that came earlier is not served later, if it asked for no more
// of any limit; with several limits not later by more than 100 ms and what writes take.
func (w *world) checkOrder() {
	within := int64(0)
	if len(w.limits) > 1 || w.parent != nil {
		within = 100*ms + 2*w.slowest
	}
	for i, later := range w.served {
		for _, s := range w.served[:i] { // s was served before later, or at the same time
			x, y := s.x, later.x // y must not have come earlier
			if x.l != y.l || x.plain || y.plain || y.number > x.number || later.at-s.at <= within {
				continue
			}
			more := false
			for k := range x.Need {
				more = more || y.Need[k] > x.Need[k]
			}
			if !more {
				w.fail("caller %d with %v was served %v before %d with %v", x.number, x.Need, time.Duration(later.at-s.at), y.number, y.Need)
			}
		}
	}
}

// checkOrderOfAll: of two callers of any processes that were served, the one that came earlier by what a few writes take, for
// those that are refused and those that it shares, is not served later: with one limit, whatever they asked for.
func (w *world) checkOrderOfAll() {
	var newest *caller
	for _, s := range w.served {
		switch {
		case s.x.plain:
		case newest != nil && s.x.at+4*w.slowest < newest.at && s.at > newest.servedAt:
			w.fail("caller %d came %v before %d, and was served later", s.x.number, time.Duration(newest.at-s.x.at), newest.number)
		case newest == nil || s.x.at > newest.at:
			newest = s.x
		}
	}
}

// checkBound: for each limit and interval, admissions are at most capacity + rate·(T + 100 ms), what was refunded within the
// interval or up to the reach before it, and what a write takes. A reset adds a capacity and what was reserved.
func (w *world) checkBound(r int) {
	s, slowest := w.records[r], w.slowest
	if w.parent != nil { // two writes, one after the other
		slowest *= 2
	}
	for i, l := range s.limits {
		rate := float64(l.RefillAmount) / float64(l.RefillPeriod)
		allowed := float64(l.Capacity) + rate*float64(100*ms+slowest+w.skew)
		allowed += float64(w.restarts) * (float64(l.Capacity) + rate*float64(w.reach) + rate*float64(w.skew))
		for a, first := range w.served {
			taken, refunded := 0.0, 0.0
			next := 0
			for _, f := range s.refunds {
				if f.at >= first.at-int64(w.reach)-slowest {
					break
				}
				next++
			}
			for _, last := range w.served[a:] {
				n, _ := last.x.need(r, i)
				taken += float64(n)
				for ; next < len(s.refunds) && s.refunds[next].at <= last.at; next++ {
					refunded += float64(s.refunds[next].n[i])
				}
				if over := taken - refunded - allowed - rate*float64(last.at-first.at); over > 1e-6*math.Max(1, taken) {
					w.fail("record %d, limit %d: %.3f tokens beyond the bound in %v", r, i, over, time.Duration(last.at-first.at))
				}
			}
		}
	}
}
