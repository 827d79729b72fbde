package bench

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

var (
	ratios    = flag.Bool("ratios", false, "compare with the stores' floors and print the ratios")
	rounds    = flag.Int("rounds", 40, "rounds of a comparison, each contender once in each")
	selected  = flag.String("workload", "", "compare on workloads whose name contains this")
	roundTime = flag.Duration("roundtime", 50*time.Millisecond, "about how long a contender's part of a round takes")
)

// comparison is one workload on one kind of store, done by some in turn.
type comparison struct {
	name string
	kind
	workload
	contenders []contender
}

var comparisons = []comparison{
	{"durable, hot/1", durable, hotSerial, []contender{allow, allowTwo, acquire, floorApply, floorUpdate}},
	{"durable, 100k/1", durable, evenSerial, []contender{allow, floorApply, floorUpdate}},
	{"durable, hot/64", durable, hotMany, []contender{allow, allowTwo, floorApply, floorBatch, floorUpdate}},
	{"durable, 100k/64", durable, evenMany, []contender{allow, floorApply, floorBatch, floorUpdate}},
	{"memory, hot/1", inMemory, hotSerial, []contender{allow, allowTwo, acquire, floorApply}},
	{"memory, hot/64", inMemory, hotMany, []contender{allow, allowTwo, floorApply}},
}

// goal is a bound on ours; the rows of the last table.
type goal struct {
	what, comparison string
	ours, against    contender
	valueFunc        func(ours, against series) float64
	bound            float64
	atLeast          bool
	unit             string
}

const (
	batchHot  = "bbolt durable, 64 goroutines on one key, times db.Batch"
	batchEven = "bbolt durable, 64 goroutines on 100,000 keys, times db.Batch"
	updateHot = "bbolt durable, one goroutine, against db.Update"
	tailHot   = "memory, 64 goroutines on one key, p99"
)

var goals = []goal{
	{batchHot, "durable, hot/64", allow, floorBatch, faster, 5, true, "×"},
	{batchHot, "durable, hot/64", floorApply, floorBatch, faster, 5, true, "×"},
	{batchEven, "durable, 100k/64", allow, floorBatch, faster, 5, true, "×"},
	{batchEven, "durable, 100k/64", floorApply, floorBatch, faster, 5, true, "×"},
	{updateHot, "durable, hot/1", allow, floorUpdate, slower, 1.15, false, "×"},
	{updateHot, "durable, hot/1", floorApply, floorUpdate, slower, 1.15, false, "×"},
	{tailHot, "memory, hot/64", allow, allow, tail, 5, false, "µs"},
	{tailHot, "memory, hot/64", floorApply, floorApply, tail, 5, false, "µs"},
}

// sample is one lap.
type sample struct{ perOp, p50, p99 float64 } // ns

// series are the laps of one contender, one for each round.
type series []sample

func (s series) median(fieldFunc func(sample) float64) float64 {
	values := make([]float64, len(s))
	for i := range s {
		values[i] = fieldFunc(s[i])
	}
	return median(values)
}

func perOp(s sample) float64 { return s.perOp }
func p50(s sample) float64   { return s.p50 }
func p99(s sample) float64   { return s.p99 }

// slower is the median of the rounds' ratios: a slow moment of the machine meets both sides of it.
func slower(ours, against series) float64 {
	values := make([]float64, len(ours))
	for i := range ours {
		values[i] = ours[i].perOp / against[i].perOp
	}
	return median(values)
}

func faster(ours, against series) float64 { return slower(against, ours) }

func tail(ours, _ series) float64 { return ours.median(p99) / 1000 }

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

// TestRatios compares the limiter and the bare stores with what bbolt does by itself. It judges no speed: machines
// differ, and the table says what is over its bound. Without -ratios it only proves, on few keys, that it comes out whole.
func TestRatios(t *testing.T) {
	alltests.Only(t)
	if *ratios {
		printAll(t, os.Stdout, comparisons, max(*rounds, 1), *roundTime)
		return
	}
	var text strings.Builder
	quick := slices.Clone(comparisons)
	for i := range quick {
		quick[i].workload = quick[i].small()
	}
	printAll(t, &text, quick, 1, 0)
	for _, g := range goals {
		if !strings.Contains(text.String(), "\n"+g.what+" ") {
			t.Errorf("no row for %q in\n%s", g.what, text.String())
		}
	}
}

func printAll(t *testing.T, to io.Writer, all []comparison, rounds int, each time.Duration) {
	done := map[string]map[string]series{}
	for i := range all {
		c := &all[i]
		if !strings.Contains(c.name, *selected) {
			continue
		}
		result, err := c.run(t.TempDir(), rounds, each)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		done[c.name] = result
		c.tabulate(to, result)
	}
	fmt.Fprint(to, "\nbounds\n\n")
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tthrough\tmeasured\tbound\t")
	for _, g := range goals {
		if result, ok := done[g.comparison]; ok {
			g.tabulate(table, g.valueFunc(result[g.ours.name], result[g.against.name]))
		}
	}
	for _, who := range []contender{denyByStore, floorApply} {
		commits, err := commitsOf(t.TempDir(), who, denials, 1000)
		if err != nil {
			t.Fatal(err)
		}
		goal{what: "bbolt durable, commits of 1,000 denials", ours: who}.tabulate(table, float64(commits))
	}
	table.Flush()
}

// run opens all contenders, lets each find out how much it does in its time, and then compares.
func (c *comparison) run(dir string, rounds int, each time.Duration) (map[string]series, error) {
	course, result := newCourse(c.workload), map[string]series{}
	open, counts, least := map[string]subject{}, map[string]int{}, manyGoroutines
	if each > 0 {
		least = 256
	}
	for _, who := range c.contenders {
		at := filepath.Join(dir, who.name)
		if err := os.Mkdir(at, 0o700); err != nil {
			return nil, err
		}
		s, err := who.openFunc(c.kind, at, c.workload)
		if err != nil {
			return nil, err
		}
		defer s.close() //nolint:errcheck // what was to be known of it is known
		open[who.name], counts[who.name] = s, least
	}
	for round := range rounds + 2 {
		runtime.GC()
		for i := range c.contenders { // each is first in some round: what one does to the disk, the next one meets
			who := c.contenders[(i+round)%len(c.contenders)]
			l, err := course.newLap(open[who.name], counts[who.name], round)
			if err != nil {
				return nil, err
			}
			l.run()
			if err := l.check(); err != nil {
				return nil, fmt.Errorf("%s: %w", who.name, err)
			}
			if round < 2 { // the first tells little, but how long the second may be
				counts[who.name] = min(max(int(float64(each)/l.perOp()), least), l.n*64)
				continue
			}
			result[who.name] = append(result[who.name], sample{
				l.perOp(), float64(l.lat.quantile(0.5)), float64(l.lat.quantile(0.99)),
			})
		}
	}
	return result, nil
}

func (c *comparison) tabulate(to io.Writer, result map[string]series) {
	fmt.Fprintf(to, "\n%s\n\n", c.name)
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "contender\tµs/op\top/s\tp50 µs\tp99 µs\t")
	for _, who := range c.contenders {
		s := result[who.name]
		each := s.median(perOp)
		fmt.Fprintf(table, "%s\t%.3g\t%.0f\t%s\t%s\t\n", who.name, each/1000, 1e9/each, timed(s.median(p50)), timed(s.median(p99)))
	}
	table.Flush()
}

func timed(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.3g", v/1000)
}

func (g goal) tabulate(to io.Writer, value float64) {
	sign, verdict := "≤", "kept"
	if g.atLeast {
		sign = "≥"
	}
	if value > g.bound && !g.atLeast || value < g.bound && g.atLeast {
		verdict = "OVER"
	}
	through := "limiter"
	if g.ours.name == floorApply.name {
		through = "bare store"
	}
	fmt.Fprintf(to, "%s\t%s\t%.3g %s\t%s %g %s\t%s\n", g.what, through, value, g.unit, sign, g.bound, g.unit, verdict)
}
