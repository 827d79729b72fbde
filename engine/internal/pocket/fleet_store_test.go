package pocket_test

import (
	"math"
	"math/rand/v2"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
)

const (
	ms  = int64(1e6)
	sec = int64(1e9)
	// start is when a run begins; the arithmetic is for instants since 1970.
	start = int64(1_772_366_400_000_000_000)
)

// stored is one bucket's record in the store, and what is measured about it.
type stored struct {
	rates []bucket.Rate
	tats  []bucket.Arrival
	ver   int64
	born  int64
	nonce int64
	heard map[int64]bool // nonces that took effect, where the store recognizes all of them
	used  []int64
	acq   int64

	perSecond float64 // writes that it takes, 0: any number
	burst     float64
	last      int64

	charged   int64 // tokens of all limits, net
	accounted int64 // of them, by all processes
	excess    []*excess
	ideal     []bucket.Arrival // the bucket without latency, for the same arrivals
	writes    int64
	throttled int64
	refused   int64
	busiest   map[int64]int64 // by second
}

func newStored(limits []bucket.Limit, level float64, perSecond float64) *stored {
	s := &stored{perSecond: perSecond, burst: perSecond / 5, last: start, born: 1, busiest: map[int64]int64{}}
	for _, l := range limits {
		rate := l.Rate()
		at := bucket.Arrival{}
		if level < 1 {
			missing := int64(math.Round((1 - level) * float64(l.Capacity)))
			at = bucket.Arrival{At: rate.Y(start).Add(rate.Cost(missing)), Seen: true}
		}
		s.rates, s.tats, s.ideal = append(s.rates, rate), append(s.tats, at), append(s.ideal, at)
		s.excess = append(s.excess, &excess{perToken: float64(l.RefillPeriod) / float64(l.RefillAmount), capacity: float64(l.Capacity)})
	}
	s.used = make([]int64, len(limits))
	return s
}

// admitIdeal is the ideal bucket's decision.
func (s *stored) admitsIdeal(now int64, need pocket.Tokens) bool {
	for i := range s.rates {
		if !s.rates[i].Admits(s.ideal[i], s.rates[i].Y(now), need[i]) {
			return false
		}
	}
	return true
}

func (s *stored) takeIdeal(now int64, need pocket.Tokens) {
	for i := range s.rates {
		r := &s.rates[i]
		s.ideal[i] = bucket.Arrival{At: r.Base(s.ideal[i], r.Y(now)).Add(r.Cost(need[i])), Seen: true}
	}
}

// holds reports whether the record holds the request at this moment.
func (s *stored) holds(now int64, need pocket.Tokens) bool {
	for i := range s.rates {
		if !s.rates[i].Admits(s.tats[i], s.rates[i].Y(now), need[i]) {
			return false
		}
	}
	return true
}

// isThrottled spends one of the writes that the record takes: so many a second, and those of 200 ms at once.
func (s *stored) isThrottled(now int64) bool {
	s.busiest[(now-start)/sec]++
	if s.perSecond == 0 {
		return false
	}
	s.burst = math.Min(s.perSecond/5, s.burst+float64(now-s.last)*s.perSecond/1e9)
	s.last = now
	if s.burst < 1 {
		s.throttled++
		return true
	}
	s.burst--
	return false
}

// take takes tokens for another process.
func (s *stored) take(r *bucket.Rate, now, n int64) {
	s.tats[0] = bucket.Arrival{At: r.Base(s.tats[0], r.Y(now)).Add(r.Cost(n)), Seen: true}
	s.ver++
}

// reset makes the bucket full and begins another life of its record.
func (s *stored) reset() {
	clear(s.tats)
	s.ver++
	s.born++
	s.nonce = 0
}

// outcome of a message at the store.
type outcome uint8

const (
	applied outcome = iota
	refused
	throttled
	mine // refused, since an earlier send of it took effect
)

// message is one send of a write, as it left the process.
type message struct {
	w       *pocket.Write
	h       *handle
	nonce   int64
	y       int64 // the process's clock
	active  uint16
	slack   int64
	refund  pocket.Tokens
	born    bucket.Num
	lost    bool // its reply is
	back    int64
	outcome outcome
	record  pocket.Record
}

func (m *message) receive(s *stored, now int64) {
	m.h.writes++
	if s.isThrottled(now) {
		m.outcome = throttled
		return
	}
	s.writes++
	switch {
	case s.nonce == m.nonce || s.heard[m.nonce]:
		m.outcome = mine
	case !m.conditions(s):
		s.refused++
		m.outcome = refused
	default:
		m.outcome = applied
		m.apply(s, now)
	}
	m.record = pocket.Record{Tats: append([]bucket.Arrival(nil), s.tats...), Ver: s.ver, Born: num.FromInt64(s.born)}
}

// conditions are those of the engine's writes: see buildGuess.
func (m *message) conditions(s *stored) bool {
	refunds := false
	for i := range s.rates {
		refunds = refunds || m.refund[i] > 0
		if !m.condition(&s.rates[i], s.tats[i], i) {
			return false
		}
	}
	return !refunds || m.born == num.FromInt64(s.born)
}

func (m *message) condition(r *bucket.Rate, at bucket.Arrival, i int) bool {
	y := r.Y(m.y)
	take, charge := m.w.Take[i], m.w.Charge[i]
	switch {
	case take+charge == 0:
		return !m.w.Checked || m.refund[i] > 0 || r.Admits(at, y, 0)
	case m.active>>i&1 == 0:
		return r.IsFull(at, y) && take <= r.Capacity()
	}
	if r.IsFull(at, r.Y(m.y-m.slack)) {
		return false
	}
	return take == 0 || at.At.Add(r.Cost(take)).Sub(r.Cost(m.refund[i])).LessEq(r.Ceiling(y))
}

func (m *message) apply(s *stored, now int64) {
	for i := range s.rates {
		r := &s.rates[i]
		up, down := m.w.Take[i]+m.w.Charge[i], m.refund[i]
		at := s.tats[i]
		switch {
		case up == 0 && down == 0:
		case up == 0:
			if !at.Seen {
				at.At = r.Y(m.y)
			}
			s.tats[i] = bucket.Arrival{At: at.At.Sub(r.Cost(down)), Seen: true}
		case m.active>>i&1 == 0: // what comes back to a full bucket is void
			s.tats[i] = bucket.Arrival{At: r.Y(m.y).Add(r.Cost(up)), Seen: true}
		default:
			s.tats[i] = bucket.Arrival{At: at.At.Add(r.Cost(up)).Sub(r.Cost(down)), Seen: true}
		}
		s.used[i] += m.w.Used[i]
		s.charged += up - down
		handed := m.w.Need()[i]
		if m.h.w.exact { // what callers that left had taken is refunded, at the same instant
			handed -= down
		}
		s.excess[i].hand(now, handed)
	}
	s.acq += m.w.Acquired
	s.ver++
	s.nonce = m.nonce
	if s.heard != nil {
		s.heard[m.nonce] = true
	}
	m.h.truth(m, s)
	m.h.recount()
}

// excess is the most that was handed out in any interval beyond the capacity and what refilled in it, in ns of the rate.
type excess struct {
	perToken, capacity float64
	sum, least, most   float64
	begun              bool
}

func (e *excess) hand(now, n int64) {
	if n == 0 {
		return
	}
	t := float64(now - start)
	if x := e.sum*e.perToken - t; !e.begun || x < e.least {
		e.least, e.begun = x, true
	}
	e.sum += float64(n)
	e.most = max(e.most, e.sum*e.perToken-t-e.least-e.capacity*e.perToken)
}

// delays draws how long a write is on its way to the store, and its reply on the way back: 4 to 15 ms together, one in a
// hundred up to 40 ms longer, one in a thousand up to 200.
func delays(r *rand.Rand) (there, back int64) {
	x := 3 + 3.5*r.ExpFloat64()
	if x > 15 {
		x = 3 + 12*r.Float64()
	}
	switch u := r.Float64(); {
	case u < 0.001:
		x += 60 + 140*r.Float64()
	case u < 0.01:
		x += 15 + 25*r.Float64()
	}
	total := int64(x * float64(ms))
	there = int64(float64(total) * (0.3 + 0.4*r.Float64()))
	return there, total - there
}
