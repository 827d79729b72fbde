package pocket_test

import (
	"fmt"
	"math"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
)

// perSecond is a limit of so many tokens a second, and the capacity of so many seconds.
func perSecond(rate, seconds float64) bucket.Limit {
	return bucket.Limit{Name: "l", Capacity: max(1, int64(rate*seconds)), RefillAmount: 1, RefillPeriod: time.Duration(1e9 / rate)}
}

var (
	fleets = []int{1, 8, 50, 200}
	uses   = []float64{0.1, 0.5, 0.9, 1.1, 3, 10}
)

// emptyIfBusy is the level at the beginning of a run whose capacity would last for most of it.
func emptyIfBusy(use float64) float64 {
	if use > 1 {
		return 0
	}
	return 1
}

// suite is one row of the design's tables: what was found there, as bounds.
type suite struct {
	name         string
	scenarios    []scenario
	perAdmission float64 // writes, geometric mean
	admitted     float64 // tokens, least part of what the ideal bucket admits
	perProcess   float64 // writes a second and process, most
}

// suites are those of the design, with its figures.
func suites() []suite {
	return []suite{
		{"core", core(), 0.22, 0.985, 21.6},
		{"small", small(), 2.20, 0.997, 1.1},
		{"heavy", heavy(), 0.35, 0.993, 20.4},
		{"two", two(), 0.36, 0.894, 20.9},
		{"bursty", bursty(), 0.21, 0.982, 15.6},
		{"flap", flap(), 0.025, 0.977, 12.5},
		{"hot", hot(), 0.095, 0.945, 21.4},
		{"cold", cold(), 0.13, 0.983, 21.0},
		{"join", join(), 0.16, 0.984, 21.6},
		{"lease", lease(), 0.17, 0.99, 20.1},
		{"cascade", cascade(), 1.56, 0.997, 20.3},
		{"lost", lost(), 0.018, 0.966, 21.6},
		{"skew", skew(), 0.10, 0.990, 20.4},
		{"spend", spend(), 0.022, 0.981, 21.5},
		{"big", thousand(), 0.63, 0.906, 2},
	}
}

// withLength gives each scenario without one a length that bounds its requests: 15 to 60 s.
func withLength(all []scenario) []scenario {
	for i := range all {
		if s := &all[i]; s.length == 0 {
			s.length = int64(max(15, min(60, 2e6/s.demand())) * 1e9)
		}
	}
	return all
}

// grid makes a scenario for each combination.
func grid(rates []float64, fleets []int, uses []float64, build func(rate float64, n int, use float64) scenario) []scenario {
	var all []scenario
	for _, rate := range rates {
		for _, n := range fleets {
			for _, use := range uses {
				s := build(rate, n, use)
				s.processes, s.use = n, use
				s.name += fmt.Sprintf(" r%g n%d u%g", rate, n, use)
				all = append(all, s)
			}
		}
	}
	return withLength(all)
}

func core() (all []scenario) {
	for _, seconds := range []float64{1, 60, 3600} {
		all = append(all, grid([]float64{5, 100, 1000, 50_000}, fleets, uses, func(rate float64, _ int, use float64) scenario {
			s := scenario{name: fmt.Sprintf("core C%gs", seconds), limits: []bucket.Limit{perSecond(rate, seconds)}, level: 1}
			if seconds > 1 {
				s.level = emptyIfBusy(use)
			}
			return s
		})...)
	}
	return all
}

func small() []scenario {
	return grid([]float64{10. / 60, 1}, fleets, uses, func(rate float64, _ int, _ float64) scenario {
		l := bucket.Limit{Name: "l", Capacity: int64(math.Round(rate * 60)), RefillAmount: int64(math.Round(rate * 60)), RefillPeriod: time.Minute}
		return scenario{name: "small", limits: []bucket.Limit{l}, level: 1, length: 600 * sec}
	})
}

func heavy() (all []scenario) {
	for _, x := range [][2]float64{{1e5 / 60, 60}, {50_000, 1}, {50_000, 60}, {1e6, 1}, {1e6, 60}} {
		all = append(all, grid([]float64{x[0]}, fleets, uses, func(rate float64, _ int, _ float64) scenario {
			return scenario{name: fmt.Sprintf("heavy C%gs", x[1]), heavy: true, limits: []bucket.Limit{perSecond(rate, x[1])}, level: 1}
		})...)
	}
	return all
}

func two() (all []scenario) {
	for _, x := range [][3]float64{{500. / 60, 1e5 / 60, 60}, {100, 50_000, 60}, {1000, 5e5, 60}, {1000, 1e6, 1}, {3000, 1e6, 1}} {
		all = append(all, grid([]float64{x[0]}, fleets, uses, func(rate float64, _ int, _ float64) scenario {
			limits := []bucket.Limit{perSecond(rate, x[2]), perSecond(x[1], x[2])}
			return scenario{name: fmt.Sprintf("two t%.0f C%gs", x[1], x[2]), heavy: true, limits: limits, level: 1}
		})...)
	}
	return all
}

func bursty() []scenario {
	return grid([]float64{5, 100, 1000, 50_000}, fleets, uses, func(rate float64, _ int, _ float64) scenario {
		return scenario{name: "bursty", on: 0.5, off: 1.5, limits: []bucket.Limit{perSecond(rate, 1)}, level: 1}
	})
}

func flap() []scenario {
	return grid([]float64{1000, 50_000}, fleets, uses, func(rate float64, _ int, _ float64) scenario {
		return scenario{name: "flap", on: 0.1, off: 0.9, limits: []bucket.Limit{perSecond(rate, 1)}, level: 1}
	})
}

func hot() []scenario {
	return grid([]float64{100, 1000, 50_000}, []int{8, 50, 200}, uses, func(rate float64, _ int, _ float64) scenario {
		return scenario{name: "hot", hot: 0.9, limits: []bucket.Limit{perSecond(rate, 1)}, level: 1}
	})
}

func cold() []scenario {
	all := grid([]float64{5, 100, 1000, 10_000, 50_000}, []int{1, 8, 10, 50, 200}, []float64{1.1, 3, 10}, func(rate float64, _ int, _ float64) scenario {
		return scenario{name: "cold", cold: 1, limits: []bucket.Limit{perSecond(rate, 60)}}
	})
	for i := range all {
		all[i].length = max(30*sec, all[i].length)
	}
	return all
}

func join() []scenario {
	return grid([]float64{100, 1000, 50_000}, []int{8, 50, 200}, []float64{0.5, 0.9, 1.1, 3}, func(rate float64, _ int, _ float64) scenario {
		return scenario{name: "join", joins: true, limits: []bucket.Limit{perSecond(rate, 1)}, level: 1}
	})
}

func lease() []scenario {
	build := func(name string, refunds, charges float64) []scenario {
		return grid([]float64{50_000, 1e6}, []int{1, 8, 50}, []float64{0.5, 0.9, 1.1, 3}, func(rate float64, _ int, use float64) scenario {
			return scenario{
				name: name, heavy: true, limits: []bucket.Limit{perSecond(rate, 60)}, level: emptyIfBusy(use), refunds: refunds, charges: charges,
			}
		})
	}
	return append(build("lease back", 1, 0), build("lease mixed", 0.7, 0.3)...)
}

func cascade() []scenario {
	build := func(name string, child func(rate float64) bucket.Limit) []scenario {
		return grid([]float64{100, 1000, 10_000}, []int{8}, uses, func(rate float64, _ int, _ float64) scenario {
			return scenario{name: name, limits: []bucket.Limit{perSecond(rate, 1)}, level: 1, children: 100, child: []bucket.Limit{child(rate)}}
		})
	}
	roomy := build("cascade roomy", func(rate float64) bucket.Limit { return perSecond(rate, 10) })
	return append(roomy, build("cascade tight", func(rate float64) bucket.Limit { return perSecond(rate/50, 1) })...)
}

func lost() (all []scenario) {
	for _, part := range []float64{0.001, 0.01, 0.05} {
		all = append(all, grid([]float64{1000, 50_000}, []int{1, 8, 50}, []float64{0.5, 0.9, 3}, func(rate float64, _ int, _ float64) scenario {
			return scenario{name: fmt.Sprintf("lost %g", part), lost: part, limits: []bucket.Limit{perSecond(rate, 1)}, level: 1}
		})...)
	}
	return all
}

func skew() (all []scenario) {
	for _, x := range []float64{2, 20, 200} {
		all = append(all, grid([]float64{100, 1000, 50_000}, []int{8, 50}, []float64{0.9, 1.1, 3}, func(rate float64, _ int, use float64) scenario {
			return scenario{name: fmt.Sprintf("skew %gms", x), skew: x, limits: []bucket.Limit{perSecond(rate, 60)}, level: emptyIfBusy(use)}
		})...)
	}
	return all
}

func spend() (all []scenario) {
	for _, seconds := range []float64{60, 3600} {
		all = append(all, grid([]float64{100, 1000, 10_000}, fleets, []float64{10, 50}, func(rate float64, _ int, _ float64) scenario {
			return scenario{name: fmt.Sprintf("spend C%gs", seconds), limits: []bucket.Limit{perSecond(rate, seconds)}, level: 1}
		})...)
	}
	return all
}

// thousand is a fleet of 1,000 processes with a window of 2 s.
func thousand() (all []scenario) {
	for _, seconds := range []float64{1, 60} {
		all = append(all, grid([]float64{1000, 50_000}, []int{1000}, []float64{0.5, 0.9, 3}, func(rate float64, _ int, use float64) scenario {
			return scenario{
				name: fmt.Sprintf("big C%gs", seconds), limits: []bucket.Limit{perSecond(rate, seconds)}, level: emptyIfBusy(use),
				opts: pocket.Options{MaxAge: 2 * time.Second},
			}
		})...)
	}
	return all
}
