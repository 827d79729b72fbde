package sim

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// figures are a row of the tables.
type figures struct {
	asked        int64
	perAdmission float64 // writes
	admitted     float64 // tokens of the last limit, of what the ideal bucket admits
	mean         float64 // writes a second and process
	busiest      float64 // writes a second of the busiest process on one record
	excess       float64 // seconds of rate beyond capacity + rate·T
	bound        float64 // what is allowed of it
	failed       float64 // part of the requests
	coldMedian   time.Duration
	coldSlow     time.Duration // 99 of 100 wait less
}

// run lets a scenario pass in virtual time, holds it to the bound and the record to what was admitted, and returns its figures.
func (sc scenario) run(t *testing.T, seed uint64) (fig figures) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, sc, seed)
		f.running.Wait()
		f.stop()
		fig = f.figures()
		f.close()
		if fig.excess > fig.bound {
			t.Errorf("%s, seed %d: %.3f s of rate beyond capacity + rate·T, %.3f are allowed", sc.name, seed, fig.excess, fig.bound)
		}
		f.checkRecord()
	})
	return fig
}

func (f *fleet) figures() figures {
	m, writes := &f.measured, int64(0)
	fig := figures{asked: m.asked, failed: float64(m.failed) / float64(m.asked), bound: (f.ahead() + f.mostAge()).Seconds()}
	for _, p := range f.all {
		all, busiest := p.sent()
		writes += all
		if p.lived >= 4*time.Second { // the first second has more: pockets grow from nothing
			fig.busiest = max(fig.busiest, float64(busiest)/p.lived.Seconds())
		}
	}
	for _, bucket := range f.accounts {
		for _, a := range bucket {
			fig.excess = max(fig.excess, a.excess())
		}
	}
	fig.perAdmission = float64(writes) / math.Max(1, float64(m.admitted))
	fig.admitted = float64(m.tokens) / math.Max(1, float64(m.idealTokens))
	fig.mean = float64(writes) / f.length.Seconds() / float64(f.scenario.processes)
	if slices.Sort(m.coldWaits); len(m.coldWaits) > 0 {
		fig.coldMedian, fig.coldSlow = m.coldWaits[len(m.coldWaits)/2], m.coldWaits[len(m.coldWaits)*99/100]
	}
	return fig
}

// ahead is by how much two clocks of the fleet differ.
func (f *fleet) ahead() time.Duration { return f.measured.ahead + f.measured.behind }

// mostAge is what may be admitted beyond capacity + rate·T, with equal clocks. In exact mode it is nothing, but admissions
// count when the caller has its reply, and replies take up to 215 ms.
func (f *fleet) mostAge() time.Duration {
	switch {
	case f.exact:
		return 220 * time.Millisecond
	case f.age > 0:
		return f.age
	}
	return time.Second
}

func (f *fleet) close() {
	for _, p := range f.all {
		if err := p.limiter.Close(); err != nil && !p.dead.Load() && f.lost == 0 {
			f.t.Errorf("%s, seed %d: %v", f.name, f.seed, err)
		}
	}
}

// checkRecord compares what the record has counted with what was admitted, unless processes have died or replies were lost.
func (f *fleet) checkRecord() {
	if f.joins || f.lost > 0 {
		return
	}
	admin := f.admin()
	defer admin.Close()
	states, err := admin.BucketStates(f.t.Context(), []engine.BucketName{{Entity: "tenant", Resource: "api"}})
	f.must(err)
	if len(states) == 0 {
		f.t.Errorf("%s, seed %d: the bucket has no record", f.name, f.seed)
		return
	}
	want, last := f.measured.tokens+f.measured.corrected, states[0].Limits[len(f.limits)-1]
	if f.empty {
		want += last.Limit.Capacity
	}
	if last.Used != want {
		f.t.Errorf("%s, seed %d: usage of %d is recorded, not %d", f.name, f.seed, last.Used, want)
	}
}

func (fig figures) String() string {
	text := fmt.Sprintf("%8d asked %7.4f w/adm %6.3f adm %6.1f w/s/p %6.1f busiest %7.3f of %.3f s excess %5.2f%% failed",
		fig.asked, fig.perAdmission, fig.admitted, fig.mean, fig.busiest, fig.excess, fig.bound, 100*fig.failed)
	if fig.coldSlow > 0 {
		text += fmt.Sprintf(" cold p50 %v p99 %v", fig.coldMedian, fig.coldSlow)
	}
	return text
}
