package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/guptarohit/asciigraph"

	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/load"
	"github.com/zeroae/zae-limiter-go/engine"
)

func (d loadDoc) table() table {
	a, c, b := d.Acquires, d.Cost, d.Bound
	requests := "not reported by the store"
	if c.Requests != nil {
		requests = fmt.Sprintf("%s per acquire, with %s write and %s read units", formatNumber(*c.Requests), formatNumber(c.WriteUnits), formatNumber(c.ReadUnits))
	}
	cost := fmt.Sprintf("$%.2f per month (%s, %s)", c.Monthly, c.Prices.Region, c.Prices.Month)
	if c.Estimated {
		cost = fmt.Sprintf("$%.2f per month on DynamoDB, if each write is one unit (%s)", c.Monthly, c.Prices.Month)
	}
	checked := countOf(b.Limits, "limit", "limits") + " of " + countOf(b.Buckets, "bucket", "buckets")
	bound := fmt.Sprintf("held by %s in every interval (%.1f%% used)", checked, b.Share*100)
	if b.Excess > 0 {
		bound = strings.TrimSuffix(bound, ")") + fmt.Sprintf(" of capacity and %v s of rate)", b.Excess)
	}
	if !b.Kept {
		bound = fmt.Sprintf("VIOLATED by %s of %s (%.1f%% used)", thousands(int64(b.Broken)), checked, b.Share*100)
	}
	t := table{rows: [][]string{
		{"store", d.Store},
		{"limits", strings.Join(mapSlice(d.limits, engine.Limit.String), " ")},
		{"consume", amountsText(engine.Tokens(d.Consume))},
		{"acquires", fmt.Sprintf("%s: %s admitted, %s denied, %s degraded, %s failed", thousands(a.Sent), thousands(a.Admitted),
			thousands(a.Denied), thousands(a.Degraded), thousands(a.Failed))},
		{"rolled back", thousands(d.RolledBack)},
		{"latency", d.Latency.String()},
		{"start delay", d.Late.String()},
		{"writes", formatNumber(c.Writes) + " per acquire"},
		{"requests", requests},
		{"cost", cost},
		{"bound", bound},
	}}
	for _, e := range d.Errors {
		t.rows = append(t.rows, []string{"error", fmt.Sprintf("%s times: %s", thousands(e.Count), e.Text)})
	}
	t.foot = strings.TrimRight(d.plots, "\n")
	return t
}

// String returns the distribution for tables.
func (t loadTimes) String() string {
	return fmt.Sprintf("p50 %v  p90 %v  p99 %v  p99.9 %v  max %v", roundDuration(t.distribution.P50), roundDuration(t.distribution.P90), roundDuration(t.distribution.P99), roundDuration(t.distribution.P999), roundDuration(t.distribution.Max))
}

func formatNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Size of a plot; with its labels it has 80 columns.
const (
	plotWidth  = 66
	plotHeight = 7
)

// loadPlots draws latency and admissions over time.
func loadPlots(r *load.Report) string {
	var p50, p99, admitted, denied []float64
	second := r.SlotWidth.Seconds()
	for _, s := range r.Slots {
		if s.Sent > 0 { // otherwise there is no latency, and the line continues at its last value
			p50, p99 = append(p50, milliseconds(s.P50)), append(p99, milliseconds(s.P99))
		} else if n := len(p99); n > 0 {
			p50, p99 = append(p50, p50[n-1]), append(p99, p99[n-1])
		} else {
			p50, p99 = append(p50, 0), append(p99, 0)
		}
		admitted, denied = append(admitted, float64(s.Admitted)/second), append(denied, float64(s.Denied)/second)
	}
	if len(r.Slots) < 2 {
		return ""
	}
	over := time.Duration(len(r.Slots)) * r.SlotWidth
	return fmt.Sprintf("\nlatency, ms: p99 ─, p50 ·  (over %v)\n%s\n\nper second: admitted ─, denied ·\n%s\n",
		roundDuration(over), plot(p50, p99), plot(denied, admitted))
}

// plot draws two series, the first one with dots.
func plot(dots, line []float64) string {
	return asciigraph.PlotMany([][]float64{dots, line},
		asciigraph.Width(plotWidth), asciigraph.Height(plotHeight), asciigraph.LowerBound(0),
		asciigraph.SeriesChars(asciigraph.CreateCharSet("·"), asciigraph.DefaultCharSet),
		asciigraph.YAxisValueFormatter(func(v float64) string { return fmt.Sprintf("%6s", shortNumber(v)) }))
}
