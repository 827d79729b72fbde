package pocket_test

import (
	"fmt"
	"math"
	"slices"
)

// measured are the totals of a run.
type measured struct {
	arrivals, admitted, failedAll int64
	tokens                        int64 // of the last limit: admitted
	idealAdmitted, idealTokens    int64
	fromMemory, waited            int64
	wrong                         int64 // denied from memory although the record had the tokens
	wrongly                       int64 // denied, in any way
	again                         int64
	waits                         [4001]int64 // of those who waited, in steps of 0.25 ms
	crashes, crashed, restarts    int64
	longest                       int64 // that a write took to the store, ns
	inPockets, samples            int64
	coldWaits                     []float64
	refunded                      float64 // tokens, by leases
}

func (w *world) countArrival(r *request) {
	w.arrivals++
	r.p.open++
	r.p.asked++
	for k := range r.n {
		if !r.parts[k].h.s.admitsIdeal(w.now, r.need) {
			return
		}
	}
	for k := range r.n {
		r.parts[k].h.s.takeIdeal(w.now, r.need)
	}
	w.idealAdmitted++
	w.idealTokens += r.need[len(r.need)-1]
}

func (w *world) countEnd(r *request) {
	r.p.open--
	if r.waited {
		w.waited++
		w.waits[min(4000, (w.now-r.asked)/(ms/4))]++
	} else {
		w.fromMemory++
	}
	if w.exact && r.denied && w.buckets[0].holds(w.now, r.need) {
		w.wrongly++
	}
	switch {
	case !r.denied:
		w.admitted++
		r.p.served++
		w.tokens += r.need[len(r.need)-1]
		if r.p.id == -1 {
			w.coldWaits = append(w.coldWaits, float64(w.now-r.first)/1e6)
		}
	case r.failed:
		w.failedAll++
	case !r.waited && w.buckets[0].holds(w.now, r.need):
		w.wrong++
	}
}

func (w *world) sample() {
	for _, p := range w.procs {
		if h := p.handles[0]; h != nil && p.up {
			w.inPockets += h.b.Pockets()[len(h.s.rates)-1]
		}
	}
	w.samples++
}

// figures are those of the design's tables.
type figures struct {
	perAdmission   float64 // writes
	admitted       float64 // of what the ideal bucket admits
	tokens         float64 // the same, of the last limit
	perProcess     float64 // writes a second on the first record
	ofOne          float64 // the same, by the busiest process
	busiest        int64   // writes in the worst second on it
	refused        float64 // part of the writes
	waited         float64 // part of the callers
	median, slow   float64 // wait of all callers, ms
	excess         float64 // seconds of rate beyond capacity + rate·T
	wrong, failed  float64
	crash          float64 // ms of rate that one loses
	coldMedian     float64
	coldSlow       float64
	arrivals, held float64
}

func (w *world) figures() (f figures) {
	s := w.buckets[0]
	writes, seconds := int64(0), float64(w.length)/1e9
	for _, b := range w.buckets {
		writes += b.writes + b.throttled
		for _, e := range b.excess {
			f.excess = max(f.excess, e.most/1e9)
		}
	}
	f.arrivals = float64(w.arrivals)
	f.perAdmission = float64(writes) / math.Max(1, float64(w.admitted))
	f.perProcess = float64(s.writes+s.throttled) / seconds / float64(w.processes)
	for second, n := range s.busiest {
		if second > 0 {
			f.busiest = max(f.busiest, n)
		}
	}
	for _, p := range w.procs {
		if h := p.handles[0]; h != nil {
			f.ofOne = max(f.ofOne, float64(h.writes)/seconds)
		}
	}
	f.refused = float64(s.refused) / math.Max(1, float64(s.writes))
	f.admitted = float64(w.admitted) / math.Max(1, float64(w.idealAdmitted))
	f.tokens = float64(w.tokens) / math.Max(1, float64(w.idealTokens))
	f.waited = float64(w.waited) / math.Max(1, f.arrivals)
	f.median, f.slow = w.wait(0.5), w.wait(0.99)
	f.wrong, f.failed = float64(w.wrong)/math.Max(1, f.arrivals), float64(w.failedAll)/math.Max(1, f.arrivals)
	last := s.excess[len(s.excess)-1]
	if w.crashes > 0 {
		f.crash = float64(w.crashed) / float64(w.crashes) * last.perToken / 1e6
	}
	f.held = float64(w.inPockets) / math.Max(1, float64(w.samples)) * last.perToken / 1e6
	if slices.Sort(w.coldWaits); len(w.coldWaits) > 0 {
		f.coldMedian = w.coldWaits[len(w.coldWaits)/2]
		f.coldSlow = w.coldWaits[len(w.coldWaits)*99/100]
	}
	return f
}

// wait is a quantile over all callers, in ms.
func (w *world) wait(q float64) float64 {
	rank := int64(q*float64(w.fromMemory+w.waited)) - w.fromMemory
	for i, n := range w.waits {
		if rank < 0 {
			return float64(i) / 4
		}
		rank -= n
	}
	return 1000
}

func (f figures) String() string {
	return fmt.Sprintf("%8.0f arr %7.4f w/adm %6.3f adm %6.3f tok %6.1f w/s/p %6.1f busiest %5d max %3.0f%% ref %5.1f%% wait %5.0f p50 %5.0f p99 %7.3f s exc %5.1f%% wrong %4.1f%% fail %6.1f held",
		f.arrivals, f.perAdmission, f.admitted, f.tokens, f.perProcess, f.ofOne, f.busiest, 100*f.refused, 100*f.waited, f.median, f.slow, f.excess, 100*f.wrong, 100*f.failed, f.held)
}

// recount brings the sum of what a handle accounts for up to date: what it has handed out, and what is in its pocket, under
// way, waiting to be written, or lost. Of a process that has crashed all of it is lost.
func (h *handle) recount() {
	was := h.accounted
	h.accounted = h.handed + h.drift + h.b.Counts().Lost + h.b.Assets() + h.inFlight()
	h.s.accounted += h.accounted - was
}

func (w *world) recountAll() {
	for _, p := range w.procs {
		for _, h := range p.handles {
			if h != nil {
				h.recount()
			}
		}
	}
}

// conserves: what the record was charged is handed out, in pockets, under way, waiting to be written, or lost.
func (w *world) conserves() {
	for k, s := range w.buckets {
		if s.charged != s.accounted {
			w.fail("bucket %d at %d ns: charged for %d tokens, %d are accounted for", k, w.now-start, s.charged, s.accounted)
		}
	}
}
