package reserve_test

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

func perSecond(rate, capacity int64) bucket.Limit {
	return bucket.Limit{Name: "rpm", Capacity: capacity, RefillAmount: rate, RefillPeriod: time.Second}
}

// figures of a run.
type figures struct {
	writes   float64 // per admission, those of callers that wait at the end included
	admitted float64 // tokens, of those that were possible
	excess   float64 // seconds of rate beyond capacity + rate·T, the worst limit's
	early    float64 // seconds by which somebody who came earlier was served later, at most
}

func (w *world) figures() (f figures) {
	f.writes = float64(w.writes) / math.Max(1, float64(w.admitted))
	l := w.limits[0]
	possible := float64(l.Capacity) + float64(l.RefillAmount)*float64(w.length)/float64(l.RefillPeriod)
	f.admitted = float64(w.tokens) / math.Min(possible, float64(w.asked))
	for r := range w.records {
		for _, e := range w.excessOf(r) {
			f.excess = max(f.excess, e)
		}
	}
	served := slices.Clone(w.served)
	sort.SliceStable(served, func(i, j int) bool { return served[i].at < served[j].at })
	newest := int64(0)
	for _, s := range served {
		f.early = max(f.early, float64(newest-s.x.at)/1e9)
		newest = max(newest, s.x.at)
	}
	return f
}

// excessOf is by how many seconds of rate each limit of a record was exceeded.
func (w *world) excessOf(r int) []float64 {
	s := w.records[r]
	worst := make([]float64, len(s.rates))
	for i, l := range s.limits {
		perToken := float64(l.RefillPeriod) / float64(l.RefillAmount)
		taken, least := 0.0, math.Inf(1)
		for _, a := range w.served {
			n, ok := a.x.need(r, i)
			if !ok {
				continue
			}
			at := float64(a.at - start)
			least = math.Min(least, taken*perToken-at)
			taken += float64(n)
			worst[i] = math.Max(worst[i], (taken*perToken-at-least-float64(l.Capacity)*perToken)/1e9)
		}
	}
	return worst
}

// need is what a caller needs of a limit of a record, false if the record is not on its path.
func (c *caller) need(r, i int) (int64, bool) {
	from := 0
	for _, s := range c.l.records {
		if s == c.l.p.w.records[r] {
			return c.Need[from+i], true
		}
		from += len(s.rates)
	}
	return 0, false
}

func (f figures) String() string {
	return fmt.Sprintf("%.2f writes per admission, %.3f admitted, excess %.2f s, earlier %.3f s", f.writes, f.admitted, f.excess, f.early)
}
