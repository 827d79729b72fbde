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

// worst is the worst of a suite's runs in one respect.
type worst struct {
	value float64
	in    string
}

func (x *worst) take(value float64, in string) {
	if value > x.value || x.in == "" {
		x.value, x.in = value, in
	}
}

// check runs a suite, prints the worst of its runs beside the figures of the design, and holds them to each other.
func (s suite) check(t *testing.T, only string, seed uint64) {
	var runs int
	var logs float64
	var missing, perProcess, ofOne, excess worst
	for _, sc := range s.scenarios {
		if !strings.Contains(sc.name, only) {
			continue
		}
		f := runFigures(t, sc, seed)
		runs++
		logs += math.Log(f.perAdmission + 1e-6)
		missing.take(1-f.tokens, sc.name)
		perProcess.take(f.perProcess, sc.name)
		ofOne.take(f.ofOne, sc.name)
		excess.take(f.excess, sc.name)
	}
	writes := math.Exp(logs / float64(runs))
	t.Logf("seed %d, %d runs: %.4f writes per admission (design %.3f); least admitted %.3f (%.3f) in %s; most writes a second and process %.1f (%.1f) in %s, busiest %.1f in %s; most excess %.3f s in %s",
		seed, runs, writes, s.perAdmission, 1-missing.value, s.admitted, missing.in, perProcess.value, s.perProcess, perProcess.in, ofOne.value, ofOne.in, excess.value, excess.in)
	if only == "" && writes > 1.1*s.perAdmission || 1-missing.value < s.admitted-0.03 || ofOne.value > 25 || excess.value > 0.4 {
		t.Errorf("the suite is worse than the design says")
	}
}
