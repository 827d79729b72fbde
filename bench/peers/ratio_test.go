package peers

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

var (
	ratios   = flag.Bool("ratios", false, "compare all contenders and print the ratios")
	rounds   = flag.Int("rounds", 6, "rounds of a comparison, each contender once in each; of short ones ten times as many")
	selected = flag.String("workload", "", "compare on workloads whose name contains this; heap is one")
	among    = flag.String("among", "", "compare contenders whose name contains one of these, by commas")
)

// goal is a bound on what ours takes, relative to the fastest of some contenders or absolute.
type goal struct {
	what, workload, ours string
	valueFunc            func(series) float64
	bound                float64
	unit                 string
	rivalFunc            func(contender) bool // accepts those of whom the fastest is compared with; nil: the bound is absolute
}

// goals are the rows of the last table. Allocations and heap do not depend on the machine; the others do.
var goals = []goal{
	{"two limits, hot key, Allow, to a token bucket", "hot/serial", "ours-allow", series.perOp, 1.3, "×", contender.isBucket},
	{"… to any peer", "hot/serial", "ours-allow", series.perOp, 2.0, "×", contender.asksTwice},
	{"… its allocations", "hot/serial", "ours-allow", series.allocs, 0, "", nil},
	{"two limits, hot key, Allow from a pocket, to a token bucket", "hot/serial", "ours-pocket", series.perOp, 1.2, "×", contender.isBucket},
	{"… to any peer", "hot/serial", "ours-pocket", series.perOp, 1.6, "×", contender.asksTwice},
	{"… its allocations and those of its writes", "hot/serial", "ours-pocket", series.allocs, 0.05, "", nil},
	{"two limits, hot key, Acquire and Commit, to a token bucket", "hot/serial", "ours-acquire", series.perOp, 2.0, "×", contender.isBucket},
	{"… to any peer", "hot/serial", "ours-acquire", series.perOp, 3.0, "×", contender.asksTwice},
	{"… its allocations", "hot/serial", "ours-acquire", series.allocs, 1, "", nil},
	{"two limits, 100,000 keys, parallel, Allow, to a token bucket", "uniform-100k/parallel", "ours-allow", series.perOp, 1.2, "×", contender.isBucket},
	{"64 goroutines on one key, p99", "hot/64-goroutines", "ours-allow", series.p99, 5_000, "ns", nil},
	{"denial from memory, to any peer's rejection", "denied-by-first/serial", "ours-allow", series.perOp, 2.5, "×", contender.asksTwice},
	{"… its allocations", "denied-by-first/serial", "ours-allow", series.allocs, 0, "", nil},
	{"heap per live key", "heap", "ours-allow", series.heap, 560, "B", nil},
	{"full collection, 1,000,000 live keys", "heap", "ours-allow", series.gc, 250, "ms", nil},
}

// sample is what one contender took in one round.
type sample struct{ perOp, p50, p99, allocs, heap, newKey, gc float64 }

// series are the rounds of one contender.
type series []sample

func (s series) perOp() float64  { return s.median(func(x sample) float64 { return x.perOp }) }
func (s series) p50() float64    { return s.median(func(x sample) float64 { return x.p50 }) }
func (s series) p99() float64    { return s.median(func(x sample) float64 { return x.p99 }) }
func (s series) heap() float64   { return s.median(func(x sample) float64 { return x.heap }) }
func (s series) newKey() float64 { return s.median(func(x sample) float64 { return x.newKey }) }
func (s series) gc() float64     { return s.median(func(x sample) float64 { return x.gc }) }

// allocs is rounded to hundredths: what the runtime allocates in a round beside the loop is no contender's.
func (s series) allocs() float64 {
	return float64(int(s.median(func(x sample) float64 { return x.allocs })*100+0.5)) / 100
}

func (s series) median(fieldFunc func(sample) float64) float64 {
	values := make([]float64, len(s))
	for i := range s {
		values[i] = fieldFunc(s[i])
	}
	return median(values)
}

// over is the median of the rounds' ratios: a slow moment of the machine meets both sides of it.
func (s series) over(o series) float64 {
	values := make([]float64, len(s))
	for i := range s {
		values[i] = s[i].perOp / o[i].perOp
	}
	return median(values)
}

func median(values []float64) float64 {
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

// comparison is one workload done by all.
type comparison struct {
	workload string
	names    []string
	series   map[string]series
}

func (c *comparison) add(name string, s sample) {
	if _, ok := c.series[name]; !ok {
		c.names = append(c.names, name)
	}
	c.series[name] = append(c.series[name], s)
}

// least is the peer with the lowest value among those that want accepts.
func (c *comparison) least(valueFunc func(series) float64, wantFunc func(contender) bool) string {
	best := ""
	for _, who := range contenders {
		s, ok := c.series[who.name]
		if !ok || who.kind != kindPeer || !wantFunc(who) {
			continue
		}
		if best == "" || valueFunc(s) < valueFunc(c.series[best]) {
			best = who.name
		}
	}
	return best
}

// TestRatios compares all contenders. It judges no speed: machines differ, and the table says what is over its bound.
// Without -ratios it only proves, on small workloads, that the tables come out whole.
func TestRatios(t *testing.T) {
	if *ratios {
		if err := printAll(os.Stdout, workloads(), *rounds, maxKeys); err != nil {
			t.Fatal(err)
		}
		return
	}
	var text strings.Builder
	quick := workloads()
	for i := range quick {
		quick[i] = quick[i].small()
		quick[i].n, quick[i].split = 1_000, 1
	}
	if err := printAll(&text, quick, 2, 1_000); err != nil {
		t.Fatal(err)
	}
	for _, who := range contenders {
		if got := strings.Count(text.String(), " "+who.name+" "); got < len(quick)-1 {
			t.Errorf("%s is in %d tables of %d", who.name, got, len(quick)+1)
		}
	}
	for _, g := range goals {
		if !strings.Contains(text.String(), "\n"+g.what+" ") {
			t.Errorf("no row for %q", g.what)
		}
	}
}

// printAll compares on the selected workloads, with a table for each and the bounds at the end.
func printAll(to io.Writer, all []workload, rounds, keys int) error {
	done := map[string]*comparison{}
	for _, w := range all {
		if !strings.Contains(w.name, *selected) {
			continue
		}
		c, err := compare(w, max(rounds, 1))
		if err != nil {
			return err
		}
		done[w.name] = c
		printSpeeds(to, c)
	}
	if strings.Contains("heap", *selected) {
		c, err := compareHeaps(keys)
		if err != nil {
			return err
		}
		done["heap"] = c
		printHeaps(to, c, keys)
	}
	if len(done) == 0 {
		return fmt.Errorf("peers: no workload's name contains %q", *selected)
	}
	printGoals(to, done)
	return nil
}

// competes reports whether the contender was selected.
func (c contender) competes() bool {
	return slices.ContainsFunc(strings.Split(*among, ","), func(part string) bool { return strings.Contains(c.name, part) })
}

// compare lets every contender do the workload once per round, after one round that does not count.
func compare(w workload, rounds int) (*comparison, error) {
	rounds *= max(w.split, 1)
	course, result := newCourse(w), &comparison{workload: w.name, series: map[string]series{}}
	open := map[string]peer{}
	for _, who := range contenders {
		if skips(who, w) || !who.competes() {
			continue
		}
		p := who.openFunc(course.limits)
		defer p.Close()
		if err := course.prepare(p); err != nil {
			return nil, fmt.Errorf("%s: %w", who.name, err)
		}
		open[who.name], result.series[who.name] = p, nil
		result.names = append(result.names, who.name)
	}
	order, random := slices.Clone(contenders), rand.New(rand.NewPCG(5, 6))
	for round := range rounds + 1 {
		runtime.GC()
		// In another order each time: nobody always comes behind the same one.
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, who := range order {
			p, ok := open[who.name]
			if !ok {
				continue
			}
			r, err := course.run(p, w.n, round)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", who.name, err)
			}
			if r.allocs() > 1.5 { // nobody else shall collect that
				runtime.GC()
			}
			if round > 0 {
				result.add(who.name, sample{
					perOp: r.perOp(), allocs: r.allocs(),
					p50: float64(r.lat.quantile(0.5)), p99: float64(r.lat.quantile(0.99)),
				})
			}
		}
	}
	return result, nil
}

// compareHeaps weighs one contender after the other: alone, since a collection's time is that of all live memory.
func compareHeaps(keys int) (*comparison, error) {
	result := &comparison{workload: "heap", series: map[string]series{}}
	for _, who := range contenders {
		if !who.competes() {
			continue
		}
		f, err := weigh(who, keys)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", who.name, err)
		}
		result.add(who.name, sample{heap: f.BytesPerKey, newKey: float64(f.NewKey), gc: f.GC.Seconds() * 1000})
	}
	return result, nil
}

func printSpeeds(to io.Writer, c *comparison) {
	best := c.least(series.perOp, contender.asksTwice)
	fmt.Fprintf(to, "\n%s\n\n", c.workload)
	table := tabwriter.NewWriter(to, 0, 0, 1, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "contender\talgorithm\tns/op\t× fastest\tp50 ns\tp99 ns\tallocs\t")
	for _, name := range c.names {
		s := c.series[name]
		fmt.Fprintf(table, "%s\t%s\t%.1f\t%.2f\t%s\t%s\t%.2f\t\n",
			name, algorithmOf(name), s.perOp(), s.over(c.series[best]), timedNs(s.p50()), timedNs(s.p99()), s.allocs())
	}
	table.Flush()
	bucket, whoever := c.least(series.perOp, contender.isBucket), c.least(series.perOp, contender.isAny)
	fmt.Fprintf(to, "fastest peer: %s; fastest token bucket: %s; with one look-up: %s\n", best, bucket, whoever)
}

func printHeaps(to io.Writer, c *comparison, keys int) {
	fmt.Fprintf(to, "\nheap, %d live keys\n\n", keys)
	table := tabwriter.NewWriter(to, 0, 0, 1, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "contender\talgorithm\tB/key\tns/new key\tms/full GC\t")
	for _, name := range c.names {
		s := c.series[name]
		fmt.Fprintf(table, "%s\t%s\t%.0f\t%.0f\t%.1f\t\n", name, algorithmOf(name), s.heap(), s.newKey(), s.gc())
	}
	table.Flush()
}

func printGoals(to io.Writer, done map[string]*comparison) {
	fmt.Fprint(to, "\nours against the bounds\n\n")
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tours\tbound\t\tbest peer\tbest token bucket\tbest with one look-up\tfloor\t")
	for _, g := range goals {
		if c, ok := done[g.workload]; ok {
			g.print(table, c)
		}
	}
	table.Flush()
}

// print writes the goal's row: ratios of ours to the others, or ours and what the others take.
func (g goal) print(to io.Writer, c *comparison) {
	ours, others := c.series[g.ours], []string{"floor"}
	for _, among := range []func(contender) bool{contender.isAny, contender.isBucket, contender.asksTwice} {
		others = append([]string{c.least(g.valueFunc, among)}, others...)
	}
	if ours == nil {
		fmt.Fprintf(to, "%s\tnot built in\t%g %s\t", g.what, g.bound, g.unit)
	} else {
		value := g.valueFunc(ours)
		if g.rivalFunc != nil {
			value = ours.over(c.series[c.least(g.valueFunc, g.rivalFunc)])
		}
		fmt.Fprintf(to, "%s\t%.4g %s\t%g %s\t%s", g.what, value, g.unit, g.bound, g.unit, verdict(value, g.bound))
	}
	for _, name := range others {
		if g.unit == "" || c.series[name] == nil {
			fmt.Fprint(to, "\t")
			continue
		}
		value, unit := g.valueFunc(c.series[name]), g.unit
		if g.rivalFunc != nil && ours != nil {
			value = ours.over(c.series[name])
		} else if g.rivalFunc != nil {
			unit = "ns"
		}
		fmt.Fprintf(to, "\t%.4g %s %s", value, unit, name)
	}
	fmt.Fprint(to, "\t\n")
}

func verdict(value, bound float64) string {
	if value <= bound {
		return "kept"
	}
	return "OVER"
}

func timedNs(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", v)
}

func algorithmOf(name string) string {
	for _, c := range contenders {
		if c.name == name {
			return c.algorithm
		}
	}
	return ""
}
