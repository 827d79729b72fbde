package load

import (
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are recorded in ns for a whole run, up to an hour, and in µs for its slots.
const (
	maxLatency   = int64(time.Hour)
	digits       = 3
	slots        = 60
	minSlotWidth = 100 * time.Millisecond // minimum width of a slot
	maxErrors    = 10                     // number of errors that are counted separately
)

// tally collects the results of a stage. It is safe for concurrent use.
type tally struct {
	lock       sync.Mutex
	start      time.Time
	width      time.Duration // of a slot
	counts     Counts
	latency    *hdrhistogram.Histogram
	late       *hdrhistogram.Histogram // delay of starts
	slots      []slot
	errors     map[string]int64
	first      error
	inFlight   int
	rolledBack int64
	ended      time.Time // end of the last call
}

// slot collects the results of the arrivals that were due in a time slice.
type slot struct {
	counts  Counts
	latency *hdrhistogram.Histogram
}

func newTally(start time.Time, length time.Duration) *tally {
	t := &tally{
		start: start, width: max((length+slots-1)/slots, minSlotWidth), errors: map[string]int64{}, ended: start,
		latency: hdrhistogram.New(1, maxLatency, digits), late: hdrhistogram.New(1, maxLatency, digits),
	}
	t.slots = make([]slot, (length+t.width-1)/t.width)
	return t
}

// begin records the start of a call.
func (t *tally) begin(a *arrival, now time.Time) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.inFlight++
	record(t.late, now.Sub(a.at))
}

// outcome is the outcome of a call.
type outcome uint8

const (
	admitted outcome = iota
	denied
	degraded
	failed
)

// end records the end of a call.
func (t *tally) end(a *arrival, now time.Time, o outcome, err error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	took := now.Sub(a.at)
	record(t.latency, took)
	t.inFlight--
	t.counts.add(o)
	if now.After(t.ended) {
		t.ended = now
	}
	if i := int(a.at.Sub(t.start) / t.width); i < len(t.slots) {
		s := &t.slots[i]
		if s.latency == nil {
			s.latency = newSlotHistogram()
		}
		s.counts.add(o)
		record(s.latency, took/1000)
	}
	if err != nil {
		t.addError(err)
	}
}

// addError counts errors by their text.
func (t *tally) addError(err error) {
	if t.first == nil {
		t.first = err
	}
	t.countError(strings.Join(strings.Fields(err.Error()), " "), 1)
}

func (t *tally) countError(text string, n int64) {
	if _, known := t.errors[text]; !known && len(t.errors) >= maxErrors {
		text = "others"
	}
	t.errors[text] += n
}

func newSlotHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, maxLatency/1000, 2) }

// leaseEnded records the result of a commit or a rollback.
func (t *tally) leaseEnded(rolledBack bool, err error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if rolledBack {
		t.rolledBack++
	}
	if err != nil {
		t.addError(err)
	}
}

// allFailed reports whether all calls have failed.
func (t *tally) allFailed() bool { return t.first != nil && t.counts.Sent == t.counts.Failed }

// progress returns the progress of the stage.
func (t *tally) progress(now time.Time) Progress {
	t.lock.Lock()
	defer t.lock.Unlock()
	return Progress{
		Elapsed: now.Sub(t.start), Counts: t.counts, InFlight: t.inFlight,
		P50: quantile(t.latency, 50), P99: quantile(t.latency, 99),
	}
}

func (c *Counts) add(o outcome) {
	c.Sent++
	switch o {
	case admitted:
		c.Admitted++
	case denied:
		c.Denied++
	case degraded:
		c.Degraded++
	case failed:
		c.Failed++
	}
}

// record records a duration in the histogram's unit, limited to its range.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(int64(d), 0), h.HighestTrackableValue())) // cannot fail: the value is within the range
}

func quantile(h *hdrhistogram.Histogram, q float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(q))
}
