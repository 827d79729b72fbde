package load

import (
	"sync"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// account is the history of one limit of one bucket, as far as the bound needs it: over every interval, what was
// admitted minus what was given back is at most capacity + rate·T. All is in the limit's own units, exact.
//
// Of an admission it is known that it took place between the begin and the end of its call, so an interval that begins
// with one and ends with another is taken as long as it can have been. A give-back counts in each interval in which
// it can have taken place. So no bound that was kept is called broken; one that was broken by less than what refills
// during a call may pass.
type account struct {
	rate   bucket.Rate
	limit  engine.Limit
	sum    backend.Num // admitted minus given back, in order of the ends; a give-back counts from its begin
	open   backend.Num // given back by calls that have not ended
	begins []begin     // of intervals; those further up were begun later
	most   backend.Num // the largest of sum − rate·T, over all intervals
	worst  interval    // where that was
	broken bool        // it was above the capacity
}

// begin are intervals that begin at one instant.
type begin struct {
	at     int64       // ns since the Unix epoch; no later than that of the begin above
	before backend.Num // minus the sum before them, the largest
	best   backend.Num // the largest of before + rate·at, of this one and those below
	bestAt int64       // the instant of that one
}

// interval is a part of the history, in ns since the Unix epoch.
type interval struct {
	from, to int64
	admitted backend.Num // units
}

// settleAt is how many begins there are before those that no admission can move any more become one.
const settleAt = 512

// admit notes an admission whose call lasted from start to end, and which ends after all that were noted before. oldest is
// asked for an instant before which no call began that still goes on.
func (a *account) admit(start, end, n int64, oldest func() int64) {
	if n == 0 {
		return
	}
	start = min(start, end) // a wall clock may be set back
	b := begin{at: start, before: a.sum.Add(a.open).Neg()}
	for len(a.begins) > 0 {
		top := &a.begins[len(a.begins)-1]
		if top.at < start {
			break
		}
		// What ended earlier may have been admitted later than this one.
		if b.before.Less(top.before) {
			b.before = top.before
		}
		a.begins = a.begins[:len(a.begins)-1]
	}
	b.best, b.bestAt = b.before.Add(a.rate.Y(start)), start
	if n := len(a.begins); n > 0 && b.best.Less(a.begins[n-1].best) {
		b.best, b.bestAt = a.begins[n-1].best, a.begins[n-1].bestAt
	}
	a.begins = append(a.begins, b)
	a.sum = a.sum.Add(a.rate.Cost(n))
	if load := a.sum.Add(b.best).Sub(a.rate.Y(end)); a.most.Less(load) {
		a.most, a.worst = load, interval{b.bestAt, end, load.Add(a.rate.Y(end)).Sub(a.rate.Y(b.bestAt))}
		a.broken = a.broken || a.rate.Cost(a.rate.Capacity()).Less(load)
	}
	if len(a.begins) >= settleAt && len(a.begins)%settleAt == 0 {
		a.settle(oldest())
	}
}

// settle makes one of the begins that lie before an instant: of those only the best matters from now on.
func (a *account) settle(oldest int64) {
	n := 0
	for n < len(a.begins) && a.begins[n].at < oldest {
		n++
	}
	if n > 1 {
		a.begins = append(a.begins[:0], a.begins[n-1:]...)
	}
}

// giveBack notes that a call which gives back has begun.
func (a *account) giveBack(n int64) {
	a.sum, a.open = a.sum.Sub(a.rate.Cost(n)), a.open.Add(a.rate.Cost(n))
}

// gaveBack notes that it has ended.
func (a *account) gaveBack(n int64) { a.open = a.open.Sub(a.rate.Cost(n)) }

// share is how much of the capacity the fullest interval has used; above 1 the bound is broken.
func (a *account) share() float64 {
	full, used := a.rate.Cost(a.rate.Capacity()), a.most
	return ratio(used, full)
}

// ratio of two numbers of 128 bits, for people.
func ratio(a, b backend.Num) float64 {
	x, _ := a.Big().Float64()
	y, _ := b.Big().Float64()
	return x / y
}

// bucketLedger are the accounts of one bucket.
type bucketLedger struct {
	lock     sync.Mutex
	name     engine.BucketName
	accounts []account
	used     bool // asked for
}

func newBucketLedger(name engine.BucketName, limits []engine.Limit) *bucketLedger {
	b := &bucketLedger{name: name, accounts: make([]account, len(limits))}
	for i, l := range limits {
		b.accounts[i].limit, b.accounts[i].rate = l, l.Rate()
	}
	return b
}

// admit notes an admission that began at start and has just ended.
func (b *bucketLedger) admit(start time.Time, now func() time.Time, tokens engine.Tokens, oldest func() int64) {
	b.lock.Lock()
	defer b.lock.Unlock()
	end := now().UnixNano() // under the lock: ends are in order
	for i := range b.accounts {
		a := &b.accounts[i]
		a.admit(start.UnixNano(), end, tokens[a.limit.Name], oldest)
	}
}

// giveBack calls f, which gives back.
func (b *bucketLedger) giveBack(tokens engine.Tokens, f func()) {
	each := func(note func(*account, int64)) {
		b.lock.Lock()
		defer b.lock.Unlock()
		for i := range b.accounts {
			note(&b.accounts[i], tokens[b.accounts[i].limit.Name])
		}
	}
	each((*account).giveBack)
	f()
	each((*account).gaveBack)
}

// touch notes that the bucket was asked for.
func (b *bucketLedger) touch() {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.used = true
}
