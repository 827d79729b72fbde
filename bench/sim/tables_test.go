package sim

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

var (
	full  = flag.Bool("sim.full", false, "run the full tables, which takes most of an hour")
	seeds = flag.Uint64("sim.seed", 0, "the seed of the tables; default random, and 1 for the full tables")
)

// seed is the seed of a table, which each of them prints.
func seed() uint64 {
	switch {
	case *seeds != 0:
		return *seeds
	case *full:
		return 1
	}
	return rand.Uint64() >> 32
}

// worst is the worst figure of several runs.
type worst struct {
	value float64
	in    string
}

func (w *worst) take(value float64, in string) {
	if value > w.value || w.in == "" {
		w.value, w.in = value, in
	}
}

// TestTablesPrefetch runs the suites of fleets that prefetch, holds each run to the bound, and prints a table of the worst of each.
func TestTablesPrefetch(t *testing.T) {
	alltests.Only(t)
	seed, rows := seed(), new(table)
	rows.add("| fleets | runs | writes per admission (design) | admitted, least (design) | writes/s and process | busiest process | excess, s of rate (allowed) | failed |")
	rows.add("|---|--:|--:|--:|--:|--:|--:|--:|")
	for _, s := range suites(size(*full)) {
		t.Run(s.name, func(t *testing.T) { rows.add("%s", s.run(t, seed)) })
	}
	t.Logf("seed %d\n%v", seed, rows)
}

// TestTablesUtilisation runs ten processes at a tenth of the rate to ten times the rate.
func TestTablesUtilisation(t *testing.T) {
	alltests.Only(t)
	each(t, utilisations(*full), func(sc scenario, f figures) string {
		switch {
		case f.busiest > 25:
			return "more than 25 writes a second by one process"
		case sc.use > 1 && f.admitted < 0.99:
			return "less than 99 % of the possible admitted"
		}
		return ""
	})
}

// TestTablesLarge runs fleets that are almost too large for one record.
func TestTablesLarge(t *testing.T) {
	alltests.Only(t)
	each(t, large(*full), func(_ scenario, f figures) string {
		if f.admitted < 0.9 {
			return "less than 90 % of the possible admitted"
		}
		return ""
	})
}

// each runs scenarios, of which check complains, and prints a row for each.
func each(t *testing.T, all []scenario, check func(scenario, figures) string) {
	seed, rows := seed(), new(table)
	rows.add("| tokens a second | processes | demand, of the rate | admitted, of the possible | writes per admission | writes a second, busiest process | excess, s of rate (allowed) |")
	rows.add("|--:|--:|--:|--:|--:|--:|--:|")
	got := make([]figures, len(all))
	t.Run("all", func(t *testing.T) {
		for i, sc := range all {
			t.Run(sc.name, func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				got[i] = sc.run(t, seed)
				t.Logf("%v (%v)", got[i], time.Since(began).Round(time.Millisecond))
				if wrong := check(sc, got[i]); wrong != "" {
					t.Errorf("%s, seed %d: %s", sc.name, seed, wrong)
				}
			})
		}
	})
	for i, sc := range all {
		f := got[i]
		rows.add("| %.0f | %d | %g | %.3f | %.3g | %.1f | %.2f (%.2f) |", rate(sc.limits[0]), sc.processes, sc.use, f.admitted, f.perAdmission, f.busiest, f.excess, f.bound)
	}
	t.Logf("seed %d\n%v", seed, rows)
}

// table is rows of Markdown.
type table struct {
	lock sync.Mutex
	rows []string
}

func (x *table) add(format string, args ...any) {
	x.lock.Lock()
	defer x.lock.Unlock()
	x.rows = append(x.rows, fmt.Sprintf(format, args...))
}

func (x *table) String() string { return strings.Join(x.rows, "\n") }

// run runs all scenarios of a suite, and returns its row.
func (s suite) run(t *testing.T, seed uint64) string {
	var lock sync.Mutex
	var logs, runs float64
	var missing, mean, busiest, excess, failed worst
	bound := 0.0
	t.Run("all", func(t *testing.T) {
		for _, sc := range s.scenarios {
			t.Run(sc.name, func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				f := sc.run(t, seed)
				t.Logf("%v (%v)", f, time.Since(began).Round(time.Millisecond))
				lock.Lock()
				defer lock.Unlock()
				runs++
				logs += math.Log(f.perAdmission + 1e-6)
				missing.take(1-f.admitted, sc.name)
				mean.take(f.mean, sc.name)
				busiest.take(f.busiest, sc.name)
				failed.take(f.failed, sc.name)
				if excess.take(f.excess, sc.name); excess.in == sc.name {
					bound = f.bound
				}
			})
		}
	})
	if busiest.value > 35 || missing.value > 0.2 || failed.value > 0.01 {
		t.Errorf("seed %d: one process makes more than 35 writes a second, or less than 80 %% is admitted, or more than 1 %% fails", seed)
	}
	writes := math.Exp(logs / runs)
	t.Logf("least admitted in %s; most writes by one process in %s; most excess in %s; most failed in %s", missing.in, busiest.in, excess.in, failed.in)
	return fmt.Sprintf("| %s | %.0f | %.2g (%.2g) | %.3f (%.3f) | %.1f | %.1f | %.2f (%.2f) | %.4f |",
		s.what, runs, writes, s.writes, 1-missing.value, s.admitted, mean.value, busiest.value, excess.value, bound, failed.value)
}
