package pocket_test

import (
	"math"
	"testing"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// TestFigures reproduces what the design states about eight processes and 1,000 tokens a second, in shorter runs.
func TestFigures(t *testing.T) {
	t.Parallel()
	for use, writes := range map[float64]float64{0.1: 0.74, 0.5: 0.24, 0.9: 0.13, 3: 0.15, 10: 0.16} {
		sc := scenario{processes: 8, use: use, limits: []bucket.Limit{perSecond(1000, 60)}, level: emptyIfBusy(use), length: 10 * sec}
		f := runFigures(t, sc, 1)
		if math.Abs(f.perAdmission/writes-1) > 0.15 {
			t.Errorf("utilisation %g: %.3f writes per admission, want %.2f", use, f.perAdmission, writes)
		}
	}
}

// TestWorstCases are those runs of the design's core suite that are hardest on a record: the bounds are those of the whole
// suite, and of the invariants.
func TestWorstCases(t *testing.T) {
	t.Parallel()
	for _, sc := range []scenario{
		{name: "most writes", processes: 8, use: 10, limits: []bucket.Limit{perSecond(100, 1)}, level: 1, length: 15 * sec},
		{name: "alone, refills in 0.2 s", processes: 1, use: 3, limits: []bucket.Limit{perSecond(1000, 0.2)}, level: 1, length: 15 * sec},
		{name: "refills in 0.2 s", processes: 8, use: 10, limits: []bucket.Limit{perSecond(1000, 0.2)}, level: 1, length: 10 * sec},
		{name: "one is busy", processes: 8, use: 3, hot: 0.9, limits: []bucket.Limit{perSecond(1000, 1)}, level: 1, length: 15 * sec},
		{name: "many small", processes: 50, use: 10, limits: []bucket.Limit{perSecond(5, 60)}, length: 60 * sec},
		{name: "least admitted", processes: 200, use: 3, limits: []bucket.Limit{perSecond(5000, 1)}, level: 1, length: 6 * sec},
		{name: "two limits", processes: 8, use: 3, heavy: true, limits: []bucket.Limit{perSecond(100, 60), perSecond(50_000, 60)}, length: 15 * sec},
		{name: "bursts", processes: 8, use: 0.9, on: 0.1, off: 0.9, limits: []bucket.Limit{perSecond(1000, 1)}, level: 1, length: 15 * sec},
		{name: "lost replies", processes: 8, use: 0.9, lost: 0.05, limits: []bucket.Limit{perSecond(1000, 1)}, level: 1, length: 15 * sec},
	} {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			f := runFigures(t, sc, 1)
			if f.tokens < 0.89 || f.ofOne > 25 || f.excess > 0.35 || f.failed > 0.03 {
				t.Errorf("%v", f)
			}
		})
	}
}

func runFigures(t *testing.T, sc scenario, seed uint64) figures {
	w := newWorld(sc, seed)
	w.fail = t.Fatalf
	w.run()
	w.recountAll()
	w.conserves()
	f := w.figures()
	t.Logf("seed %d, %s u%g: %v", seed, sc.name, sc.use, f)
	return f
}

// TestPriceOfSharedWrites: without prefetch, callers that meet pay a part of a write, and wait for two at most.
func TestPriceOfSharedWrites(t *testing.T) {
	t.Parallel()
	f := runFigures(t, scenario{name: "exact", exact: true, processes: 1, use: 0.2, limits: []bucket.Limit{perSecond(50_000, 60)}, level: 1, length: 4 * sec}, 1)
	if f.perAdmission > 0.05 || f.admitted < 0.99 || f.median > 14 || f.slow > 60 {
		t.Errorf("%v", f)
	}
}
