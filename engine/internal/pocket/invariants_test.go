package pocket_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// scenarios draws small fleets in which everything happens that may: bursts, two limits, late and lost replies, callers that
// leave, leases, crashes, clocks that disagree, throttling by the store.
func scenarios() *rapid.Generator[scenario] {
	return rapid.Custom(func(t *rapid.T) scenario {
		rate := rapid.SampledFrom([]float64{5, 50, 500, 3000}).Draw(t, "rate")
		seconds := rapid.SampledFrom([]float64{0.2, 1, 5, 60}).Draw(t, "seconds")
		s := scenario{
			name: "random", processes: rapid.SampledFrom([]int{1, 2, 5, 12}).Draw(t, "processes"),
			limits: []bucket.Limit{perSecond(rate, seconds)},
			use:    rapid.SampledFrom([]float64{0.1, 0.5, 0.9, 1.1, 2, 5}).Draw(t, "use"),
			level:  rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "level"),
			slow:   rapid.SampledFrom([]float64{1, 1, 1, 3, 10}).Draw(t, "slow"),
			leaves: rapid.SampledFrom([]float64{0, 0, 0.3}).Draw(t, "leaves"),
			joins:  rapid.IntRange(0, 3).Draw(t, "joins") == 0,
		}
		if rapid.Bool().Draw(t, "bursty") {
			s.on = rapid.SampledFrom([]float64{0.02, 0.1, 0.5}).Draw(t, "on")
			s.off = rapid.SampledFrom([]float64{0.05, 0.5, 3}).Draw(t, "off")
		}
		if rate >= 500 && rapid.IntRange(0, 2).Draw(t, "heavy") == 0 {
			s.heavy = true
			s.limits[0].Capacity = max(s.limits[0].Capacity, 20_000)
			s.refunds, s.charges = rapid.SampledFrom([]float64{0, 0.7}).Draw(t, "refunds"), 0.2
		}
		if rapid.IntRange(0, 2).Draw(t, "two") == 0 {
			s.limits = append([]bucket.Limit{perSecond(rate/2+1, seconds)}, s.limits...)
		}
		if rapid.IntRange(0, 3).Draw(t, "cascade") == 0 && !s.heavy {
			s.children, s.child = 5, s.limits
		}
		if rapid.IntRange(0, 2).Draw(t, "lost") == 0 {
			s.lost, s.forgets = 0.03, rapid.Bool().Draw(t, "forgets")
		}
		if rapid.IntRange(0, 4).Draw(t, "resets") == 0 {
			s.resets = 1
		}
		s.skew = rapid.SampledFrom([]float64{0, 0, 20, 2000}).Draw(t, "skew")
		s.exact = rapid.IntRange(0, 3).Draw(t, "exact") == 0
		s.opts.MaxAge = rapid.SampledFrom([]time.Duration{time.Second, 2 * time.Second}).Draw(t, "age")
		most := min(12, 3000/s.demand()+2) // seconds: some thousand requests
		s.length = int64(most * 1e9)
		return s
	})
}

// TestInvariants holds every run of a random fleet to what must be true at each step, at each hand-out, and once nobody
// asks any more.
func TestInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sc := scenarios().Draw(t, "scenario")
		w := newWorld(sc, rapid.Uint64().Draw(t, "seed"))
		w.checks, w.fail = true, t.Fatalf
		w.run()
		w.checkBound(t)
		w.quieten()
		w.checkQuiet(t)
	})
}

// checkBound is the bound of the design: capacity + rate·(T + A), and what processes refund beyond what they hand out.
func (w *world) checkBound(t failer) {
	age := w.opts.MaxAge.Seconds()
	if w.exact {
		age = float64(w.longest)/1e9 + 1e-6 // a write is charged as of its sending, and counted when it takes effect
	}
	for k, s := range w.buckets {
		for i, e := range s.excess {
			allowed := age + 0.8*w.refunded*e.perToken/1e9 + w.spread()
			if k == 0 { // each reset adds a capacity, and what the clocks disagree
				allowed += float64(w.restarts) * (e.capacity*e.perToken/1e9 + age + w.spread())
			}
			if e.most/1e9 > allowed {
				t.Fatalf("bucket %d, limit %d: %.3f s of rate beyond capacity + rate·T, of %.3f allowed", k, i, e.most/1e9, allowed)
			}
		}
	}
}

// spread is by how many seconds the clocks disagree.
func (w *world) spread() float64 {
	least, most := int64(0), int64(0)
	for _, p := range w.procs {
		least, most = min(least, p.skew), max(most, p.skew)
	}
	return float64(most-least) / 1e9
}

type failer interface {
	Fatalf(format string, args ...any)
}

// quieten lets 10 s pass in which nobody asks: replies come, and timers run.
func (w *world) quieten() {
	w.quiet = true
	w.length += 10 * sec
	w.run()
}

// checkQuiet: every caller has its verdict, nothing is stranded in memory, and the counters are those of what was handed
// out. They may be higher by what was in doubt, because a write that would have lowered them was not known to be made.
func (w *world) checkQuiet(t failer) {
	doubt := make([][]int64, len(w.buckets))
	used, acquired := make([][]int64, len(w.buckets)), make([]int64, len(w.buckets))
	for k, s := range w.buckets {
		used[k], doubt[k] = make([]int64, len(s.used)), make([]int64, len(s.used))
	}
	for _, p := range w.procs {
		if p.up && p.open != 0 {
			t.Fatalf("%d callers of process %d wait for ever", p.open, p.id)
		}
		for k, h := range p.handles {
			if h == nil || !p.up {
				continue
			}
			if !h.b.Rest() || h.b.Due() != never {
				t.Fatalf("process %d holds %v of bucket %d, %d under way, %d waiting, due %d", p.id, h.b.Pockets(), k, h.b.UnderWay(), h.b.Queued(), h.b.Due())
			}
			acquired[k] += h.counts
			for i, n := range h.used {
				used[k][i] += n
			}
			for i, n := range h.doubt {
				doubt[k][i] += n
			}
		}
	}
	if w.crashes > 0 || w.forgets || w.restarts > 0 {
		return
	}
	for k, s := range w.buckets {
		beyond := s.acq - acquired[k]
		wrong := beyond < 0 || beyond > slices.Max(doubt[k])
		for i, n := range doubt[k] {
			beyond = s.used[i] - used[k][i]
			wrong = wrong || beyond < 0 || beyond > n
		}
		if wrong {
			t.Fatalf("bucket %d counts %v %d, handed out %v %d, in doubt %v", k, s.used, s.acq, used[k], acquired[k], doubt[k])
		}
	}
}

const never = 1<<63 - 1

// TestRatchet: many ask for two limits, the first of which denies nearly everything, then all ask for the second one only.
// With blocks that follow the demand alone, the second limit is exceeded by seconds of its rate.
func TestRatchet(t *testing.T) {
	t.Parallel()
	w := newWorld(scenario{
		name: "ratchet", ratchet: true, processes: 50, limits: []bucket.Limit{perSecond(2, 1), perSecond(1000, 60)}, level: 1, length: 20 * sec,
	}, 1)
	w.fail = t.Fatalf
	w.run()
	w.recountAll()
	w.conserves()
	if most := w.buckets[0].excess[1].most / 1e9; most > 0.1 {
		t.Errorf("the second limit is exceeded by %.2f s of its rate", most)
	}
}
