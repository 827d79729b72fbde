package reserve

import (
	"math/bits"
	"slices"
)

// The tests look at these from outside.

// Assets are the tokens of all limits that are charged for slots, as far as the line has heard.
func (l *Line) Assets() (sum int64) {
	for _, x := range l.held {
		sum += l.worth(x.slot.has, x.slot.n)
	}
	for _, s := range l.free {
		sum += l.worth(s.has, s.n)
	}
	if w := l.flight; w != nil && w.Refund {
		sum += l.worth(w.slot.has, w.slot.n)
	} else if w != nil {
		sum += l.worth(w.group.slots[0].has, w.group.sum)
	}
	return sum
}

func (l *Line) worth(has uint8, n []int64) (sum int64) {
	for ; has != 0; has &= has - 1 {
		from, to := l.limits(bits.TrailingZeros8(has))
		for _, v := range n[from:to] {
			sum += v
		}
	}
	return sum
}

func (l *Line) Queued() int { return len(l.queue) }
func (l *Line) Held() int   { return len(l.held) }
func (l *Line) Free() int   { return len(l.free) }

// Slot is when the waiter's slot is due, false if it has none.
func (x *Waiter) SlotDue() (int64, bool) {
	if x.slot == nil {
		return 0, false
	}
	return x.slot.due, true
}

// Waiters are those that a reservation is for, nil for those that have left.
func (w *Write) Waiters() []*Waiter {
	if w.group == nil {
		return nil
	}
	return slices.Clone(w.group.waiters)
}
