package reserve_test

import (
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
)

// TestOrder: waiters are due one after another, those that meet share a write, and each is served when it is due.
func TestOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t, time.Minute, []bucket.Limit{perSecond(1, 1)})
	first := d.join(1)
	var others []*reserve.Waiter
	for range 3 {
		others = append(others, d.join(1)) // the first one's write is under way
	}
	d.answer()
	d.verdict(first, reserve.Admitted)
	d.settle()
	d.wrote(2)
	for i, x := range others {
		d.dueAfter(x, time.Duration(i+1)*time.Second)
	}
	d.until(start + 2*sec)
	d.verdict(others[1], reserve.Admitted)
	d.verdict(others[2], reserve.Pending)
	if d.l.Due() != start+3*sec {
		t.Errorf("due %d", d.l.Due()-start)
	}
	d.until(start + 3*sec)
	d.verdict(others[2], reserve.Admitted)
	d.wrote(0)
	if !d.l.Rest() || d.l.Due() != never {
		t.Error("the line has something left")
	}
}

// TestOthersMoveTheDueTime: with one limit, reservations of others do not refuse a write.
func TestOthersMoveTheDueTime(t *testing.T) {
	t.Parallel()
	d := onePerSecond(t, time.Minute)
	d.join(1)
	d.settle()
	d.wrote(2) // the first one is refused: nothing was known
	x := d.join(1)
	d.take(0, 7)
	if !d.answer() {
		t.Error("refused")
	}
	d.dueAfter(x, 9*time.Second)
}

// TestSeveralLimits: a limit that does not decide is charged as of the due time, and a prediction that is wrong by more than
// 100 ms is refused.
func TestSeveralLimits(t *testing.T) {
	t.Parallel()
	d := newDesk(t, time.Minute, []bucket.Limit{perSecond(10, 1), perSecond(1000, 1000)})
	d.take(0, 31, 0) // 3 s of the first limit
	d.l.Saw(d.now, 0, d.records[0].record())
	x := d.join(1, 400)
	if d.send.As != start+3100*ms-1 || d.send.Active != 1 {
		t.Errorf("as of %v, active %b", time.Duration(d.send.As-start), d.send.Active)
	}
	d.take(0, 1, 0) // 100 ms
	if !d.answer() {
		t.Error("refused, though it is due within 100 ms of the prediction")
	}
	d.dueAfter(x, 3200*time.Millisecond)
	left := d.records[0].rates[1].Available(d.records[0].tats[1], d.records[0].rates[1].Y(start+3100*ms))
	if left != 600 {
		t.Errorf("%d tokens of the second limit are left as of the due time", left)
	}
	y := d.join(1, 400)
	d.take(0, 2, 0)
	if d.answer() {
		t.Error("applied, though the due time was predicted wrong by 200 ms")
	}
	if !d.answer() {
		t.Error("the second write was refused, too")
	}
	d.dueAfter(y, 3500*time.Millisecond)
}

// TestSharesWithin: with several limits, those share a write that are due within 100 ms.
func TestSharesWithin(t *testing.T) {
	t.Parallel()
	d := newDesk(t, time.Minute, []bucket.Limit{perSecond(20, 1), perSecond(1000, 1000)})
	d.take(0, 21, 0)
	d.l.Saw(d.now, 0, d.records[0].record())
	d.join(1, 1)
	var all []*reserve.Waiter
	for range 5 {
		all = append(all, d.join(1, 1))
	}
	d.settle()
	d.wrote(1 + 2) // three at a time
	for i, x := range all {
		d.dueAfter(x, time.Duration(1100+50*i)*time.Millisecond)
	}
}

// TestZero: a limit of which nothing is asked delays a request only while it is in debt.
func TestZero(t *testing.T) {
	t.Parallel()
	d := newDesk(t, time.Minute, []bucket.Limit{perSecond(10, 10), perSecond(1, 5)})
	d.take(0, 0, 9)
	d.l.Saw(d.now, 0, d.records[0].record())
	x := d.join(1, 0)
	if !d.answer() {
		t.Error("refused")
	}
	d.dueAfter(x, 4*time.Second)
	if tat := d.records[0].tats[1]; tat.At != d.records[0].rates[1].Y(start+9*sec) {
		t.Error("the limit of which nothing was asked was charged")
	}
}

// TestDenied: a request is denied if and only if the record proves that its deadline is too early, without a write if the
// last seen record proves it.
func TestDenied(t *testing.T) {
	t.Parallel()
	d := onePerSecond(t, time.Minute)
	d.take(0, 4) // five seconds
	late := d.joinUntil(start+5*sec-1, 1)
	d.answer()
	d.verdict(late, reserve.Denied)
	if late.Until != start+5*sec {
		t.Errorf("until %v", time.Duration(late.Until-start))
	}
	d.wrote(1)
	late = d.joinUntil(start+5*sec-1, 1)
	d.verdict(late, reserve.Denied)
	d.wrote(0)
	inTime := d.joinUntil(start+5*sec, 1)
	d.settle()
	d.dueAfter(inTime, 5*time.Second)
	d.wrote(1)

	d.until(start + 1500*ms) // now the record proves nothing any more
	d.records[0].reset()
	late = d.joinUntil(start+3*sec, 1)
	d.settle()
	d.verdict(late, reserve.Admitted)

	if x := d.join(2); x.Verdict != reserve.Denied || x.Until != never {
		t.Errorf("more than the capacity: %d, until %d", x.Verdict, x.Until)
	}
}

// TestTightestDeadline: the bound of a shared write is the tightest of its waiters.
func TestTightestDeadline(t *testing.T) {
	t.Parallel()
	d := onePerSecond(t, time.Minute)
	d.join(1)
	d.settle() // due after 1 s
	d.join(1)
	a, b, c := d.join(1), d.joinUntil(start+4*sec, 1), d.join(1)
	d.answer()
	d.take(0, 1) // one second of somebody else: b does not fit any more
	if d.answer() {
		t.Error("applied, though it is due after a deadline")
	}
	d.settle()
	d.dueAfter(a, 4*time.Second)
	d.verdict(b, reserve.Denied)
	d.dueAfter(c, 5*time.Second)
}

// TestOwnDeadline: a waiter's deadline bounds its own due time, not that of those behind it.
func TestOwnDeadline(t *testing.T) {
	t.Parallel()
	d := onePerSecond(t, time.Minute)
	d.join(1)
	hasty, last := d.joinUntil(start+2500*ms, 1), d.join(1)
	d.settle()
	d.dueAfter(hasty, 2*time.Second)
	d.dueAfter(last, 3*time.Second)
	d.wrote(3) // the first one was refused
}

// TestDeadlineNow: a write for a deadline that is over, because nothing proves it to be, is one that stores accept.
func TestDeadlineNow(t *testing.T) {
	t.Parallel()
	d := newDesk(t, time.Minute, []bucket.Limit{perSecond(1, 10)})
	d.take(0, 10)
	d.l.Saw(d.now, 0, d.records[0].record())
	d.now += 2 * sec
	x := d.joinUntil(d.now, 10)
	d.settle()
	d.verdict(x, reserve.Denied)
	d.wrote(1)
}

// TestWholeCapacity: a request for all of the capacity can be reserved.
func TestWholeCapacity(t *testing.T) {
	t.Parallel()
	for _, limits := range [][]bucket.Limit{{perSecond(1, 10)}, {perSecond(1, 10), perSecond(5, 10)}} {
		d := newDesk(t, time.Minute, limits)
		need := []int64{10, 10}[:len(limits)]
		d.take(0, need...)
		d.l.Saw(d.now, 0, d.records[0].record())
		x, y := d.join(need...), d.join(need...)
		d.settle()
		d.dueAfter(x, 10*time.Second)
		d.dueAfter(y, 20*time.Second)
		d.wrote(2)
	}
}
