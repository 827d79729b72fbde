package reserve_test

import (
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
)

// desk drives one line by hand, over records that others write, too.
type desk struct {
	*testing.T
	l       *reserve.Line
	records []*stored
	now     int64
	send    *reserve.Write // under way
	decided []*reserve.Waiter
	refunds []reserve.Refund
	writes  int
}

func newDesk(t *testing.T, reach time.Duration, buckets ...[]bucket.Limit) *desk {
	d := &desk{T: t, now: start}
	var rates [][]bucket.Rate
	for _, limits := range buckets {
		s := newStored(limits)
		d.records, rates = append(d.records, s), append(rates, s.rates)
	}
	d.l = reserve.New(rates, reach)
	return d
}

// onePerSecond is a bucket with one token that refills in a second, which somebody has just taken.
func onePerSecond(t *testing.T, reach time.Duration) *desk {
	d := newDesk(t, reach, []bucket.Limit{perSecond(1, 1)})
	d.take(0, 1)
	return d
}

// take charges a record as of now, for another process that reserves.
func (d *desk) take(b int, n ...int64) {
	s := d.records[b]
	for i, v := range n {
		s.tats[i] = bucket.Arrival{At: s.rates[i].Base(s.tats[i], s.rates[i].Y(d.now)).Add(s.rates[i].Cost(v)), Seen: true}
	}
	s.ver++
}

func (d *desk) did(step reserve.Step) {
	d.decided = append(d.decided, step.Decided...)
	d.refunds = append(d.refunds, step.Refunds...)
	if step.Send != nil {
		if d.send != nil {
			d.Fatal("two writes are under way")
		}
		d.send = step.Send
		d.writes++
	}
}

func (d *desk) joinUntil(deadline int64, need ...int64) *reserve.Waiter {
	x := &reserve.Waiter{Need: need, Deadline: deadline}
	d.did(d.l.Join(d.now, x))
	return x
}

func (d *desk) join(need ...int64) *reserve.Waiter { return d.joinUntil(never, need...) }

func (d *desk) leave(x *reserve.Waiter) { d.did(d.l.Leave(d.now, x)) }

// answer lets the store check the write under way and apply it, and reports whether it did.
func (d *desk) answer() bool {
	d.Helper()
	w := d.send
	if w == nil {
		d.Fatal("no write is under way")
	}
	d.send = nil
	s := d.records[w.Bucket]
	applied := s.apply(w)
	if applied {
		d.did(d.l.Applied(d.now, w, s.record()))
	} else {
		d.did(d.l.Refused(d.now, w, s.record()))
	}
	return applied
}

// settle answers until no write is under way.
func (d *desk) settle() {
	for range 100 {
		if d.send == nil {
			return
		}
		d.answer()
	}
	d.Fatal("writes for ever")
}

// until lets the time pass, with all that is due on the way.
func (d *desk) until(at int64) {
	for range 1000 {
		d.settle()
		due := d.l.Due()
		if due > at {
			d.now = at
			return
		}
		d.now = max(d.now, due)
		d.did(d.l.Tick(d.now))
	}
	d.Fatal("ticks for ever")
}

// dueAfter checks when the slot of a waiter is due.
func (d *desk) dueAfter(x *reserve.Waiter, want time.Duration) {
	d.Helper()
	due, ok := x.SlotDue()
	if !ok || due != start+int64(want) {
		d.Errorf("due after %v (%v), want %v", time.Duration(due-start), ok, want)
	}
}

func (d *desk) verdict(x *reserve.Waiter, want reserve.Verdict) {
	d.Helper()
	if x.Verdict != want {
		d.Errorf("verdict %d, want %d", x.Verdict, want)
	}
}

func (d *desk) wrote(want int) {
	d.Helper()
	if d.writes != want {
		d.Errorf("%d writes, want %d", d.writes, want)
	}
	d.writes = 0
}
