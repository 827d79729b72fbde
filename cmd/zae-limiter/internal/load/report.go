package load

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// Report is the result of a run. Only Bound includes the warm-up.
type Report struct {
	Start       time.Time
	Elapsed     time.Duration // from the time of the first arrival to the end of the last call
	Interrupted bool
	Counts
	RolledBack int64
	Errors     []ErrorCount
	Latency    Distribution // of acquires, from their scheduled time
	Late       Distribution // delay of the start of acquires
	Cost       Cost
	Bound      Bound
	Slots      []Slot
	SlotWidth  time.Duration
	Touched    []string // entities whose buckets were used, including parents

	tally *tally
}

// ErrorCount is an error, in one line, and how often it occurred.
type ErrorCount struct {
	Text  string `json:"message"`
	Count int64  `json:"count"`
}

// Distribution summarizes a distribution of durations.
type Distribution struct{ P50, P90, P99, P999, Max, Mean time.Duration }

// Slot is a time slice of the run. It covers the arrivals that were due in it.
type Slot struct {
	At time.Duration // since the start
	Counts
	P50, P99 time.Duration
}

// Bound says whether the limits held. It includes the warm-up.
type Bound struct {
	Buckets    int     // number of buckets that were used
	Limits     int     // number of limits in them
	Share      float64 // largest part of its capacity and Options.Excess that any limit admitted in any interval, not counting refills
	Broken     int     // number of violated limits
	Violations []Violation
}

// Violation is a limit that admitted too much.
type Violation struct {
	engine.BucketName
	Limit    engine.Limit
	From, To time.Time // of the worst interval
	Admitted int64     // tokens admitted in the interval, less those refunded
	Allowed  int64     // tokens allowed in the interval: the capacity, Options.Excess and refills, rounded down
}

// maxViolations is the maximum number of violations in a report.
const maxViolations = 10

func (r *run) report(t *tally, cost Cost, interrupted bool) *Report {
	t.lock.Lock()
	defer t.lock.Unlock()
	report := &Report{
		Start: t.start, Elapsed: t.ended.Sub(t.start), Interrupted: interrupted, Counts: t.counts, RolledBack: t.rolledBack,
		Latency: distribution(t.latency), Late: distribution(t.late), Cost: cost, Bound: r.bound(), SlotWidth: t.width, tally: t,
	}
	for _, text := range slices.Sorted(maps.Keys(t.errors)) {
		report.Errors = append(report.Errors, ErrorCount{text, t.errors[text]})
	}
	for i, s := range t.slots {
		slot := Slot{At: time.Duration(i) * t.width, Counts: s.counts}
		if s.latency != nil {
			slot.P50, slot.P99 = quantile(s.latency, 50)*1000, quantile(s.latency, 99)*1000
		}
		report.Slots = append(report.Slots, slot)
	}
	for entity, b := range r.buckets {
		if b.used {
			report.Touched = append(report.Touched, entity)
		}
	}
	slices.Sort(report.Touched)
	return report
}

func distribution(h *hdrhistogram.Histogram) Distribution {
	return Distribution{
		P50: quantile(h, 50), P90: quantile(h, 90), P99: quantile(h, 99), P999: quantile(h, 99.9),
		Max: time.Duration(h.Max()), Mean: time.Duration(h.Mean()),
	}
}

// bound summarizes all accounts.
func (r *run) bound() Bound {
	var sum Bound
	for _, entity := range slices.SortedFunc(maps.Keys(r.buckets), strings.Compare) {
		b := r.buckets[entity]
		b.lock.Lock()
		if b.used {
			sum.Buckets++
			for i := range b.accounts {
				sum.add(b.name, &b.accounts[i])
			}
		}
		b.lock.Unlock()
	}
	return sum
}

func (b *Bound) add(name engine.BucketName, a *account) {
	b.Limits++
	b.Share = max(b.Share, a.share())
	if !a.broken {
		return
	}
	if b.Broken++; len(b.Violations) == maxViolations {
		return
	}
	refilled := a.rate.Y(a.worst.to).Sub(a.rate.Y(a.worst.from))
	b.Violations = append(b.Violations, Violation{
		BucketName: name, Limit: a.limit, From: time.Unix(0, a.worst.from).UTC(), To: time.Unix(0, a.worst.to).UTC(),
		Admitted: a.tokens(a.worst.admitted), Allowed: a.tokens(a.allowed.Add(refilled)),
	})
}

// tokens converts units to tokens, rounded down.
func (a *account) tokens(units backend.Num) int64 {
	return units.DivFloor(a.rate.Cost(1).SaturateInt64()).SaturateInt64()
}
