package sim

import (
	"fmt"
	"math"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// suite is a row of the tables: scenarios that differ in rate, number of processes and demand.
type suite struct {
	name      string
	what      string
	scenarios []scenario

	writes, admitted float64 // what the design expects: writes per admission, as a geometric mean; of the ideal bucket's tokens, least
}

// perSecond is a limit of so many tokens a second, and a capacity of so many seconds.
func perSecond(name string, rate float64, capacity time.Duration) engine.Limit {
	return engine.PerMinute(name, int64(math.Round(60*rate))).WithBurst(max(1, int64(math.Round(rate*capacity.Seconds()))))
}

func of(rate float64, capacity time.Duration) []engine.Limit {
	return []engine.Limit{perSecond("rps", rate, capacity)}
}

// sizes are what a suite varies; those of the short version are fewer.
type sizes struct {
	full   bool
	fleets []int
	uses   []float64
}

func size(full bool) sizes {
	if full {
		return sizes{true, []int{1, 8, 50, 200}, []float64{0.1, 0.5, 0.9, 1.1, 3, 10}}
	}
	return sizes{false, []int{8}, []float64{0.5, 3}}
}

// least returns the first value only in the short version.
func least[T any](z sizes, all ...T) []T {
	if z.full {
		return all
	}
	return all[:1]
}

// grid builds a scenario for each combination.
func (z sizes) grid(rates []float64, build func(rate, use float64) scenario) (all []scenario) {
	for _, rate := range rates {
		for _, n := range z.fleets {
			for _, use := range z.uses {
				s := build(rate, use)
				s.processes, s.use = n, use
				s.name += fmt.Sprintf("%.4g/s, %d processes, use %g", rate, n, use)
				if s.length == 0 {
					s.length = z.length(s.demand())
				}
				all = append(all, s)
			}
		}
	}
	return all
}

// length bounds the requests of a scenario.
func (z sizes) length(demand float64) time.Duration {
	if z.full {
		return time.Duration(max(6, min(60, 1.5e5/demand)) * 1e9)
	}
	return time.Duration(max(4, min(20, 1e4/demand)) * 1e9)
}

// suites are those of the design, with fewer requests at the highest rates.
func suites(z sizes) []suite {
	few := sizes{z.full, least(z, 8, 50, 200), z.uses}
	return []suite{
		{"core", "rates from 5 to 10,000, capacities of 1 s, 1 min and 1 h", z.core(), 0.22, 0.985},
		{"fast", "20,000 and 50,000 a second", z.fast(), 0.02, 0.985},
		{"small", "10 and 60 a minute", z.small(), 2.20, 0.997},
		{"heavy", "heavy-tailed amounts (tokens of an LLM)", z.heavy(), 0.35, 0.993},
		{"two", "two limits, requests and heavy-tailed tokens", z.two(), 0.36, 0.894},
		{"bursty", "on for 0.5 s, off for 1.5 s", z.bursts(500*time.Millisecond, 1500*time.Millisecond, 100, 5, 1000, 10_000), 0.21, 0.982},
		{"flap", "on for 0.1 s, off for 0.9 s", z.bursts(100*time.Millisecond, 900*time.Millisecond, 1000, 10_000), 0.025, 0.977},
		{"hot", "one process has 90 % of the demand", few.hot(), 0.095, 0.945},
		{"cold", "one slow caller beside a saturating fleet", z.cold(), 0.13, 0.983},
		{"join", "processes join and crash every second", few.join(), 0.16, 0.984},
		{"lease", "leases, 70 % refund 30 %, 30 % charge 20 % more", z.lease(), 0.17, 0.99},
		{"cascade", "cascade, 100 children", z.cascade(), 1.56, 0.997},
		{"lost", "0.1 to 5 % of replies lost", z.lost(), 0.018, 0.966},
		{"skew", "clocks 2 to 200 ms apart", few.skews(), 0.10, 0.990},
		{"spend", "a full bucket spent at 10 and 50 × the rate", z.spend(), 0.022, 0.981},
	}
}

// utilisations are ten processes, from a tenth of the rate to ten times the rate.
func utilisations(full bool) []scenario {
	z := sizes{full, []int{10}, size(true).uses}
	return z.grid(least(z, 1000.0, 100, 10_000), func(rate, _ float64) scenario {
		return scenario{limits: of(rate, time.Second), length: max(8*time.Second, z.length(10*rate))}
	})
}

// large are fleets that are almost too large for one record. The short version has a fifth of the processes.
func large(full bool) []scenario {
	z := sizes{full, []int{1000}, []float64{0.5, 0.9, 3}}
	if !full {
		z.fleets = []int{200}
	}
	return z.grid([]float64{50 * float64(z.fleets[0])}, func(rate, use float64) scenario {
		s := scenario{limits: of(rate, time.Second), age: 2 * time.Second, length: 6 * time.Second}
		if full {
			s.length = time.Duration(max(15, min(60, 2e6/(use*rate))) * 1e9)
		}
		return s
	})
}

func (z sizes) fast() []scenario {
	z.uses = least(z, 0.5, 0.9, 3)
	return z.grid(least(z, 20_000.0, 50_000), func(rate, _ float64) scenario {
		return scenario{limits: of(rate, time.Second), length: max(4*time.Second, z.length(rate))}
	})
}

func (z sizes) core() (all []scenario) {
	for _, capacity := range least(z, time.Minute, time.Second, time.Hour) {
		all = append(all, z.grid(least(z, 100.0, 5, 1000, 10_000), func(rate, use float64) scenario {
			return scenario{name: fmt.Sprintf("capacity of %v, ", capacity), limits: of(rate, capacity), empty: capacity > time.Second && use > 1}
		})...)
	}
	return all
}

func (z sizes) small() []scenario {
	return z.grid([]float64{10. / 60, 1}, func(rate, _ float64) scenario {
		l := engine.PerMinute("rpm", int64(math.Round(rate*60)))
		return scenario{limits: []engine.Limit{l}, length: 10 * time.Minute}
	})
}

func (z sizes) heavy() (all []scenario) {
	for _, x := range least(z, [2]float64{50_000, 60}, [2]float64{1e5 / 60, 60}, [2]float64{50_000, 1}, [2]float64{1e6, 1}, [2]float64{1e6, 60}) {
		all = append(all, z.grid(x[:1], func(rate, _ float64) scenario {
			return scenario{name: fmt.Sprintf("capacity of %g s, ", x[1]), heavy: true, limits: of(rate, time.Duration(x[1]*1e9))}
		})...)
	}
	return all
}

func (z sizes) two() (all []scenario) {
	for _, x := range least(z, [3]float64{100, 50_000, 60}, [3]float64{500. / 60, 1e5 / 60, 60}, [3]float64{1000, 5e5, 60}, [3]float64{1000, 1e6, 1}, [3]float64{3000, 1e6, 1}) {
		all = append(all, z.grid(x[:1], func(rate, _ float64) scenario {
			capacity := time.Duration(x[2] * 1e9)
			limits := append(of(rate, capacity), perSecond("tps", x[1], capacity))
			return scenario{name: fmt.Sprintf("%.0f tokens/s, capacity of %v, ", x[1], capacity), heavy: true, limits: limits}
		})...)
	}
	return all
}

func (z sizes) bursts(on, off time.Duration, rates ...float64) []scenario {
	return z.grid(least(z, rates...), func(rate, _ float64) scenario {
		return scenario{on: on, off: off, limits: of(rate, time.Second)}
	})
}

func (z sizes) hot() []scenario {
	return z.grid(least(z, 1000.0, 100, 10_000), func(rate, _ float64) scenario {
		return scenario{hot: 0.9, limits: of(rate, time.Second)}
	})
}

func (z sizes) cold() []scenario {
	z.fleets, z.uses = least(z, 10, 1, 8, 50, 200), least(z, 3.0, 1.1, 10)
	return z.grid(least(z, 100.0, 5, 1000, 10_000), func(rate, use float64) scenario {
		return scenario{cold: true, empty: true, limits: of(rate, time.Minute), length: max(20*time.Second, z.length(use*rate))}
	})
}

func (z sizes) join() []scenario {
	z.uses = least(z, 0.9, 0.5, 1.1, 3)
	return z.grid(least(z, 1000.0, 100, 10_000), func(rate, _ float64) scenario {
		return scenario{joins: true, limits: of(rate, time.Second)}
	})
}

func (z sizes) lease() []scenario {
	z.fleets, z.uses = least(z, 8, 1, 50), least(z, 0.9, 0.5, 1.1, 3)
	build := func(name string, refunds, charges float64) []scenario {
		return z.grid(least(z, 50_000.0, 1e6), func(rate, use float64) scenario {
			return scenario{name: name, heavy: true, refunds: refunds, charges: charges, empty: use > 1, limits: of(rate, time.Minute)}
		})
	}
	return append(build("all refund, ", 1, 0), build("", 0.7, 0.3)...)
}

func (z sizes) cascade() []scenario {
	z.fleets = []int{8}
	build := func(name string, child func(rate float64) engine.Limit) []scenario {
		return z.grid(least(z, 100.0, 1000, 10_000), func(rate, _ float64) scenario {
			l := child(rate)
			return scenario{name: name, limits: of(rate, time.Second), child: &l}
		})
	}
	roomy := build("children may use all, ", func(rate float64) engine.Limit { return perSecond("rps", rate, 10*time.Second) })
	return append(roomy, build("children may use a 50th, ", func(rate float64) engine.Limit { return perSecond("rps", rate/50, time.Second) })...)
}

func (z sizes) lost() (all []scenario) {
	z.fleets, z.uses = least(z, 8, 1, 50), least(z, 3, 0.5, 0.9)
	for _, part := range least(z, 0.05, 0.001, 0.01) {
		all = append(all, z.grid(least(z, 1000.0, 10_000), func(rate, _ float64) scenario {
			return scenario{name: fmt.Sprintf("%g lost, ", part), lost: part, limits: of(rate, time.Second)}
		})...)
	}
	return all
}

func (z sizes) skews() (all []scenario) {
	z.fleets, z.uses = least(z, 8, 50), least(z, 0.9, 1.1, 3)
	for _, d := range least(z, 200*time.Millisecond, 2*time.Millisecond, 20*time.Millisecond) {
		all = append(all, z.grid(least(z, 1000.0, 100, 10_000), func(rate, use float64) scenario {
			return scenario{name: fmt.Sprintf("%v, ", d), skew: d, empty: use > 1, limits: of(rate, time.Minute)}
		})...)
	}
	return all
}

func (z sizes) spend() (all []scenario) {
	z.uses = least(z, 10.0, 50)
	for _, capacity := range least(z, time.Minute, time.Hour) {
		all = append(all, z.grid(least(z, 100.0, 1000), func(rate, _ float64) scenario {
			return scenario{name: fmt.Sprintf("capacity of %v, ", capacity), limits: of(rate, capacity)}
		})...)
	}
	return all
}
