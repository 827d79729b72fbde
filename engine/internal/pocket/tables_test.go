package pocket_test

import (
	"math"
	"os"
	"strings"
	"testing"
)

// TestTables runs the suites of the design and prints its tables. It runs only if POCKET_SUITES names suites, or is "all":
// all of them take half an hour. POCKET_ONLY picks scenarios by a part of their name, and -v prints a row for each.
func TestTables(t *testing.T) {
	wanted := os.Getenv("POCKET_SUITES")
	for _, s := range suites() {
		if wanted == "all" || strings.Contains(","+wanted+",", ","+s.name+",") {
			t.Run(s.name, func(t *testing.T) { s.check(t, os.Getenv("POCKET_ONLY"), 1) })
		}
	}
}

// check runs a suite and compares the worst of its runs with the figures of the design.
func (s suite) check(t *testing.T, only string, seed uint64) {
	var runs int
	logs, admitted, at, perProcess, perAt, excess, excessAt := 0.0, 9.0, "", 0.0, "", 0.0, ""
	for _, sc := range s.scenarios {
		if !strings.Contains(sc.name, only) {
			continue
		}
		w := newWorld(sc, seed)
		w.fail = t.Fatalf
		w.run()
		w.recountAll()
		w.conserves()
		f := w.figures()
		t.Logf("%-30s %v", sc.name, f)
		runs++
		logs += math.Log(f.perAdmission + 1e-6)
		if f.tokens < admitted {
			admitted, at = f.tokens, sc.name
		}
		if f.perProcess > perProcess {
			perProcess, perAt = f.perProcess, sc.name
		}
		if f.excess > excess {
			excess, excessAt = f.excess, sc.name
		}
	}
	t.Logf("seed %d, %d runs: %.4f writes per admission (design %.3f), least admitted %.3f (%.3f) in %s, most writes/s and process %.1f (%.1f) in %s, most excess %.3f s in %s",
		seed, runs, math.Exp(logs/float64(runs)), s.perAdmission, admitted, s.admitted, at, perProcess, s.perProcess, perAt, excess, excessAt)
}
