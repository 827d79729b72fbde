package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Part is what one of several processes has measured, in a form that can be sent to another one, which merges all of them. It does
// not have the events of the process's [Journal].
type Part struct {
	Start, Ended time.Time
	Interrupted  bool
	Counts       Counts
	RolledBack   int64
	Errors       map[string]int64
	Latency      []byte // histograms, in the format of HdrHistogram
	Late         []byte
	Width        time.Duration // of a slot
	Slots        []PartSlot
	Cost         Cost
	Touched      []string
}

// PartSlot is a time slice of a Part.
type PartSlot struct {
	Counts  Counts
	Latency []byte `json:",omitempty"`
}

// Part returns the report's numbers for [Merge].
func (r *Report) Part() (*Part, error) {
	t := r.tally
	t.lock.Lock()
	defer t.lock.Unlock()
	p := &Part{
		Start: t.start, Ended: t.ended, Interrupted: r.Interrupted, Counts: t.counts, RolledBack: t.rolledBack, Errors: t.errors,
		Width: t.width, Cost: r.Cost, Touched: r.Touched,
	}
	var err error
	if p.Latency, err = encode(t.latency); err != nil {
		return nil, err
	}
	if p.Late, err = encode(t.late); err != nil {
		return nil, err
	}
	for _, s := range t.slots {
		x := PartSlot{Counts: s.counts}
		if s.latency != nil {
			if x.Latency, err = encode(s.latency); err != nil {
				return nil, err
			}
		}
		p.Slots = append(p.Slots, x)
	}
	return p, nil
}

func encode(h *hdrhistogram.Histogram) ([]byte, error) {
	return h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
}

// Merge returns the report of all processes of a load: the sums of their parts, and the check of the limits over the events of all
// of them. o are the options of the whole load, and the events must be of its paths. All clocks must be that of one machine. The
// error is a *PartError.
func Merge(o Options, parts []*Part, events []Event) (*Report, error) {
	r := newRun(&o, nil, nil)
	r.replay(events)
	t, cost, interrupted := newTally(parts[0].Start, o.Duration), Cost{}, false
	for i, p := range parts {
		if err := t.merge(p); err != nil {
			return nil, &PartError{i, err}
		}
		cost.add(&p.Cost)
		interrupted = interrupted || p.Interrupted
		for _, entity := range p.Touched {
			if b := r.buckets[entity]; b != nil {
				b.markUsed()
			}
		}
	}
	return r.report(t, cost, interrupted), nil
}

func (t *tally) merge(p *Part) error {
	if p.Start.Before(t.start) {
		t.start = p.Start
	}
	if p.Ended.After(t.ended) {
		t.ended = p.Ended
	}
	t.counts.sum(&p.Counts)
	t.rolledBack += p.RolledBack
	for text, n := range p.Errors {
		t.countError(text, n)
	}
	if err := mergeInto(t.latency, p.Latency); err != nil {
		return err
	}
	if err := mergeInto(t.late, p.Late); err != nil {
		return err
	}
	for i := range min(len(t.slots), len(p.Slots)) {
		s := &t.slots[i]
		s.counts.sum(&p.Slots[i].Counts)
		if len(p.Slots[i].Latency) == 0 {
			continue
		}
		if s.latency == nil {
			s.latency = newSlotHistogram()
		}
		if err := mergeInto(s.latency, p.Slots[i].Latency); err != nil {
			return err
		}
	}
	return nil
}

func mergeInto(h *hdrhistogram.Histogram, encoded []byte) error {
	from, err := hdrhistogram.Decode(encoded)
	if err == nil {
		h.Merge(from)
	}
	return err
}

func (c *Counts) sum(x *Counts) {
	c.Sent, c.Admitted, c.Denied = c.Sent+x.Sent, c.Admitted+x.Admitted, c.Denied+x.Denied
	c.Degraded, c.Failed = c.Degraded+x.Degraded, c.Failed+x.Failed
}

func (c *Cost) add(x *Cost) {
	c.Decisions, c.Writes, c.Requests = c.Decisions+x.Decisions, c.Writes+x.Writes, c.Requests+x.Requests
	c.WriteUnits, c.ReadUnits = c.WriteUnits+x.WriteUnits, c.ReadUnits+x.ReadUnits
}

// Add adds the progress of another process. Percentiles are those of the slowest one.
func (p *Progress) Add(x *Progress) {
	p.WarmingUp = p.WarmingUp || x.WarmingUp
	p.Elapsed, p.P50, p.P99 = max(p.Elapsed, x.Elapsed), max(p.P50, x.P50), max(p.P99, x.P99)
	p.InFlight += x.InFlight
	p.sum(&x.Counts)
}
