package reserve_test

import (
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
)

// family is an entity with ten tokens a second below a parent with one token a second, of which so many are taken.
func family(t *testing.T, child, parent int64) *desk {
	d := newDesk(t, time.Minute, []bucket.Limit{perSecond(10, 10)}, []bucket.Limit{perSecond(1, 10)})
	d.take(0, child)
	d.take(1, parent)
	d.l.Saw(d.now, 0, d.records[0].record())
	d.l.Saw(d.now, 1, d.records[1].record())
	return d
}

// TestPath: the bucket that decides is written first, the other one as of the due time.
func TestPath(t *testing.T) {
	t.Parallel()
	d := family(t, 10, 10)
	x := d.join(5, 5)
	if d.send.Bucket != 1 {
		t.Fatalf("bucket %d is first", d.send.Bucket)
	}
	d.take(1, 2)
	d.answer()
	if d.send.Bucket != 0 || d.send.As != start+7*sec-1 {
		t.Errorf("bucket %d as of %v", d.send.Bucket, time.Duration(d.send.As-start))
	}
	d.answer()
	d.dueAfter(x, 7*time.Second)
	d.until(start + 7*sec)
	d.verdict(x, reserve.Admitted)
	d.wrote(2)
	if len(x.Born) != 2 || len(x.After) != 2 || x.After[1] != d.records[1].tats[0].At {
		t.Errorf("%+v", x)
	}
}

// TestPathRefused: where another bucket refuses, the charge before it is given up, and all begins again with the one that
// decides.
func TestPathRefused(t *testing.T) {
	t.Parallel()
	d := family(t, 10, 10)
	x, y := d.join(5, 5), d.join(1, 1)
	d.answer()
	d.take(0, 200) // 20 s of the child
	if d.answer() {
		t.Fatal("applied")
	}
	if w := d.send; !w.Refund || w.Bucket != 1 || w.Take[0] != 5 {
		t.Fatalf("write %+v", w)
	}
	d.answer()
	if d.send.Bucket != 0 {
		t.Errorf("bucket %d is first", d.send.Bucket)
	}
	d.settle()
	d.dueAfter(x, 20500*time.Millisecond)
	d.dueAfter(y, 20600*time.Millisecond)
	d.wrote(2 + 1 + 2)
}

// TestPathKnown: another bucket is not written if the last seen record shows that it would refuse. The group is given up as
// one.
func TestPathKnown(t *testing.T) {
	t.Parallel()
	d := family(t, 10, 10)
	first := d.join(1, 1)
	x, y := d.join(1, 0), d.join(1, 0)
	d.answer()
	d.answer()
	d.dueAfter(first, time.Second)
	if d.send.Bucket != 1 || d.send.Acquired != 2 {
		t.Fatalf("write %+v", d.send)
	}
	d.take(0, 200)
	d.l.Saw(d.now, 0, d.records[0].record())
	d.answer()
	if w := d.send; !w.Refund || w.Bucket != 1 || w.Acquired != 2 {
		t.Errorf("write %+v", w)
	}
	d.settle()
	d.dueAfter(x, 20200*time.Millisecond)
	d.dueAfter(y, 20300*time.Millisecond)
}

// TestPathClose: what only some buckets were charged is refunded when the line is closed.
func TestPathClose(t *testing.T) {
	t.Parallel()
	d := family(t, 10, 10)
	d.join(5, 5)
	d.did(d.l.Close(d.now))
	d.answer()
	if d.send != nil || len(d.refunds) != 1 || d.refunds[0].Bucket != 1 || !d.l.Rest() {
		t.Errorf("refunds: %+v", d.refunds)
	}
}

// TestPathGivenUp: what was charged for a slot that cannot be refunded at once is refunded when it is due, and nobody takes
// it.
func TestPathGivenUp(t *testing.T) {
	t.Parallel()
	d := family(t, 10, 10)
	x := d.join(5, 5)
	d.answer()
	d.take(0, 200)
	d.take(1, 1)
	d.answer()
	d.answer() // the refund is refused
	d.settle()
	d.dueAfter(x, 20500*time.Millisecond)
	y := d.join(1, 1)
	d.settle()
	d.dueAfter(y, 20600*time.Millisecond)
	d.until(start + 5*sec - 1)
	if len(d.refunds) != 0 {
		t.Error("refunded before it was due")
	}
	d.until(start + 5*sec)
	if len(d.refunds) != 1 || d.refunds[0].Bucket != 1 || d.refunds[0].Tokens[0] != 5 || d.refunds[0].Acquired != 1 {
		t.Errorf("refunds: %+v", d.refunds)
	}
	d.until(start + 30*sec)
	d.verdict(x, reserve.Admitted)
	d.verdict(y, reserve.Admitted)
}

// TestPathAllLeft: if all have left, the other buckets are not written.
func TestPathAllLeft(t *testing.T) {
	t.Parallel()
	d := family(t, 10, 10)
	x := d.join(5, 5)
	d.leave(x)
	d.answer()
	d.settle()
	d.wrote(2) // the second one refunds
	if !d.l.Rest() {
		t.Error("the line has something left")
	}
}

// TestPathLastSlot: the last slot of all buckets is refunded bucket by bucket; where one refuses, its part stays.
func TestPathLastSlot(t *testing.T) {
	t.Parallel()
	d := family(t, 10, 10)
	x := d.join(5, 5)
	d.settle()
	d.leave(x)
	d.take(1, 1)
	if !d.answer() || d.answer() {
		t.Error("the child's part was refused, or the parent's refunded")
	}
	d.until(start + 5*sec)
	if len(d.refunds) != 1 || d.refunds[0].Bucket != 1 {
		t.Errorf("refunds: %+v", d.refunds)
	}
}

// TestPathWrongRegime: a write to another bucket whose regime was guessed wrong is sent again, and nothing is given up.
func TestPathWrongRegime(t *testing.T) {
	t.Parallel()
	d := family(t, 0, 10)
	x := d.join(1, 1)
	d.answer()
	d.take(0, 13) // active, but it holds the request as of the due time
	if d.answer() {
		t.Error("applied as full")
	}
	if !d.answer() {
		t.Error("refused as active")
	}
	d.dueAfter(x, time.Second)
	d.wrote(3)
}
