package reserve

import (
	"math"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// Record is what a reply shows of a bucket's record. It has the limits that the line was made with: the driver calls Retire
// if it has others.
type Record struct {
	Tats []bucket.Arrival // by position; the line copies them
	Ver  int64            // 0: there is no record
	Born bucket.Num
}

// lastSeen is the last record of a bucket that was seen.
type lastSeen struct {
	known bool
	tats  []bucket.Arrival
	ver   int64
	born  bucket.Num
	at    int64 // when the write that showed it was sent
}

// Saw tells the line of a record that another write has shown, sent at that time. It makes predictions better, and need not
// be called.
func (l *Line) Saw(at int64, b int, r *Record) {
	s := &l.seen[b]
	if s.known && r.Ver < s.ver && r.Ver != 0 { // versions grow from one life to the next, too
		return
	}
	if s.known && s.born != r.Born { // after a reset the queue need not wait any more
		l.askAt = 0
	}
	s.known, s.ver, s.born, s.at = true, r.Ver, r.Born, max(s.at, at)
	copy(s.tats, r.Tats)
}

// fresh reports whether the last seen record of a bucket proves something. After a clock has stepped back, it does not.
func (l *Line) fresh(b int) bool {
	age := l.now - l.seen[b].at
	return -proves <= age && age <= proves
}

// dueOf is when a request is due that leads to this arrival time: the instant from which on the bucket holds what was taken.
func dueOf(rate *bucket.Rate, after bucket.Num) int64 {
	return rate.FullAt(after.Sub(rate.Ceiling(num.Int{})))
}

// deciding is when these amounts would fit into all buckets, charged as of the instant as, and the bucket that decides it: the
// last of several, since parents have more traffic. The instant is at least now, saturated. If proven, only buckets whose
// last seen record is fresh count.
func (l *Line) deciding(n []int64, as int64, proven bool) (due int64, decides int) {
	due = math.MinInt64
	for b := range l.ends {
		if proven && !l.fresh(b) {
			continue
		}
		from, to := l.limits(b)
		for i := from; i < to; i++ {
			rate := &l.rates[i]
			after := rate.Base(l.seen[b].tats[i-from], rate.Y(as)).Add(rate.Cost(n[i]))
			if at := dueOf(rate, after); at >= due {
				due, decides = at, b
			}
		}
	}
	return max(due, l.now), decides
}

func (l *Line) dueTime(n []int64, as int64, proven bool) int64 {
	due, _ := l.deciding(n, as, proven)
	return due
}

// until is when a request could be admitted if nobody else came, MaxInt64 if never.
func (l *Line) until(x *Waiter) int64 {
	if l.neverFits(x.Need) {
		return never
	}
	return l.dueTime(x.Need, l.now, false)
}

func (l *Line) neverFits(n []int64) bool {
	for i := range l.rates {
		if n[i] > l.rates[i].Capacity() {
			return true
		}
	}
	return false
}

// outOfRange reports whether the amounts together would take a limit too far below zero. If proven, only buckets whose last
// seen record is fresh count.
func (l *Line) outOfRange(n []int64, proven bool) bool {
	for b := range l.ends {
		if proven && !l.fresh(b) {
			continue
		}
		from, to := l.limits(b)
		for i := from; i < to; i++ {
			rate := &l.rates[i]
			y := rate.Y(l.now)
			if n[i] > mostSum || n[i] > 0 && rate.DebtLimit(y).Less(rate.Base(l.seen[b].tats[i-from], y).Add(rate.Cost(n[i]))) {
				return true
			}
		}
	}
	return false
}
