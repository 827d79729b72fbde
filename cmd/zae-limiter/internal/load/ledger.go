package load

import (
	"sync"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// account is the history of one limit of one bucket, as far as it is needed to check that over every interval T the tokens admitted
// less those refunded are at most capacity + rate·T. All numbers are exact, in the limit's own units.
//
// An admission takes place at an unknown time between the start and the end of its call. So an interval from one admission to another
// counts as long as it can have been, and a refund counts in every interval in which it can have taken place. Therefore there are
// no false alarms, but a violation by less than what refills during a call may not be found.
type account struct {
	rate           bucket.Rate
	limit          engine.Limit
	allowed        backend.Num     // the capacity, and what may be admitted beyond the limit
	sum            backend.Num     // admitted minus refunded, in the order in which calls ended; a refund counts from its start
	pendingRefunds backend.Num     // refunds that have not ended
	starts         []intervalStart // starts of intervals, in order of time
	largest        backend.Num     // the largest sum − rate·T over all intervals
	worst          interval        // the interval with that sum
	broken         bool            // largest exceeded allowed
}

// intervalStart represents the intervals that start at one time.
type intervalStart struct {
	at     int64       // ns since the Unix epoch; not later than that of the next element
	before backend.Num // minus the sum before the intervals, the largest one
	best   backend.Num // the largest before + rate·at of this element and the previous ones
	bestAt int64       // the time of that element
}

// interval is a part of the history, in ns since the Unix epoch.
type interval struct {
	from, to int64
	admitted backend.Num // units
}

// compactEvery is the number of starts after which those that no admission can change any more are merged.
const compactEvery = 512

// admit records an admission of n tokens whose call lasted from start to end; admissions must be recorded in the order of their ends.
// oldest returns a time such that all calls in progress started then or later.
func (a *account) admit(start, end, n int64, oldest func() int64) {
	if n == 0 {
		return
	}
	start = min(start, end) // a clock may be set back
	b := intervalStart{at: start, before: a.sum.Add(a.pendingRefunds).Neg()}
	for len(a.starts) > 0 {
		top := &a.starts[len(a.starts)-1]
		if top.at < start {
			break
		}
		// Calls that ended earlier may have been admitted later than this one.
		if b.before.Less(top.before) {
			b.before = top.before
		}
		a.starts = a.starts[:len(a.starts)-1]
	}
	b.best, b.bestAt = b.before.Add(a.rate.Y(start)), start
	if n := len(a.starts); n > 0 && b.best.Less(a.starts[n-1].best) {
		b.best, b.bestAt = a.starts[n-1].best, a.starts[n-1].bestAt
	}
	a.starts = append(a.starts, b)
	a.sum = a.sum.Add(a.rate.Cost(n))
	if load := a.sum.Add(b.best).Sub(a.rate.Y(end)); a.largest.Less(load) {
		a.largest, a.worst = load, interval{b.bestAt, end, load.Add(a.rate.Y(end)).Sub(a.rate.Y(b.bestAt))}
		a.broken = a.broken || a.allowed.Less(load)
	}
	if len(a.starts) >= compactEvery && len(a.starts)%compactEvery == 0 {
		a.compact(oldest())
	}
}

// compact merges the starts before a time, of which only the best one matters from now on.
func (a *account) compact(oldest int64) {
	n := 0
	for n < len(a.starts) && a.starts[n].at < oldest {
		n++
	}
	if n > 1 {
		a.starts = append(a.starts[:0], a.starts[n-1:]...)
	}
}

// beginRefund records that a call that refunds n tokens has started.
func (a *account) beginRefund(n int64) {
	a.sum, a.pendingRefunds = a.sum.Sub(a.rate.Cost(n)), a.pendingRefunds.Add(a.rate.Cost(n))
}

// endRefund records that it has ended.
func (a *account) endRefund(n int64) { a.pendingRefunds = a.pendingRefunds.Sub(a.rate.Cost(n)) }

// share returns the part of what is allowed that the fullest interval has used; above 1, the limit was violated.
func (a *account) share() float64 { return ratio(a.largest, a.allowed) }

// ratio returns an approximate ratio of two 128-bit numbers.
func ratio(a, b backend.Num) float64 {
	x, _ := a.Big().Float64()
	y, _ := b.Big().Float64()
	return x / y
}

// bucketLedger has the accounts of one bucket. It is safe for concurrent use.
type bucketLedger struct {
	lock     sync.Mutex
	name     engine.BucketName
	accounts []account
	used     bool // whether any call used the bucket
}

// newBucketLedger returns the ledger of a bucket. excess is what its limits may admit beyond capacity + rate·T, as time of their rate.
func newBucketLedger(name engine.BucketName, limits []engine.Limit, excess time.Duration) *bucketLedger {
	b := &bucketLedger{name: name, accounts: make([]account, len(limits))}
	for i, l := range limits {
		rate := l.Rate()
		b.accounts[i] = account{limit: l, rate: rate, allowed: rate.Cost(rate.Capacity()).Add(rate.Y(int64(excess)))}
	}
	return b
}

// admit records an admission whose call started at start and has just ended.
func (b *bucketLedger) admit(start time.Time, now func() time.Time, tokens engine.Tokens, oldest func() int64) {
	b.lock.Lock()
	defer b.lock.Unlock()
	end := now().UnixNano() // read while the lock is held, so that ends are in order
	for i := range b.accounts {
		a := &b.accounts[i]
		a.admit(start.UnixNano(), end, tokens[a.limit.Name], oldest)
	}
}

// refund calls f, which refunds the tokens.
func (b *bucketLedger) refund(tokens engine.Tokens, f func()) {
	each := func(record func(*account, int64)) {
		b.lock.Lock()
		defer b.lock.Unlock()
		for i := range b.accounts {
			record(&b.accounts[i], tokens[b.accounts[i].limit.Name])
		}
	}
	each((*account).beginRefund)
	f()
	each((*account).endRefund)
}

// markUsed records that a call used the bucket.
func (b *bucketLedger) markUsed() {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.used = true
}
