package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/guptarohit/asciigraph"

	"github.com/zeroae/zae-limiter-go/engine/schema"
)

const (
	usagePlotHeight = 8
	// maxPlotWindows bounds the number of windows in a chart; older ones are not drawn.
	maxPlotWindows = 5000
	// plotMargin is the width of the axis with its numbers, in columns.
	plotMargin = 14
	// maxPlotStep is the maximum width of a window, in columns.
	maxPlotStep = 6
)

// plot draws a chart for each limit in the list, one below the other.
func (a *App) plot(d list[snapshotDoc]) error {
	if len(d.items) == 0 {
		return a.print(formatTable, d)
	}
	width, _ := a.Size(a.Out)
	starts, series := seriesOf(d.items)
	for i, name := range slices.Sorted(maps.Keys(series)) {
		text := fmt.Sprintf("%s, %s, from %s to %s\n%s\n", orDash(name), d.items[0].Window, moment{starts[0]},
			moment{starts[len(starts)-1]}, chart(series[name], max(width-plotMargin, 1)))
		if i > 0 {
			text = "\n" + text
		}
		if _, err := io.WriteString(a.Out, text); err != nil {
			return err
		}
	}
	if d.next != "" {
		_, err := fmt.Fprintf(a.Out, "\nmore: --after %s\n", d.next)
		return err
	}
	return nil
}

// chart draws numbers in a number of columns: as steps if there are few, interpolated if there are more than columns.
func chart(numbers []float64, columns int) string {
	low, high := min(slices.Min(numbers), 0), max(slices.Max(numbers), 1)
	options := []asciigraph.Option{
		asciigraph.Height(int(min(high-low, usagePlotHeight))), asciigraph.Precision(0), asciigraph.LowerBound(low), asciigraph.UpperBound(high),
	}
	if len(numbers) > columns {
		return asciigraph.Plot(numbers, append(options, asciigraph.Width(columns))...)
	}
	var steps []float64
	for _, n := range numbers {
		for range min(columns/len(numbers), maxPlotStep) {
			steps = append(steps, n)
		}
	}
	return asciigraph.Plot(steps, options...)
}

// seriesOf returns the sum of each limit in every window from the first to the last, including windows without usage.
func seriesOf(usage []snapshotDoc) (starts []time.Time, series map[string][]float64) {
	byStart := func(a, b snapshotDoc) int { return a.Start.Compare(b.Start.Time) }
	first, window := slices.MinFunc(usage, byStart).Start, schema.Window(usage[0].Window)
	for at := slices.MaxFunc(usage, byStart).Start.Time; !at.Before(first.Time) && len(starts) < maxPlotWindows; {
		starts = append(starts, at)
		at = time.Unix(window.Start(at.UnixNano()-1), 0).UTC()
	}
	slices.Reverse(starts)
	index := make(map[time.Time]int, len(starts))
	for i, at := range starts {
		index[at] = i
	}
	series = map[string][]float64{}
	for _, s := range usage {
		i, drawn := index[s.Start.Time]
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
