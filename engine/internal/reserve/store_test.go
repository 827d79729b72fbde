package reserve_test

import (
	"slices"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
)

// stored is one bucket's record in the store.
type stored struct {
	limits []bucket.Limit
	rates  []bucket.Rate
	tats   []bucket.Arrival
	ver    int64
	born   bucket.Num
	nonce  int64
	acq    int64

	refunds []refund
}

// refund is what a record was refunded.
type refund struct {
	at int64
	n  []int64
}

func newStored(limits []bucket.Limit) *stored {
	s := &stored{limits: limits, tats: make([]bucket.Arrival, len(limits)), born: num.FromInt64(1)}
	for _, l := range limits {
		s.rates = append(s.rates, l.Rate())
	}
	return s
}

func (s *stored) record() *reserve.Record {
	return &reserve.Record{Tats: slices.Clone(s.tats), Ver: s.ver, Born: s.born}
}

// refund refunds without a condition on the limits.
func (s *stored) refund(w *world, n []int64, born bucket.Num) {
	if s.born != born {
		w.void += total(n)
		return
	}
	s.refunds = append(s.refunds, refund{w.now, slices.Clone(n)})
	for i, v := range n {
		w.charged -= v
		if s.tats[i].Seen {
			s.tats[i].At = s.tats[i].At.Sub(s.rates[i].Cost(v))
		}
	}
	s.ver++
}

// reset makes the bucket full and begins another life of its record.
func (s *stored) reset() {
	clear(s.tats)
	s.ver++
	s.born = s.born.Add(num.FromInt64(1))
	s.nonce = 0
}

// latency is how long a write takes to the store, and its reply back.
func (w *world) latency() (there, back int64) {
	x := 3 + 3.5*w.random.ExpFloat64()
	if x > 15 {
		x = 3 + 12*w.random.Float64()
	}
	if w.random.Float64() < 0.01 {
		x += 15 + 25*w.random.Float64()
	}
	if w.random.Float64() < w.late {
		x = 200
	}
	t := int64(x * 1e6)
	there = int64(float64(t) * (0.3 + 0.4*w.random.Float64()))
	return there, t - there
}

// message is one send of a write, as it left the process.
type message struct {
	reserve.Write
	of      *reserve.Write
	l       *line
	nonce   int64
	lost    bool // its reply is
	applied bool
	record  *reserve.Record
}

// send sends a write.
func (w *world) send(l *line, of *reserve.Write) {
	if of.Tag == nil {
		w.seq++
		of.Tag = w.seq
	}
	m := &message{Write: *of, of: of, l: l, nonce: of.Tag.(int64), lost: w.random.Float64() < w.lost}
	m.Most = slices.Clone(of.Most)
	there, back := w.latency()
	w.writes++
	w.after(there, func() {
		m.atStore(w)
		w.after(back, func() { m.reply(w) })
	})
}

func total(n []int64) (sum int64) {
	for _, v := range n {
		sum += v
	}
	return sum
}

// atStore is the moment at which a write takes effect.
func (m *message) atStore(w *world) {
	s := m.l.records[m.Bucket]
	sum := total(m.Take)
	switch {
	case m.Refund:
		if m.applied = s.apply(&m.Write); m.applied {
			s.refunds = append(s.refunds, refund{w.now, slices.Clone(m.Take)})
			w.charged -= sum
			w.transit -= sum
		}
	case s.nonce == m.nonce: // an earlier send took effect
		m.applied = true
	default:
		if m.applied = s.apply(&m.Write); m.applied {
			s.nonce = m.nonce
			w.charged += sum
			if m.l.effective == m.of { // once before, without being heard of
				w.void += sum
			} else {
				w.transit += sum
			}
			m.l.effective = m.of
		}
	}
	m.record = s.record()
}

// reply reaches the process.
func (m *message) reply(w *world) {
	l, sum := m.l, total(m.Take)
	waiters := m.of.Waiters()
	if !m.applied && !m.Refund && l.effective == m.of { // another writer came before it was heard of
		w.transit -= sum
		w.void += sum
		l.effective = nil
	}
	switch {
	case l.dead:
		if m.applied && m.Refund {
			sum = -sum
		}
		if m.applied { // what it has is void
			w.transit -= sum
			w.void += sum
		}
		return
	case m.lost:
		if m.Refund && m.applied { // the line counts it as lost
			w.transit += sum
			w.void -= sum
		}
		l.do(l.Unknown(l.p.now(), m.of))
	case !m.applied:
		w.refused++
		l.do(l.Refused(l.p.now(), m.of, m.record))
	default:
		if m.Refund {
			w.transit += sum
		} else {
			w.transit -= sum
			w.slowest = max(w.slowest, l.p.now()-m.of.As)
		}
		l.do(l.Applied(l.p.now(), m.of, m.record))
	}
	for _, x := range waiters {
		if x != nil {
			x.Tag.(*caller).promise()
		}
	}
}
