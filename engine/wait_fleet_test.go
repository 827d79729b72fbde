package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sort"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// waitFleet is processes whose callers wait for one bucket, in virtual time. A write takes 4 to 15 ms.
type waitFleet struct {
	*fleet
	served []turn
	early  atomic.Int64 // callers that left
}

// turn is when a caller came and was admitted, since the fleet began.
type turn struct {
	came, admitted time.Duration
	tokens         []int64 // of each limit
}

func newWaitFleet(t *testing.T, processes int, seed uint64, limits ...engine.Limit) *waitFleet {
	f := &fleet{T: t, limits: limits, seed: seed, random: rand.New(rand.NewPCG(seed, 0))}
	f.store = &distant{Backend: memory.New(nil), random: rand.New(rand.NewPCG(seed, 1)), writes: make([]atomic.Int64, processes), dead: make([]atomic.Bool, processes)}
	for i := range processes {
		l, err := engine.New(far{f.store, i}, &engine.Options{Now: shifted, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		f.limiters = append(f.limiters, l)
	}
	return &waitFleet{fleet: f}
}

// run lets so many callers of each process wait again and again, for so long, until the last one is admitted. need says what a caller asks for; patience, how
// long it waits at the most.
func (f *waitFleet) run(callers int, d time.Duration, need func(random *rand.Rand) []int64, patience func(random *rand.Rand) time.Duration) {
	var all sync.WaitGroup
	start := time.Now()
	for i, l := range f.limiters {
		for k := range callers {
			random := rand.New(rand.NewPCG(f.seed, uint64(i*callers+k+2)))
			all.Go(func() {
				_ = pause.For(context.Background(), time.Duration(random.Int64N(int64(100*time.Millisecond))))
				for time.Since(start) < d {
					f.wait(l, start, need(random), patience(random))
				}
			})
		}
	}
	all.Wait()
}

// wait lets one caller wait. It leaves without having said before when.
func (f *waitFleet) wait(l *engine.Limiter, start time.Time, need []int64, patience time.Duration) {
	q := engine.Request{Entity: "tenant", Resource: "api", Limits: f.limits, Consume: engine.Tokens{}}
	for i, n := range need {
		q.Consume[f.limits[i].Name] = n
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if patience > 0 {
		defer time.AfterFunc(patience, cancel).Stop()
	}
	came := time.Since(start)
	_, err := l.Wait(ctx, q)
	f.lock.Lock()
	defer f.lock.Unlock()
	switch {
	case err == nil:
		f.granted++
		f.served = append(f.served, turn{came, time.Since(start), need})
	case errors.Is(err, context.Canceled):
		f.early.Add(1)
	default:
		f.Errorf("seed %d: %v", f.seed, err)
	}
}

// overtaken is by how much somebody who came earlier was served later, at most.
func (f *waitFleet) overtaken() (most time.Duration) {
	sort.SliceStable(f.served, func(i, j int) bool { return f.served[i].admitted < f.served[j].admitted })
	newest := time.Duration(0)
	for _, s := range f.served {
		most, newest = max(most, newest-s.came), max(newest, s.came)
	}
	return most
}

// excess is by how many seconds of its rate a limit was exceeded in the worst interval.
func (f *waitFleet) excess(i int) (worst float64) {
	l := f.limits[i]
	rate := float64(l.RefillAmount) / l.RefillPeriod.Seconds()
	taken, least := 0.0, 0.0
	for _, s := range f.served { // in order of admission
		least = min(least, taken-rate*s.admitted.Seconds())
		taken += float64(s.tokens[i])
		worst = max(worst, taken-rate*s.admitted.Seconds()-least-float64(l.Capacity))
	}
	return worst / rate
}

// admittedShare is the share of the tokens of limit i that could be admitted within d.
func (f *waitFleet) admittedShare(i int, d time.Duration) float64 {
	taken, l := int64(0), f.limits[i]
	for _, s := range f.served {
		if s.admitted <= d {
			taken += s.tokens[i]
		}
	}
	return float64(taken) / (float64(l.Capacity) + float64(l.RefillAmount)*d.Seconds()/l.RefillPeriod.Seconds())
}

// figures are writes per admission and more, logged with their seed.
func (f *waitFleet) figures(d time.Duration) (writes, excess, share float64, overtaken time.Duration) {
	all, _ := f.writes()
	overtaken = f.overtaken()
	for i := range f.limits {
		excess = max(excess, f.excess(i))
		share = max(share, f.admittedShare(i, d))
	}
	writes = float64(all) / float64(f.granted)
	f.Logf("seed %d: %d admitted, %d left; %.2f writes per admission; %.3f of the possible; excess %.3f s; overtaken by %v",
		f.seed, f.granted, f.early.Load(), writes, share, excess, overtaken)
	return writes, excess, share, overtaken
}

func one(*rand.Rand) []int64 { return []int64{1} }

func forever(*rand.Rand) time.Duration { return 0 }

// TestWaitFleet is callers that always wait for 20 tokens a second, of one process and of eight. Whoever comes while a write of
// its process is under way reserves with the next one, which may be refused once: so the order is kept to within four writes.
func TestWaitFleet(t *testing.T) {
	for name, processes := range map[string]int{"OneProcess": 1, "EightProcesses": 8} {
		callers := map[int]int{1: 100, 8: 25}[processes]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64() >> 32
			synctest.Test(t, func(t *testing.T) {
				f, d := newWaitFleet(t, processes, seed, engine.PerSecond("rps", 20)), time.Minute
				f.run(callers, d, func(random *rand.Rand) []int64 {
					return []int64{1 + 9*(random.Int64N(50)/49)}
				}, forever)
				writes, excess, share, overtaken := f.figures(d)
				if writes > 1.05 || excess > 0.02 || share < 0.99 || overtaken > 60*time.Millisecond {
					t.Errorf("seed %d: more writes, excess or disorder than allowed, or too few admissions", seed)
				}
				f.close()
			})
		})
	}
}

// TestWaitFleetTwoLimits has requests and tokens a second, and now and then a request for half of the tokens.
func TestWaitFleetTwoLimits(t *testing.T) {
	for name, processes := range map[string]int{"OneProcess": 1, "EightProcesses": 8} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64() >> 32
			synctest.Test(t, func(t *testing.T) {
				f, d := newWaitFleet(t, processes, seed, engine.PerSecond("rps", 20), engine.PerSecond("tps", 1000)), time.Minute
				f.run(map[int]int{1: 100, 8: 25}[processes], d, func(random *rand.Rand) []int64 {
					if random.IntN(30) == 0 {
						return []int64{1, 500}
					}
					return []int64{1, 1 + random.Int64N(40)}
				}, forever)
				writes, excess, share, _ := f.figures(d)
				if writes > 2 || excess > 0.1 || share < 0.95 {
					t.Errorf("seed %d: more writes or excess than allowed, or too few admissions", seed)
				}
				f.close()
			})
		})
	}
}

// TestWaitFleetLeaves has callers of eight processes of which half leave while they wait.
func TestWaitFleetLeaves(t *testing.T) {
	seed := rand.Uint64() >> 32
	synctest.Test(t, func(t *testing.T) {
		f, d := newWaitFleet(t, 8, seed, engine.PerSecond("rps", 20)), time.Minute
		f.run(25, d, one, func(random *rand.Rand) time.Duration {
			if random.IntN(2) == 0 {
				return 0
			}
			return time.Duration(1 + random.Int64N(int64(8*time.Second)))
		})
		writes, excess, share, _ := f.figures(d)
		if writes > 1.7 || excess > 0.05 || share < 0.99 {
			t.Errorf("seed %d: more writes or excess than allowed, or too few admissions", seed)
		}
		f.close()
	})
}
