package reserve_test

import (
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
)

// holders returns waiters that hold slots, for these amounts, after one token of a capacity of ten was taken by others.
func holders(t *testing.T, needs ...int64) (d *desk, all []*reserve.Waiter) {
	d = newDesk(t, time.Minute, []bucket.Limit{perSecond(1, 10)})
	d.take(0, 10)
	d.l.Saw(d.now, 0, d.records[0].record())
	for _, n := range needs {
		all = append(all, d.join(n))
		d.settle()
	}
	d.writes = 0
	return d, all
}

// TestPassOn: a slot passes to the next waiter that fits into it, and that one's slot to the next one after it.
func TestPassOn(t *testing.T) {
	t.Parallel()
	d, all := holders(t, 1, 1, 3, 1, 2)
	d.dueAfter(all[4], 8*time.Second)
	d.take(0, 1) // not the last one any more
	d.l.Saw(d.now, 0, d.records[0].record())
	d.leave(all[0])
	if all[0].Until != start+sec || all[0].Verdict != reserve.Pending {
		t.Errorf("left with verdict %d, until %v", all[0].Verdict, time.Duration(all[0].Until-start))
	}
	d.dueAfter(all[1], time.Second)
	d.dueAfter(all[2], 5*time.Second) // it needs more than the slot
	d.dueAfter(all[3], 2*time.Second)
	d.dueAfter(all[4], 8*time.Second)
	d.wrote(0)
	if d.l.Free() != 1 { // that of the fourth: one token at 6 s
		t.Errorf("%d slots are free", d.l.Free())
	}
	x := d.join(1)
	d.dueAfter(x, 6*time.Second) // without a write
	d.wrote(0)
	d.until(start + 8*sec)
	for _, x := range append(all[1:], x) {
		d.verdict(x, reserve.Admitted)
	}
	if len(d.refunds) != 0 || !d.l.Rest() {
		t.Errorf("refunds: %v", d.refunds)
	}
}

// TestUnclaimed: a slot that nobody takes is refunded when it is due.
func TestUnclaimed(t *testing.T) {
	t.Parallel()
	d, all := holders(t, 4)
	d.take(0, 1)
	d.l.Saw(d.now, 0, d.records[0].record())
	d.leave(all[0])
	d.until(start + 4*sec - 1)
	if len(d.refunds) != 0 {
		t.Error("refunded before it was due")
	}
	late := d.joinUntil(start+4*sec-1, 1) // the slot is of no use to it
	d.settle()
	d.verdict(late, reserve.Denied)
	d.until(start + 4*sec)
	if len(d.refunds) != 1 || d.refunds[0].Tokens[0] != 4 || d.refunds[0].Acquired != 1 || d.refunds[0].Born != d.records[0].born {
		t.Errorf("refunds: %+v", d.refunds)
	}
}

// TestSurplus: what a slot has beyond its waiter's need is refunded when it is due.
func TestSurplus(t *testing.T) {
	t.Parallel()
	d, all := holders(t, 4, 1)
	d.leave(all[0])
	d.dueAfter(all[1], 4*time.Second)
	d.settle() // the last slot was freed
	d.wrote(1)
	d.until(start + 4*sec)
	d.verdict(all[1], reserve.Admitted)
	if len(d.refunds) != 1 || d.refunds[0].Tokens[0] != 3 || d.refunds[0].Acquired != 0 {
		t.Errorf("refunds: %+v", d.refunds)
	}
}

// TestLastSlot: the last slot on the record is refunded at once, then the one before it.
func TestLastSlot(t *testing.T) {
	t.Parallel()
	d, all := holders(t, 1, 2, 3)
	before := d.records[0].tats[0].At
	d.leave(all[1]) // not the last one
	d.wrote(0)
	d.leave(all[2])
	if w := d.send; w == nil || !w.Refund || w.Take[0] != 3 {
		t.Fatalf("write %+v", w)
	}
	d.answer()
	d.answer()
	d.wrote(2)
	if got := d.records[0].tats[0].At; got != before.Sub(d.records[0].rates[0].Cost(5)) {
		t.Errorf("arrival time %v, it was %v", got, before)
	}
	d.until(start + 10*sec)
	d.verdict(all[0], reserve.Admitted)
	if len(d.refunds) != 0 || d.records[0].acq != 1 {
		t.Errorf("refunds: %+v; %d acquires", d.refunds, d.records[0].acq)
	}
}

// TestLastSlotOfOthers: the refund of a slot that others have come behind is refused, and it stays until it is due.
func TestLastSlotOfOthers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*desk){
		"behind": func(d *desk) { d.take(0, 1) },
		"born":   func(d *desk) { d.records[0].born = d.records[0].born.Add(d.records[0].born) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, all := holders(t, 1)
			change(d)
			d.leave(all[0])
			if d.answer() {
				t.Error("refunded")
			}
			d.wrote(1)
			d.until(start + sec)
			d.wrote(0)
			if len(d.refunds) != 1 {
				t.Errorf("refunds: %v", d.refunds)
			}
		})
	}
}

// TestLeaveInFlight: the slot of a waiter that leaves while its write is under way passes on when it comes.
func TestLeaveInFlight(t *testing.T) {
	t.Parallel()
	d, _ := holders(t)
	first := d.join(1)
	x, y := d.join(1), d.join(1)
	d.answer()
	d.leave(x)
	if x.Verdict != reserve.Pending {
		t.Errorf("verdict %d", x.Verdict)
	}
	d.leave(first) // free until the ones under way have theirs
	d.answer()
	d.dueAfter(y, time.Second)
	d.settle()
	d.wrote(2 + 2) // both later slots were refunded
}

// TestFlightBeforeQueue: a slot that becomes free while a write is under way goes to its waiters before those behind them.
func TestFlightBeforeQueue(t *testing.T) {
	t.Parallel()
	d, all := holders(t, 1)
	x := d.join(1)
	y := d.join(1)
	d.leave(all[0])
	if _, ok := y.SlotDue(); ok {
		t.Error("the one behind has a slot")
	}
	d.answer()
	d.dueAfter(x, time.Second)
	d.dueAfter(y, 2*time.Second)
	d.settle()
	d.wrote(1)
}

// TestAllLeft: a refused write is not sent again if all its waiters have left.
func TestAllLeft(t *testing.T) {
	t.Parallel()
	d := newDesk(t, time.Minute, []bucket.Limit{perSecond(1, 10)})
	d.take(0, 2)
	d.leave(d.join(1))
	d.answer()
	if d.send != nil || !d.l.Rest() {
		t.Error("sent again")
	}
}

// TestLeaveInQueue: a waiter that leaves before its write is composed costs nothing.
func TestLeaveInQueue(t *testing.T) {
	t.Parallel()
	d, _ := holders(t)
	d.join(1)
	x := d.join(1)
	d.leave(x)
	if x.Until != start+sec {
		t.Errorf("until %v", time.Duration(x.Until-start))
	}
	d.settle()
	d.wrote(1)
}

// TestLeaveWhenDue: a waiter whose context ends when its slot is due is admitted.
func TestLeaveWhenDue(t *testing.T) {
	t.Parallel()
	d, all := holders(t, 1, 1)
	d.now = start + sec
	d.leave(all[0])
	d.verdict(all[0], reserve.Admitted)
	if len(d.decided) != 0 || all[0].After[0].IsZero() || all[0].Born[0] != d.records[0].born {
		t.Errorf("decided %v, %+v", d.decided, all[0])
	}
	d.leave(all[0]) // once more
	d.verdict(all[0], reserve.Admitted)
}

// TestQueueTakesSlots: a slot that becomes free goes to the first in the queue that fits into it and has the time.
func TestQueueTakesSlots(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 10*time.Second, []bucket.Limit{perSecond(1, 10)})
	d.take(0, 20)
	d.l.Saw(d.now, 0, d.records[0].record())
	a := d.join(1) // due after 11 s: beyond the reach
	if d.send != nil {
		t.Fatal("it asks")
	}
	d.until(start + 1500*ms)
	d.dueAfter(a, 11*time.Second)
	d.take(0, 10)
	d.l.Saw(d.now, 0, d.records[0].record())
	large, hasty, small := d.join(2), d.joinUntil(start+30*sec, 1), d.join(1)
	d.leave(a)
	d.dueAfter(hasty, 11*time.Second)
	if _, ok := large.SlotDue(); ok {
		t.Error("the large one has a slot of one token")
	}
	if _, ok := small.SlotDue(); ok {
		t.Error("the last one has a slot")
	}
	d.now += 2 * sec // now the record proves nothing
	late := d.joinUntil(start+11*sec-1, 1)
	d.leave(hasty)
	d.dueAfter(small, 11*time.Second)
	d.leave(small)
	if _, ok := late.SlotDue(); ok {
		t.Error("one has a slot that is due after its deadline")
	}
}
