package reserve_test

import (
	"math"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
)

// TestLostReply: a write whose outcome is unknown is sent again as it is; a refund is not.
func TestLostReply(t *testing.T) {
	t.Parallel()
	d, _ := holders(t)
	x := d.join(1)
	w := d.send
	w.Tag = "nonce"
	d.records[0].apply(w) // and the reply is lost
	d.send = nil
	d.did(d.l.Unknown(d.now, w))
	if d.send != w || w.Tag != "nonce" {
		t.Fatal("not sent again")
	}
	d.send = nil
	d.did(d.l.Applied(d.now, w, d.records[0].record())) // the record has its nonce
	d.dueAfter(x, time.Second)

	d.leave(x)
	w = d.send
	d.send = nil
	d.did(d.l.Unknown(d.now, w))
	if d.send != nil || !d.l.Rest() || d.l.Lost() != 1 {
		t.Errorf("after a lost refund: sends %v, lost %d", d.send, d.l.Lost())
	}
}

// TestFailed: the waiters of a write that failed get that verdict; others go on.
func TestFailed(t *testing.T) {
	t.Parallel()
	for _, certain := range []bool{true, false} {
		d, _ := holders(t)
		x, y := d.join(2), d.join(1)
		w := d.send
		d.send = nil
		d.did(d.l.Failed(d.now, w, certain))
		d.verdict(x, reserve.Failed)
		if len(d.decided) != 1 || d.decided[0] != x {
			t.Errorf("decided: %v", d.decided)
		}
		d.settle()
		d.dueAfter(y, time.Second)
		if want := map[bool]int64{true: 0, false: 2}[certain]; d.l.Lost() != want {
			t.Errorf("lost %d, want %d", d.l.Lost(), want)
		}
	}
}

// TestFailedRefund: a slot whose refund certainly failed stays until it is due, and is not tried again before.
func TestFailedRefund(t *testing.T) {
	t.Parallel()
	d, all := holders(t, 1)
	d.leave(all[0])
	w := d.send
	d.send = nil
	d.did(d.l.Failed(d.now, w, true))
	d.until(start + sec)
	d.wrote(1)
	if len(d.refunds) != 1 || d.l.Lost() != 0 {
		t.Errorf("refunds: %v, lost %d", d.refunds, d.l.Lost())
	}
}

// TestThrottled: the queue pauses.
func TestThrottled(t *testing.T) {
	t.Parallel()
	d, _ := holders(t)
	x, y := d.join(1), d.join(1)
	w := d.send
	d.send = nil
	d.did(d.l.Throttled(d.now, w, math.MaxUint64))
	if d.send != nil || d.l.Due() < start+500*ms || d.l.Due() >= start+sec {
		t.Errorf("due after %v", time.Duration(d.l.Due()-start))
	}
	d.join(1)
	d.wrote(1)
	d.until(start + sec)
	d.verdict(x, reserve.Admitted)
	d.dueAfter(y, 2*time.Second)
	d.wrote(1)

	d, all := holders(t, 1)
	d.leave(all[0])
	w = d.send
	d.send = nil
	d.did(d.l.Throttled(d.now, w, 0))
	d.until(start + 2*sec)
	d.wrote(1)
	if len(d.refunds) != 1 {
		t.Errorf("refunds: %v", d.refunds)
	}
}

// TestContended: a queue that loses again and again pauses.
func TestContended(t *testing.T) {
	t.Parallel()
	d := newDesk(t, time.Minute, []bucket.Limit{perSecond(10, 1), perSecond(10, 1)})
	x := d.join(1, 1)
	for d.send != nil && d.writes < 100 {
		d.take(0, 2, 0)
		d.answer()
	}
	d.wrote(32)
	if d.l.Due() != start+500*ms {
		t.Errorf("due after %v", time.Duration(d.l.Due()-start))
	}
	d.until(start + 20*sec)
	d.verdict(x, reserve.Admitted)
	d.wrote(1)
}

// TestClose: everybody is woken, slots are refunded, and so is what a write under way has reserved.
func TestClose(t *testing.T) {
	t.Parallel()
	d, all := holders(t, 1, 2, 1)
	d.take(0, 1)
	d.l.Saw(d.now, 0, d.records[0].record())
	d.leave(all[2])
	flying := d.join(2)
	queued := d.join(1)
	d.did(d.l.Close(d.now))
	for _, x := range []*reserve.Waiter{all[0], all[1], flying, queued} {
		d.verdict(x, reserve.Closed)
	}
	if len(d.decided) != 4 || len(d.refunds) != 3 || d.l.Rest() {
		t.Errorf("decided %d, refunds %v", len(d.decided), d.refunds)
	}
	d.answer()
	if len(d.refunds) != 4 || d.refunds[3].Tokens[0] != 2 || !d.l.Rest() {
		t.Errorf("refunds %v", d.refunds)
	}
	d.verdict(d.join(1), reserve.Closed)
}

// TestRetire: those without a slot resolve their limits again; slots stay valid.
func TestRetire(t *testing.T) {
	t.Parallel()
	d, all := holders(t, 1, 1)
	flying := d.join(2)
	queued := d.join(1)
	w := d.send
	d.send = nil
	d.did(d.l.Retire(d.now, w))
	d.verdict(flying, reserve.Again)
	d.verdict(queued, reserve.Again)
	if len(d.decided) != 2 || d.decided[0] != flying {
		t.Errorf("decided %v", d.decided)
	}
	d.verdict(d.join(1), reserve.Again)
	d.leave(all[0])
	d.dueAfter(all[1], time.Second)
	d.until(start + sec)
	d.verdict(all[1], reserve.Admitted)
	d.settle()
	if !d.l.Rest() {
		t.Error("the line has something left")
	}

	d, _ = holders(t)
	flying = d.join(2)
	d.did(d.l.Retire(d.now, nil)) // its write goes on
	d.verdict(flying, reserve.Pending)
	d.answer()
	d.dueAfter(flying, 2*time.Second)
}

// TestReset: the queue does not wait for a bucket that was reset; slots stay as they are.
func TestReset(t *testing.T) {
	t.Parallel()
	d, all := holders(t, 5)
	d.take(0, 70)
	d.l.Saw(d.now, 0, d.records[0].record())
	x := d.join(1)
	d.wrote(0)
	d.records[0].reset()
	d.l.Saw(d.now, 0, d.records[0].record())
	d.until(start)
	d.verdict(x, reserve.Admitted)
	d.dueAfter(all[0], 5*time.Second)
}

// TestRemoved: a record that was removed has all its tokens.
func TestRemoved(t *testing.T) {
	t.Parallel()
	d, all := holders(t, 5)
	d.records[0].reset()
	d.records[0].ver, d.records[0].born = 0, num.Int{}
	x := d.join(1)
	d.settle()
	d.verdict(x, reserve.Admitted)
	d.wrote(2)
	d.dueAfter(all[0], 5*time.Second)
}

// TestOldRecords: a reply that comes late does not replace a newer record.
func TestOldRecords(t *testing.T) {
	t.Parallel()
	d, _ := holders(t)
	old := d.records[0].record()
	d.take(0, 5)
	d.l.Saw(d.now, 0, d.records[0].record())
	d.l.Saw(d.now, 0, old)
	x := d.joinUntil(start+2*sec, 1)
	d.verdict(x, reserve.Denied)
}

// TestClockStepsBack: the queue does not wait longer when the clock has stepped back.
func TestClockStepsBack(t *testing.T) {
	t.Parallel()
	d, _ := holders(t)
	d.take(0, 65)
	d.l.Saw(d.now, 0, d.records[0].record())
	d.join(1)
	d.wrote(0)
	d.now -= 3600 * sec
	d.did(d.l.Tick(d.now))
	d.settle()
	if d.writes == 0 {
		t.Error("it waits for an hour")
	}
}

// TestOutOfRange: a reservation that would take a limit below -10^16 tokens is refused.
func TestOutOfRange(t *testing.T) {
	t.Parallel()
	huge := bucket.Limit{Name: "x", Capacity: bucket.MaxAmount, RefillAmount: bucket.MaxAmount, RefillPeriod: time.Second}
	d := newDesk(t, time.Minute, []bucket.Limit{huge})
	var all []*reserve.Waiter
	for range 25 {
		all = append(all, d.join(bucket.MaxAmount))
		d.settle()
	}
	d.dueAfter(all[19], 19*time.Second)
	d.verdict(all[24], reserve.OutOfRange)

	d = newDesk(t, time.Minute, []bucket.Limit{huge})
	d.take(0, bucket.MaxAmount)
	d.l.Saw(d.now, 0, d.records[0].record())
	x := d.join(bucket.MaxAmount)
	for range 20 {
		d.take(0, bucket.MaxAmount)
	}
	d.settle()
	d.verdict(x, reserve.OutOfRange)
}

// TestSaturates: waits beyond 292 years neither overflow nor spin.
func TestSaturates(t *testing.T) {
	t.Parallel()
	slow := bucket.Limit{Name: "x", Capacity: bucket.MaxAmount, RefillAmount: 1, RefillPeriod: bucket.MaxPeriod}
	d := newDesk(t, time.Hour, []bucket.Limit{slow})
	d.take(0, bucket.MaxAmount)
	a, b := d.joinUntil(start+sec, bucket.MaxAmount), d.join(bucket.MaxAmount)
	d.settle()
	d.verdict(a, reserve.Denied)
	if a.Until != never {
		t.Errorf("until %d", a.Until)
	}
	d.verdict(b, reserve.Pending)
	d.writes = 0
	d.until(start + 10*60*sec)
	if d.writes > 10 {
		t.Errorf("%d writes in ten minutes", d.writes)
	}
	d.leave(b)
	if !d.l.Rest() || d.records[0].born != num.FromInt64(1) {
		t.Error("the line has something left")
	}
}

// TestExpiry: the record lasts until the bucket is full again.
func TestExpiry(t *testing.T) {
	t.Parallel()
	d, _ := holders(t)
	d.joinUntil(start+30*sec, 1)
	if want := start + 30*sec + 10*sec; d.send.FullBy != want {
		t.Errorf("full after %v", time.Duration(d.send.FullBy-start))
	}
}
