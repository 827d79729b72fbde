package reserve

import (
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// Line is where the callers of Wait of one process wait for one path of buckets.
type Line struct {
	rates []bucket.Rate // of the limits of all buckets, one bucket after another
	ends  []int         // by bucket: where its limits end in rates
	all   uint8         // by bit: all buckets
	reach int64         // how far ahead reservations go, ns; 0: not at all
	seen  []lastSeen    // by bucket
	now   int64         // of the call

	queue  []*Waiter // in order of arrival, without a slot
	held   []*Waiter // with one, in order of their due times
	free   []*slot   // nobody's, in order of their due times
	flight *Write    // under way
	askAt  int64     // the queue waits until then
	tries  int       // refused writes in a row

	ended Verdict // Closed or Again once the line has ended, Pending until then
	step  Step
	sum   []int64
	lost  int64
}

// New makes the line of a path, whose buckets have these rates: at most eight buckets, with at most 16 limits each. The
// first limit of the second bucket comes after the last one of the first, and so on: amounts of waiters are in this order.
// reach is how far ahead the line reserves: see Allowed.
func New(buckets [][]bucket.Rate, reach time.Duration) *Line {
	l := &Line{reach: int64(reach), all: 1<<len(buckets) - 1, seen: make([]lastSeen, len(buckets))}
	for b, rates := range buckets {
		l.rates = append(l.rates, rates...)
		l.ends = append(l.ends, len(l.rates))
		l.seen[b].tats = make([]bucket.Arrival, len(rates))
	}
	l.sum = make([]int64, len(l.rates))
	return l
}

// limits is where the limits of a bucket begin and end in rates.
func (l *Line) limits(b int) (from, to int) {
	if b > 0 {
		from = l.ends[b-1]
	}
	return from, l.ends[b]
}

// Join lets a waiter wait, unless it can be decided at once.
func (l *Line) Join(now int64, x *Waiter) Step {
	l.begin(now)
	x.Verdict, x.waits, x.group, x.slot = Pending, false, nil, nil
	switch {
	case l.ended != Pending:
		l.decide(x, l.ended)
		return l.step
	case l.neverFits(x.Need):
		l.deny(x)
		return l.step
	case len(l.queue) == 0:
		l.askAt = 0
	}
	l.queue = append(l.queue, x)
	if l.flight == nil && l.asleep() { // those before it have been looked at
		l.look(len(l.queue) - 1)
	}
	step := l.advance()
	x.waits = x.Verdict == Pending
	return step
}

// Leave takes a waiter out whose context has ended, and passes its slot on. If its slot is due, it is admitted after all.
// A waiter that has its verdict stays as it is.
func (l *Line) Leave(now int64, x *Waiter) Step {
	l.begin(now)
	if x.Verdict != Pending {
		return l.step
	}
	x.waits = false
	switch s := x.slot; {
	case s != nil && s.due <= now:
		l.unhold(x)
		l.admit(x, s)
	case s != nil:
		x.Until, x.slot = s.due, nil
		l.pass(slices.Index(l.held, x), s)
	case x.group != nil:
		x.Until = l.until(x)
		x.group.waiters[slices.Index(x.group.waiters, x)] = nil
		x.group = nil
	default:
		x.Until = l.until(x)
		i := slices.Index(l.queue, x)
		l.queue = slices.Delete(l.queue, i, i+1)
		if i == 0 && len(l.queue) > 0 && l.asleep() { // those behind it may have waited for its amounts
			l.askAt = l.nextAsk(l.dueTime(l.queue[0].Need, now, false))
		}
	}
	return l.advance()
}

// Due is when to call Tick, MaxInt64 if there is no need to. It moves with every other call. A Tick that comes too early
// changes nothing.
func (l *Line) Due() int64 {
	due := int64(never)
	if len(l.held) > 0 {
		due = l.held[0].slot.due
	}
	if len(l.free) > 0 {
		due = min(due, l.free[0].due)
	}
	if len(l.queue) > 0 && l.flight == nil {
		due = min(due, l.askAt)
	}
	return due
}

// Tick does what is due: it admits waiters, refunds slots that nobody took, and asks again for the queue.
func (l *Line) Tick(now int64) Step {
	l.begin(now)
	return l.advance()
}

// Waits reports whether somebody waits who has no slot, and is not in a write under way.
func (l *Line) Waits() bool { return len(l.queue) > 0 }

// Rest reports whether nobody waits and nothing is under way or reserved: the line may be dropped.
func (l *Line) Rest() bool {
	return l.flight == nil && len(l.queue) == 0 && len(l.held) == 0 && len(l.free) == 0
}

// Lost is how many tokens were charged for nobody, or refunded, in writes whose outcome stayed unknown.
func (l *Line) Lost() int64 { return l.lost }

func (l *Line) begin(now int64) {
	l.now = now
	l.step = Step{Decided: l.step.Decided[:0], Refunds: l.step.Refunds[:0]}
}

// asleep reports whether the queue waits to ask again. After a clock has stepped back, it does not wait longer for it.
func (l *Line) asleep() bool { return l.now < l.askAt && l.askAt-l.now <= mostSleep }

// advance does what can be done now. One write is under way at a time: it refunds a slot that nobody wants, or reserves for
// the first waiters of the queue.
func (l *Line) advance() Step {
	l.serve()
	if l.flight != nil {
		return l.step
	}
	if !l.asleep() {
		l.look(0)
	}
	w := l.refundLast()
	for w == nil && len(l.queue) > 0 && !l.asleep() {
		w = l.compose()
	}
	if w != nil {
		l.launch(w)
	}
	return l.step
}

// look decides on the waiters of the queue from the i-th on: who fits into a slot that nobody has takes it, and who cannot
// be admitted before its deadline is denied.
func (l *Line) look(i int) {
	waiting := l.queue[:i]
	for _, x := range l.queue[i:] {
		if s := l.takeFree(x, never); s != nil {
			l.hold(x, s)
		} else if x.Deadline < l.dueTime(x.Need, l.now, true) {
			l.deny(x)
		} else {
			waiting = append(waiting, x)
		}
	}
	clear(l.queue[len(waiting):])
	l.queue = waiting
	l.serve()
}

func (l *Line) deny(x *Waiter) {
	x.Until = l.until(x)
	l.decide(x, Denied)
}
