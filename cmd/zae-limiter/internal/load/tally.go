package load

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are kept in ns for the whole of a run, up to an hour, and in µs for its parts.
const (
	longest  = int64(time.Hour)
	digits   = 3
	slots    = 60
	leastFor = 100 * time.Millisecond // of a slot
	mostWhy  = 10                     // different errors that are told apart
)

// tally is what has been seen of a stage. Safe for concurrent use.
type tally struct {
	lock     sync.Mutex
	start    time.Time
	width    time.Duration // of a slot
	counts   Counts
	latency  *hdrhistogram.Histogram
	late     *hdrhistogram.Histogram // begins behind the schedule
	slots    []slot
	errors   map[string]int64
	first    error
	inFlight int
	rolled   int64
	ended    time.Time // when the last call has
}

// slot is a part of the time, by when arrivals were due.
type slot struct {
	counts  Counts
	latency *hdrhistogram.Histogram
}

func newTally(start time.Time, most time.Duration) *tally {
	t := &tally{
		start: start, width: max((most+slots-1)/slots, leastFor), errors: map[string]int64{}, ended: start,
		latency: hdrhistogram.New(1, longest, digits), late: hdrhistogram.New(1, longest, digits),
	}
	t.slots = make([]slot, (most+t.width-1)/t.width)
	return t
}

// begin notes that a call for an arrival begins.
func (t *tally) begin(a *arrival, now time.Time) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.inFlight++
	record(t.late, now.Sub(a.at))
}

// outcome is how a call ended.
type outcome uint8

const (
	admitted outcome = iota
	denied
	degraded
	failed
)

// end notes how a call has ended.
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
			s.latency = hdrhistogram.New(1, longest/1000, 2)
		}
		s.counts.add(o)
		record(s.latency, took/1000)
	}
	if err != nil {
		t.fault(err)
	}
}

// fault counts errors by their text.
func (t *tally) fault(err error) {
	if t.first == nil {
		t.first = err
	}
	text := err.Error()
	if _, known := t.errors[text]; !known && len(t.errors) == mostWhy {
		text = "others"
	}
	t.errors[text]++
}

// settled notes how the settlement of a lease ended.
func (t *tally) settled(rolledBack bool, err error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if rolledBack {
		t.rolled++
	}
	if err != nil {
		t.fault(err)
	}
}

// inVain reports whether every call failed.
func (t *tally) inVain() bool { return t.first != nil && t.counts.Sum() == t.counts.Failed }

// progress is how far the stage has come.
func (t *tally) progress(now time.Time) Progress {
	t.lock.Lock()
	defer t.lock.Unlock()
	return Progress{
		Elapsed: now.Sub(t.start), Counts: t.counts, InFlight: t.inFlight,
		P50: quantile(t.latency, 50), P99: quantile(t.latency, 99),
	}
}

func (c *Counts) add(o outcome) {
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

// record notes a duration, in the histogram's unit; what lasts longer than it can hold counts as that.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(int64(d), 0), h.HighestTrackableValue())) // within what it can hold
}

func quantile(h *hdrhistogram.Histogram, q float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(q))
}
