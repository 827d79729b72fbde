package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/guptarohit/asciigraph"

	"github.com/zeroae/zae-limiter-go/engine"
)

const (
	usageHeight = 8
	// usageMost bounds the windows of a chart; those before are not drawn.
	usageMost = 5000
	// usageMargin is what a chart has beside its line: the numbers of its axis.
	usageMargin = 14
	// usageStep is how wide a window is drawn at the most.
	usageStep = 6
)

// plot draws a chart for each limit in the list, one below the other.
func (a *App) plot(d usageDoc) error {
	if len(d.Usage) == 0 {
		return a.print(formatTable, d)
	}
	width, _ := a.Size(a.Out)
	starts, series := seriesOf(d.Usage)
	for i, name := range slices.Sorted(maps.Keys(series)) {
		text := fmt.Sprintf("%s, %s, from %s to %s\n%s\n", orDash(name), d.Usage[0].Window, moment{starts[0]},
			moment{starts[len(starts)-1]}, chart(series[name], max(width-usageMargin, 1)))
		if i > 0 {
			text = "\n" + text
		}
		if _, err := io.WriteString(a.Out, text); err != nil {
			return err
		}
	}
	if d.Next != nil {
		_, err := fmt.Fprintf(a.Out, "\nmore: --after %s\n", *d.Next)
		return err
	}
	return nil
}

// chart draws numbers in so many columns: few of them as steps, many narrowed down.
func chart(numbers []float64, columns int) string {
	low, high := min(slices.Min(numbers), 0), max(slices.Max(numbers), 1)
	options := []asciigraph.Option{
		asciigraph.Height(int(min(high-low, usageHeight))), asciigraph.Precision(0), asciigraph.LowerBound(low), asciigraph.UpperBound(high),
	}
	if len(numbers) > columns {
		return asciigraph.Plot(numbers, append(options, asciigraph.Width(columns))...)
	}
	var steps []float64
	for _, n := range numbers {
		for range min(columns/len(numbers), usageStep) {
			steps = append(steps, n)
		}
	}
	return asciigraph.Plot(steps, options...)
}

// seriesOf are the sums of each limit in all windows from the first to the last, also in those in which nothing was used.
func seriesOf(usage []snapshotDoc) (starts []time.Time, series map[string][]float64) {
	first, last := usage[0].Start.Time, usage[0].Start.Time
	for _, s := range usage {
		if s.Start.Before(first) {
			first = s.Start.Time
		}
		if s.Start.After(last) {
			last = s.Start.Time
		}
	}
	for at := last; !at.Before(first) && len(starts) < usageMost; at = before(usage[0].Window, at) {
		starts = append(starts, at)
	}
	slices.Reverse(starts)
	place := make(map[time.Time]int, len(starts))
	for i, at := range starts {
		place[at] = i
	}
	series = map[string][]float64{}
	for _, s := range usage {
		i, drawn := place[s.Start.Time]
		if !drawn {
			continue
		}
		for name, n := range s.Tokens {
			if series[name] == nil {
				series[name] = make([]float64, len(starts))
			}
			series[name][i] += float64(n)
		}
	}
	return starts, series
}

// before is the start of the window before the one that starts at t.
func before(w engine.Window, t time.Time) time.Time {
	switch w {
	case engine.WindowHourly:
		return t.Add(-time.Hour)
	case engine.WindowDaily:
		return t.AddDate(0, 0, -1)
	}
	return t.AddDate(0, -1, 0)
}
