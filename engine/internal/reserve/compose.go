package reserve

import (
	"math/bits"
	"slices"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// Write is one write to a bucket's record. The driver reads it and changes nothing. All amounts are by position in the
// bucket's limit set. A reservation charges as of an instant, which may be in the future:
//
//	full       tat absent or ≤ As·r           tat ← As·r + Take·p
//	active     As·r + 1 ≤ tat ≤ Most          tat ← tat + Take·p
//	Take = 0   tat absent or ≤ Most
//
// A refund, which is sent once, has the condition that born is Born, and for each limit with Take above zero:
//
//	tat = Most                                tat ← tat − Take·p
type Write struct {
	Bucket int
	Take   []int64
	Most   []bucket.Num
	As     int64  // ns since the Unix epoch
	Active uint16 // by bit: the regime that is likely for each limit with Take above zero
	// Acquired is what the count of acquires grows by; it falls by as much after a refund.
	Acquired int64
	// FullBy is when the bucket is full again at the latest after a reservation: the record must not expire before it. ns
	// since the Unix epoch, saturated.
	FullBy int64
	Refund bool
	Born   bucket.Num
	// Tag is the driver's, nil in each new write: its nonce, for example. It stays while a write is sent again.
	Tag any

	group *group // of a reservation
	slot  *slot  // of a refund
	sent  int64
}

// group is waiters that share a reservation, which is one write for each bucket of the path, one after another.
type group struct {
	waiters []*Waiter // nil: has left
	slots   []*slot   // one for each
	by      []int64   // the latest due time that each accepts
	sum     []int64   // of their amounts
	as      int64     // the instant as of which they are charged
	until   int64     // nobody of them is due after this
	first   int       // the bucket that is written first: the one that decides when they are due
}

// isEmpty reports whether all have left.
func (g *group) isEmpty() bool {
	for _, x := range g.waiters {
		if x != nil {
			return false
		}
	}
	return true
}

func (l *Line) launch(w *Write) {
	w.sent = l.now
	l.flight, l.step.Send = w, w
}

// compose makes a write for the first waiters of the queue, as many as fit within their deadlines and the reach. It returns
// nil if they have to wait before they ask, or if the first one is out of range.
func (l *Line) compose() *Write {
	x := l.queue[0]
	due, first := l.deciding(x.Need, l.now, false)
	if l.askAt = l.nextAsk(due); l.asleep() && l.dueTime(x.Need, l.now, true) == due {
		l.tries = 0
		return nil
	}
	reach := addSaturated(l.now, l.reach)
	fits := due <= min(x.Deadline, reach)
	if fits && l.outOfRange(x.Need, true) {
		l.queue = slices.Delete(l.queue, 0, 1)
		l.decide(x, OutOfRange)
		return nil
	}
	g := &group{as: l.now, until: never, first: first, sum: make([]int64, len(l.rates))}
	if len(l.rates) > 1 {
		if !fits { // only the record can tell
			due = l.now
		}
		g.as, g.until = asOf(due, l.now), due+tolerance
	}
	for i, x := range l.queue {
		copy(l.sum, g.sum)
		add(l.sum, x.Need)
		if i > 0 && (!fits || l.outOfRange(l.sum, false) || l.dueTime(l.sum, g.as, false) > min(x.Deadline, reach, g.until) || l.spreads(g)) {
			break
		}
		copy(g.sum, l.sum)
		g.add(x, len(l.ends))
	}
	clear(l.queue[:len(g.waiters)])
	l.queue = l.queue[len(g.waiters):]
	return l.aim(g, first, nil)
}

// spreads reports whether the amounts in sum could make the last of a group due more than the tolerance after its first, on
// a path of several buckets: the first bucket may be charged at any later time, but the others as of one.
func (l *Line) spreads(g *group) bool {
	from, to := l.limits(g.first)
	for i := from; i < to && len(l.ends) > 1; i++ {
		if rate := &l.rates[i]; rate.Y(tolerance).Less(rate.Cost(l.sum[i] - g.slots[0].n[i])) {
			return true
		}
	}
	return false
}

// asOf is the instant as of which a request is charged that is due at another one: just before it, so that the limit that
// decides it is active, also if the request takes all of its capacity.
func asOf(due, now int64) int64 { return max(now, due-1) }

func add(sum, n []int64) {
	for i, v := range n {
		sum[i] += v
	}
}

// add makes a waiter one of the group.
func (g *group) add(x *Waiter, buckets int) {
	x.group = g
	g.waiters = append(g.waiters, x)
	g.by = append(g.by, x.Deadline)
	g.slots = append(g.slots, &slot{
		n: append([]int64(nil), x.Need...), after: make([]bucket.Num, len(x.Need)), born: make([]bucket.Num, buckets), count: 1,
	})
}

// nextAsk is when to ask for the queue, whose first waiter would be due at that instant: when half a second of the rate is
// free within the reach.
func (l *Line) nextAsk(due int64) int64 {
	return min(addSaturated(due, min(mostChunk, l.reach/2))-l.reach, l.now+mostSleep)
}

// aim makes a group's write to a bucket, or aims one again that was refused.
func (l *Line) aim(g *group, b int, w *Write) *Write {
	from, to := l.limits(b)
	if w == nil {
		w = &Write{Bucket: b, group: g, Take: g.sum[from:to], Most: make([]bucket.Num, to-from), Acquired: int64(len(g.slots))}
	}
	reach := addSaturated(l.now, l.reach)
	until := g.until
	w.As = g.as
	if l.single(g, b) {
		w.As, until = l.now, never
	}
	w.Active, w.FullBy = 0, 0
	for i := from; i < to; i++ {
		rate := &l.rates[i]
		y := rate.Y(w.As)
		used, most := int64(0), rate.DebtLimit(rate.Y(max(l.now, w.As))).Sub(rate.Cost(g.sum[i]))
		for k, s := range g.slots {
			used += s.n[i]
			by := max(w.As, min(g.by[k], reach, until))
			most = lesser(most, rate.Ceiling(rate.Y(by)).Sub(rate.Cost(used)))
			w.FullBy = max(w.FullBy, addSaturated(by, int64(rate.FillTime())))
		}
		w.Most[i-from] = most
		if tat := l.seen[b].tats[i-from]; g.sum[i] > 0 && !rate.IsFull(tat, y) && y.Less(most) {
			w.Active |= 1 << (i - from)
		}
	}
	return w
}

// single reports whether a bucket is charged as of now, with the reach as the bound: others who reserved since it was seen
// then only move the due time. It must have one limit, and no bucket may have been charged before it.
func (l *Line) single(g *group, b int) bool {
	from, to := l.limits(b)
	return b == g.first && to-from == 1
}

// admits reports whether the last seen record admits a write.
func (l *Line) admits(w *Write) bool {
	from, _ := l.limits(w.Bucket)
	for i, most := range w.Most {
		rate := &l.rates[from+i]
		if most.Less(rate.Base(l.seen[w.Bucket].tats[i], rate.Y(w.As))) {
			return false
		}
	}
	return true
}

func lesser(a, b bucket.Num) bucket.Num {
	if a.Less(b) {
		return a
	}
	return b
}

// charged notes in the slots of a group what a write has charged.
func (l *Line) charged(w *Write, r *Record) {
	slots := w.group.slots
	for _, s := range slots {
		s.has |= 1 << w.Bucket
		s.born[w.Bucket] = r.Born
	}
	from, to := l.limits(w.Bucket)
	for i := from; i < to; i++ {
		tat, rate := r.Tats[i-from], &l.rates[i]
		if !tat.Seen { // nothing was asked of it
			continue
		}
		after := tat.At
		for _, s := range slices.Backward(slots) {
			s.after[i] = after
			s.due = max(s.due, dueOf(rate, after))
			after = after.Sub(rate.Cost(s.n[i]))
		}
	}
}

// next is the next bucket that a group is to be charged to, after one was charged; false if there is none.
func (l *Line) next(g *group, b int) (int, bool) {
	if l.single(g, b) && len(l.rates) > 1 { // from now on the due time is known
		due := max(l.now, g.slots[0].due)
		g.as, g.until = asOf(due, l.now), due+tolerance
	}
	left := l.all &^ g.slots[0].has
	return bits.TrailingZeros8(left), left != 0
}

// refundWrite makes a write that refunds what a slot has in the first of its buckets.
func (l *Line) refundWrite(s *slot) *Write {
	b := bits.TrailingZeros8(s.has)
	from, to := l.limits(b)
	return &Write{Bucket: b, Take: s.n[from:to], Most: s.after[from:to], Acquired: s.count, Refund: true, Born: s.born[b], slot: s}
}
