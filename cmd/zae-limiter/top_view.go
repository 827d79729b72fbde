package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/readable"
)

// topOrder is the order of buckets.
type topOrder string

var topOrders = []topOrder{"acquires", "tokens", "left", "wait", "name"}

// next returns the order after o.
func (o topOrder) next() topOrder {
	return topOrders[(slices.Index(topOrders, o)+1)%len(topOrders)]
}

// order returns all known buckets, sorted.
func (o topOrder) order(seen map[engine.BucketName]*bucketTrack) []*bucketTrack {
	weights := make(map[*bucketTrack]float64, len(seen))
	for _, t := range seen {
		weights[t] = o.weight(t)
	}
	return slices.SortedFunc(maps.Values(seen), func(a, b *bucketTrack) int {
		return cmp.Or(-cmp.Compare(weights[a], weights[b]), byName(a.BucketName, b.BucketName))
	})
}

// weight returns a larger number for what comes first. Buckets without rates, read only once, come last, sorted by all their
// acquires.
func (o topOrder) weight(t *bucketTrack) float64 {
	most := math.Inf(-1)
	for i, l := range t.Limits {
		switch {
		case o == "tokens" && t.rates != nil:
			most = max(most, t.rates.tokens[i]/float64(l.Limit.RefillAmount)*l.Limit.RefillPeriod.Seconds())
		case o == "left":
			most = max(most, -float64(l.Available)/float64(l.Limit.Capacity))
		case o == "wait":
			most = max(most, l.RetryAfter.Seconds())
		}
	}
	switch {
	case o == "name":
		return 0
	case o == "left" || o == "wait":
		return most
	case t.rates == nil:
		return -1 / (1 + float64(t.Acquires)) // negative, so after all buckets with rates
	case o == "tokens":
		return most
	}
	return t.rates.acquires
}

// topHead names the columns. The first three share the width that the others leave.
var topHead = []string{"ENTITY", "RESOURCE", "LIMIT", "LEFT", "OF", "TOKENS/S", "ACQ/S", "ADMITS IN"}

// topRow is one limit of a bucket.
type topRow struct {
	cells  []string
	share  float64 // of the capacity that is available
	bucket int     // index of its bucket
}

// topRows returns a row for each limit; only the first row of a bucket has the entity and the resource.
func topRows(buckets []topBucketDoc) (rows []topRow) {
	for n, b := range buckets {
		entity, resource, acquires := orDash(b.Entity), orDash(b.Resource), perSecond(b.AcquiresPerSecond)
		for _, l := range b.Limits {
			share := float64(l.Available) / float64(l.Capacity)
			admits := "now"
			if l.wait > 0 {
				admits = readable.Wait(l.wait)
			}
			rows = append(rows, topRow{[]string{
				entity, resource, orDash(l.Name), gauge(share), shortNumber(float64(l.Capacity)), perSecond(l.TokensPerSecond), acquires, admits,
			}, share, n})
			entity, resource, acquires = "", "", ""
		}
	}
	return rows
}

func (d topDoc) table() table {
	t := table{head: topHead}
	for _, r := range topRows(d.Buckets) {
		for i, cell := range r.cells {
			if cell == "" {
				r.cells[i] = " "
			}
		}
		t.rows = append(t.rows, r.cells)
	}
	t.foot = d.summary()
	return t
}

// summary says how many buckets were read and are shown.
func (d topDoc) summary() string {
	s := fmt.Sprintf("%d of %d buckets", len(d.Buckets), d.Matching)
	if !d.Complete {
		s += fmt.Sprintf("; not all were read, only %d: raise --sample to read more", d.Read)
	}
	return s
}

// gauge draws a share as a bar with its percentage.
func gauge(share float64) string {
	const cells = 6
	full := int(math.Ceil(min(max(share, 0), 1) * cells))
	return fmt.Sprintf("%s%s %4s", strings.Repeat("#", full), strings.Repeat(".", cells-full), percent(share))
}

func percent(share float64) string {
	p := math.Floor(share * 100)
	if p < -99 {
		return "<-99%"
	}
	return strconv.Itoa(int(p)) + "%"
}

func perSecond(rate *float64) string {
	if rate == nil {
		return "-"
	}
	return shortNumber(*rate)
}

// shortNumber formats a number in five characters, six with its sign.
func shortNumber(v float64) string {
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	unit := 0
	for ; v >= 999.5 && unit < len(units)-1; unit++ {
		v /= 1000
	}
	digits := 2
	switch {
	case v >= 99.95 || v == math.Trunc(v):
		digits = 0
	case v >= 9.995:
		digits = 1
	}
	return sign + strconv.FormatFloat(v, 'f', digits, 64) + units[unit]
}

var units = []string{"", "k", "M", "G", "T", "P"}

// rounded rounds a number for a document to three decimals.
func rounded(v float64) float64 { return math.Round(v*1000) / 1000 }

// topLayout holds the widths of the columns on a screen.
type topLayout struct {
	widths []int
	gap    string
}

// newTopLayout gives each number its width; the names share the rest.
func newTopLayout(width int, rows []topRow) topLayout {
	g := topLayout{make([]int, len(topHead)), "  "}
	sum := 0
	for i, name := range topHead {
		g.widths[i] = len(name)
		for _, r := range rows {
			g.widths[i] = max(g.widths[i], utf8.RuneCountInString(r.cells[i]))
		}
		sum += g.widths[i]
	}
	gaps := len(topHead) - 1
	if sum+2*gaps > width {
		g.gap = " "
	}
	const least = 4
	for over := sum + gaps*len(g.gap) - width; over > 0; over-- {
		widest := 0
		for i := range 3 {
			if g.widths[i] > g.widths[widest] {
				widest = i
			}
		}
		if g.widths[widest] <= least {
			break
		}
		g.widths[widest]--
	}
	return g
}

// wrapNames continues names that are too long in the next lines of their bucket, if there are any.
func (g *topLayout) wrapNames(rows []topRow) {
	for first := 0; first < len(rows); {
		next := first + 1
		for next < len(rows) && rows[next].bucket == rows[first].bucket {
			next++
		}
		for col := range 2 {
			rest := []rune(rows[first].cells[col])
			for i := first; i < next; i++ {
				part := rest
				if i+1 < next {
					part = rest[:min(len(rest), g.widths[col])]
				}
				rows[i].cells[col], rest = string(part), rest[len(part):]
			}
		}
		first = next
	}
}

// line returns a line of cells: names and gauge aligned left, numbers right.
func (g *topLayout) line(cells []string) string {
	line := make([]string, len(cells))
	for i, cell := range cells {
		cell = ellipsize(cell, g.widths[i])
		pad := strings.Repeat(" ", g.widths[i]-utf8.RuneCountInString(cell))
		if line[i] = cell + pad; i > 3 {
			line[i] = pad + cell
		}
	}
	return strings.Join(line, g.gap)
}

// ellipsize shortens a name in the middle, marked by a tilde.
func ellipsize(s string, width int) string {
	r := []rune(s)
	if len(r) <= width || width < 3 {
		return clip(s, width)
	}
	tail := (width - 1) / 2
	return string(r[:width-1-tail]) + "~" + string(r[len(r)-tail:])
}

// clip shortens a text at its end, marked by a tilde.
func clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(width-1, 0)]) + "~"
}
