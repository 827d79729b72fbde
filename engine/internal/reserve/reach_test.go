package reserve_test

import (
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
)

// TestBeyondReach: a queue beyond the reach waits in order, and asks again when half a second of the rate is free.
func TestBeyondReach(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 10*time.Second, []bucket.Limit{perSecond(20, 1)})
	d.take(0, 1)
	var all []*reserve.Waiter
	for range 230 {
		all = append(all, d.join(1))
	}
	d.settle()
	d.dueAfter(all[199], 10*time.Second)
	if d.l.Queued() != 30 || d.l.Due() != start+50*ms {
		t.Errorf("%d in the queue, due after %v", d.l.Queued(), time.Duration(d.l.Due()-start))
	}
	d.writes = 0
	if x := d.joinUntil(start+sec, 1); x.Verdict != reserve.Denied {
		t.Errorf("verdict %d", x.Verdict)
	}
	d.until(start + 549*ms)
	d.wrote(0)
	d.until(start + 550*ms)
	d.wrote(1)
	d.dueAfter(all[210], 10550*time.Millisecond)
	if d.l.Queued() != 19 {
		t.Errorf("%d in the queue", d.l.Queued())
	}
	d.until(start + 20*sec)
	for i, x := range all {
		if x.Verdict != reserve.Admitted {
			t.Fatalf("waiter %d has verdict %d", i, x.Verdict)
		}
	}
}

// TestOff: without a reach, one of the process asks when the first fits.
func TestOff(t *testing.T) {
	t.Parallel()
	d := onePerSecond(t, 0)
	a, b := d.join(1), d.join(1)
	d.settle()
	d.wrote(1)
	d.until(start + sec - 1)
	d.verdict(a, reserve.Pending)
	d.wrote(0)
	d.until(start + sec)
	d.verdict(a, reserve.Admitted)
	d.until(start + 2*sec)
	d.verdict(b, reserve.Admitted)
	d.wrote(2)
}

// TestOffLoses: who loses again and again against others without a reach asks each time the bucket holds its request.
func TestOffLoses(t *testing.T) {
	t.Parallel()
	d := onePerSecond(t, 0)
	d.join(1)
	d.settle()
	for i := range int64(50) {
		if d.l.Due() != start+(i+1)*sec {
			t.Fatalf("due after %v", time.Duration(d.l.Due()-start))
		}
		d.now = d.l.Due()
		d.take(0, 1)
		d.did(d.l.Tick(d.now))
		d.settle()
	}
}

// TestHeadLeaves: those behind a large request that leaves do not wait for it.
func TestHeadLeaves(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 0, []bucket.Limit{perSecond(1, 10)})
	d.take(0, 10)
	large, small := d.join(10), d.join(1)
	d.settle()
	d.until(start + sec)
	d.verdict(small, reserve.Pending)
	d.leave(large)
	d.settle()
	d.verdict(small, reserve.Admitted)

	large = d.join(10)
	d.settle()
	d.leave(large)
	d.now += sec
	small = d.join(1) // nobody is before it
	d.settle()
	d.verdict(small, reserve.Admitted)
}

// TestReach checks what Options.MaxReserve may be.
func TestReach(t *testing.T) {
	t.Parallel()
	for option, want := range map[time.Duration]time.Duration{0: time.Minute, -1: 0, time.Second: time.Second, time.Hour: time.Hour} {
		if got, ok := reserve.Allowed(option); got != want || !ok {
			t.Errorf("%v: %v, %v", option, got, ok)
		}
	}
	if _, ok := reserve.Allowed(time.Hour + 1); ok {
		t.Error("more than an hour is allowed")
	}
}
