package sim

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// waiting is a run of a fleet whose callers wait.
type waiting struct {
	name      string
	processes int
	limits    []engine.Limit
	length    time.Duration
	callers   int           // that wait again and again; 0: callers come at random
	use       float64       // of callers that come at random: demand, as a part of the rate
	patience  time.Duration // mean time after which a caller leaves; 0: never
	leave     float64       // part of the callers that leave within 8 s
	need      func(random *rand.Rand) [2]int64
	steady    time.Duration // what each write takes; 0: it varies
}

// line is a waiting under way.
type line struct {
	waiting
	*fleet
	began time.Time

	lock   sync.Mutex
	served []served
	left   int
}

// served is a caller that was admitted.
type served struct {
	came, admitted time.Duration // since the run began
	process        int
	need           [2]int64
}

// waited are the figures of a run.
type waited struct {
	admitted     int
	left         int
	perAdmission float64       // writes
	share        float64       // of what could be admitted in this order; with one limit, of capacity + rate·T
	excess       float64       // seconds of rate beyond capacity + rate·T, counted at the due times
	overtaken    time.Duration // by how much somebody who came earlier was admitted later, at most
	afterwards   time.Duration // the same, of those who came after the first second
}

// run lets callers wait in virtual time.
func (w waiting) run(t *testing.T, seed uint64) (fig waited) {
	synctest.Test(t, func(t *testing.T) {
		sc := scenario{name: w.name, processes: w.processes, limits: w.limits, length: w.length, exact: true, waits: true, steady: w.steady}
		l := &line{waiting: w, fleet: newFleet(t, sc, seed), began: time.Now()}
		for i, p := range l.all {
			if w.callers == 0 {
				l.running.Go(func() { l.come(i, p) })
				continue
			}
			for k := i; k < w.callers; k += w.processes {
				random := rand.New(rand.NewPCG(seed, 1<<32+uint64(k)))
				l.running.Go(func() {
					_ = pause.For(l.ctx, time.Duration(random.Int64N(int64(10*time.Millisecond))))
					for l.ctx.Err() == nil {
						l.wait(i, p, random)
						_ = pause.For(l.ctx, 100*time.Microsecond)
					}
				})
			}
		}
		<-l.ctx.Done()
		writes := int64(0)
		for _, p := range l.all {
			all, _ := p.sent()
			writes += all
		}
		l.running.Wait()
		fig = l.figures(writes)
		l.close()
	})
	return fig
}

// come lets callers come to a process at random.
func (l *line) come(i int, p *process) {
	mean := float64(l.processes) * 1e9 / (l.use * rate(l.limits[0]))
	for p.sleep(mean) == nil {
		random := rand.New(rand.NewPCG(p.random.Uint64(), 0))
		l.running.Go(func() { l.wait(i, p, random) })
	}
}

// wait is one caller. It has not said before when it will leave.
func (l *line) wait(i int, p *process, random *rand.Rand) {
	need := [2]int64{1}
	if l.waiting.need != nil {
		need = l.waiting.need(random)
	}
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	if patience := l.leavesAfter(random); patience > 0 {
		defer time.AfterFunc(patience, cancel).Stop()
	}
	came := time.Since(l.began)
	_, err := p.limiter.Wait(ctx, l.request(need, 0))
	now := time.Since(l.began)
	l.lock.Lock()
	defer l.lock.Unlock()
	switch {
	case err == nil:
		l.served = append(l.served, served{came, now, i, need})
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		l.left++
	default:
		l.t.Errorf("%s, seed %d: %v", l.waiting.name, l.seed, err)
	}
}

func (l *line) leavesAfter(random *rand.Rand) time.Duration {
	switch {
	case l.patience > 0:
		return time.Duration(random.ExpFloat64() * float64(l.patience))
	case random.Float64() < l.leave:
		return time.Duration(1 + random.Int64N(int64(8*time.Second)))
	}
	return 0
}

func (l *line) figures(writes int64) waited {
	slices.SortStableFunc(l.served, func(a, b served) int {
		return cmp.Or(cmp.Compare(a.admitted, b.admitted), cmp.Compare(a.came, b.came))
	})
	fig := waited{admitted: len(l.served), left: l.left, perAdmission: float64(writes) / float64(max(1, len(l.served)))}
	fig.overtaken, fig.afterwards = l.overtaken(0), l.overtaken(time.Second)
	for i, limit := range l.limits {
		taken, least, most, capacity := 0.0, 0.0, 0.0, float64(limit.Capacity)
		for _, s := range l.served { // in order of admission
			refilled := rate(limit) * s.admitted.Seconds()
			least = min(least, taken-refilled)
			taken += float64(s.need[i])
			most = max(most, taken-refilled-least-capacity)
		}
		fig.excess = max(fig.excess, most/rate(limit))
	}
	fig.share = l.share()
	return fig
}

// share is the time in which those who were admitted could have been, one after the other, as a part of the time that there was; both
// include the time in which the tokens of the beginning refill. While somebody waits for one limit, nobody overtakes, although
// another limit may be full.
func (l *line) share() float64 {
	now, burst, full := 0.0, 0.0, make([]float64, len(l.limits)) // in seconds; full: when the limit is full again
	for _, s := range l.served {
		for i, limit := range l.limits {
			refills := float64(limit.Capacity) / rate(limit)
			now, burst = max(now, full[i]+float64(s.need[i])/rate(limit)-refills), max(burst, refills)
		}
		for i, limit := range l.limits {
			full[i] = max(full[i], now) + float64(s.need[i])/rate(limit)
		}
	}
	return (now + burst) / (l.length.Seconds() + burst)
}

// overtaken is by how much somebody who came earlier was admitted later, of those who came after an instant.
func (l *line) overtaken(after time.Duration) (most time.Duration) {
	newest := time.Duration(0)
	for _, s := range l.served {
		if s.came >= after {
			most, newest = max(most, newest-s.came), max(newest, s.came)
		}
	}
	return most
}

func rate(l engine.Limit) float64 { return float64(l.RefillAmount) / l.RefillPeriod.Seconds() }
