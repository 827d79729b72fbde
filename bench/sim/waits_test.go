package sim

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// waits are the scenarios of Wait, with what they must keep: writes per admission, share of the possible and excess in seconds.
// Those of the short version come first.
var waits = []struct {
	waiting
	writes, share, excess float64
	order                 time.Duration // 0: not promised
}{
	{waiting{name: "100 callers, 20/s, 5 ms a write", processes: 1, callers: 100, limits: perSecondOf(20), length: time.Minute, steady: 5 * time.Millisecond}, 1.05, 0.99, 0.02, 15 * time.Millisecond},
	{waiting{name: "200 callers, 20/s, amounts 1 and 10, 5 ms a write", processes: 8, callers: 200, limits: perSecondOf(20), length: time.Minute, need: oneOrTen, steady: 5 * time.Millisecond}, 1.05, 0.98, 0.02, 15 * time.Millisecond},
	{waiting{name: "200 callers, 20/s, amounts 1 and 10", processes: 8, callers: 200, limits: perSecondOf(20), length: time.Minute, need: oneOrTen}, 1.05, 0.98, 0.05, 0},
	{waiting{name: "200 callers, 20/s, two limits", processes: 8, callers: 200, limits: requestsAndTokens, length: time.Minute, need: nowAndThenHalf}, 2, 0.99, 0.1, 0},
	{waiting{name: "200 callers, 20/s, half of them leave", processes: 8, callers: 200, limits: perSecondOf(20), length: time.Minute, leave: 0.5}, 1.7, 0.99, 0.05, 0},
	{waiting{name: "1.3 × the rate, 20/s, patience 5 s", processes: 8, use: 1.3, patience: 5 * time.Second, limits: perSecondOf(20), length: time.Minute}, 2, 0.95, 0.05, 0},

	{waiting{name: "100 callers, 20/s, two limits", processes: 1, callers: 100, limits: requestsAndTokens, length: 2 * time.Minute, need: nowAndThenHalf}, 2, 0.99, 0.1, 0},
	{waiting{name: "5,000 callers, 100/s", processes: 50, callers: 5000, limits: perSecondOf(100), length: 2 * time.Minute}, 1.05, 0.99, 0.05, 0},
	{waiting{name: "2,000 callers, 1,000/s", processes: 50, callers: 2000, limits: perSecondOf(1000), length: 2 * time.Minute}, 1.05, 0.99, 0.05, 0},
	{waiting{name: "2 × the rate, 20/s, capacity 1, patience 2 s", processes: 8, use: 2, patience: 2 * time.Second, limits: capacityOfOne, length: 2 * time.Minute}, 2.5, 0.95, 1, 0},
	{waiting{name: "the same", processes: 50, use: 2, patience: 2 * time.Second, limits: capacityOfOne, length: 2 * time.Minute}, 4, 0.95, 2.5, 0},
	{waiting{name: "3 × the rate, 20/s, capacity 1, patience 30 s", processes: 8, use: 3, patience: 30 * time.Second, limits: capacityOfOne, length: 10 * time.Minute}, 3, 0.99, 0.05, 0},
	{waiting{name: "5,000 callers, 20/s: 250 s of queue", processes: 8, callers: 5000, limits: perSecondOf(20), length: 1000 * time.Second}, 2.5, 0.99, 0.05, 0},
	{waiting{name: "the same", processes: 50, callers: 5000, limits: perSecondOf(20), length: 1000 * time.Second}, 6, 0.99, 0.05, 0},
}

const shortWaits = 6

func perSecondOf(n int64) []engine.Limit { return []engine.Limit{engine.PerSecond("rps", n)} }

var (
	capacityOfOne     = []engine.Limit{engine.PerSecond("rps", 20).WithBurst(1)}
	requestsAndTokens = []engine.Limit{engine.PerSecond("rps", 20), engine.PerSecond("tps", 1000)}
)

func oneOrTen(random *rand.Rand) [2]int64 {
	if random.IntN(50) == 0 {
		return [2]int64{10}
	}
	return [2]int64{1}
}

func nowAndThenHalf(random *rand.Rand) [2]int64 {
	if random.IntN(30) == 0 {
		return [2]int64{1, 500}
	}
	return [2]int64{1, 1 + random.Int64N(40)}
}

// TestTablesWait runs fleets whose callers wait, holds each run to what it must keep, and prints the table.
func TestTablesWait(t *testing.T) {
	alltests.Only(t)
	seed, rows, list := seed(), new(table), waits
	if !*full {
		list = list[:shortWaits]
	}
	got := make([]waited, len(list))
	t.Run("all", func(t *testing.T) {
		for i, w := range list {
			t.Run(w.name, func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				f := w.run(t, seed)
				got[i] = f
				t.Logf("%+v (%v)", f, time.Since(began).Round(time.Millisecond))
				if f.perAdmission > w.writes || f.share < w.share || f.excess > w.excess || w.order > 0 && f.overtaken > w.order {
					t.Errorf("%s, seed %d: more writes, excess or disorder than allowed, or too few admissions: %+v", w.name, seed, f)
				}
			})
		}
	})
	rows.add("| callers | processes | admitted | left | writes per admission | admitted, of the possible | excess, s of rate | overtaken by, at most | … after the first second |")
	rows.add("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	for i, w := range list {
		f := got[i]
		rows.add("| %s | %d | %d | %d | %.2f | %.3f | %.2f | %v | %v |", w.name, w.processes, f.admitted, f.left, f.perAdmission, f.share, f.excess, f.overtaken.Round(time.Millisecond), f.afterwards.Round(time.Millisecond))
	}
	t.Logf("seed %d\n%v", seed, rows)
}
