package reserve

import (
	"math/bits"
	"slices"
)

// serve admits waiters whose slots are due, and refunds slots that are due and nobody's.
func (l *Line) serve() {
	due := 0
	for ; due < len(l.held) && l.held[due].slot.due <= l.now; due++ {
		x := l.held[due]
		l.admit(x, x.slot)
	}
	l.held = slices.Delete(l.held, 0, due)
	for due = 0; due < len(l.free) && l.free[due].due <= l.now; due++ {
		l.refund(l.free[due])
	}
	l.free = slices.Delete(l.free, 0, due)
}

// admit admits a waiter, and refunds what its slot has beyond its need.
func (l *Line) admit(x *Waiter, s *slot) {
	x.After, x.Born = s.after, s.born
	l.decide(x, Admitted)
	surplus := false
	for i, n := range x.Need {
		s.n[i] -= n
		surplus = surplus || s.n[i] > 0
	}
	if s.count = 0; surplus {
		l.refund(s)
	}
}

// refund has the driver refund what a slot has.
func (l *Line) refund(s *slot) {
	for left := s.has; left != 0; left &= left - 1 {
		b := bits.TrailingZeros8(left)
		from, to := l.limits(b)
		l.step.Refunds = append(l.step.Refunds, Refund{Bucket: b, Tokens: s.n[from:to], Acquired: s.count, Born: s.born[b]})
	}
}

// hold gives a waiter a slot.
func (l *Line) hold(x *Waiter, s *slot) {
	x.slot, x.group = s, nil
	l.held = slices.Insert(l.held, l.behind(s.due), x)
}

// unhold takes a waiter out of those that hold slots.
func (l *Line) unhold(x *Waiter) {
	if i := slices.Index(l.held, x); i >= 0 {
		l.held = slices.Delete(l.held, i, i+1)
	}
}

// behind is the index of the first waiter whose slot is due later.
func (l *Line) behind(due int64) int {
	i, _ := slices.BinarySearchFunc(l.held, due, func(x *Waiter, due int64) int {
		if x.slot.due <= due {
			return -1
		}
		return 1
	})
	return i
}

// release passes a slot on that nobody holds.
func (l *Line) release(s *slot) {
	i := l.behind(s.due)
	l.held = slices.Insert(l.held, i, nil)
	l.pass(i, s)
}

// pass gives a slot to the next waiter that fits into it, that one's later slot to the next one after it, and so on. The
// i-th place of held is the slot's. What nobody takes stays for those who come before it is due.
func (l *Line) pass(i int, s *slot) {
	if s.has == l.all {
		for j := i + 1; j < len(l.held); j++ {
			if y := l.held[j]; s.fits(y.Need) && y.slot.due > s.due {
				l.held[i] = y
				y.slot, s, i = s, y.slot, j
			}
		}
	}
	l.held = slices.Delete(l.held, i, i+1)
	if l.ended == Closed {
		l.refund(s)
		return
	}
	if l.flight == nil && s.has == l.all { // those under way get their slots first
		for k, x := range l.queue {
			if s.fits(x.Need) && s.due <= x.Deadline {
				l.queue = slices.Delete(l.queue, k, k+1)
				l.hold(x, s)
				return
			}
		}
	}
	l.keep(s)
}

// keep keeps a slot for those who come before it is due.
func (l *Line) keep(s *slot) {
	i, _ := slices.BinarySearchFunc(l.free, s, func(a, b *slot) int {
		if a.due <= b.due {
			return -1
		}
		return 1
	})
	l.free = slices.Insert(l.free, i, s)
}

// takeFree takes the first slot that is nobody's, that a waiter fits into, and that is due before its deadline and before
// another instant; nil if there is none.
func (l *Line) takeFree(x *Waiter, before int64) *slot {
	for i, s := range l.free {
		switch {
		case s.due > x.Deadline || s.due >= before:
			return nil
		case s.has == l.all && s.fits(x.Need):
			l.free = slices.Delete(l.free, i, i+1)
			return s
		}
	}
	return nil
}

// refundLast makes a write that refunds the last slot that is nobody's, if it is the last one on its records: then nobody is
// behind it. Any other slot is not refunded before it is due: that would move the end of the queue back while later slots
// stay where they are, and two would be due together.
func (l *Line) refundLast() *Write {
	if len(l.free) == 0 {
		return nil
	}
	s := l.free[len(l.free)-1]
	if s.settled || !l.isLast(s) {
		return nil
	}
	l.free = l.free[:len(l.free)-1]
	return l.refundWrite(s)
}

// isLast reports whether the last seen records are as the slot has left them.
func (l *Line) isLast(s *slot) bool {
	for left := s.has; left != 0; left &= left - 1 {
		b := bits.TrailingZeros8(left)
		from, to := l.limits(b)
		for i := from; i < to; i++ {
			if tat := l.seen[b].tats[i-from]; s.n[i] > 0 && (!tat.Seen || tat.At != s.after[i]) {
				return false
			}
		}
	}
	return true
}
