package engine

import (
	"errors"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
)

// assumeLocal makes the charge one of a local bucket, whose limits are a share of those that the charge requires of the bucket in the
// store. The local bucket's arrival times are to be put into tats. It returns how many names of the request its limits have.
func (c *bucketCharge) assumeLocal(limits *limitset.Set) (named int) {
	if c.stored == c.required {
		c.stored = limits
	}
	c.configured, c.required, c.born = c.required, limits, backend.Num{}
	named = c.assume(limits, c.of.consume)
	clear(c.tats[:])
	c.fromLastSeen = true
	return named
}

// assumeRequired assumes that the record has the limits that the charge requires, as far as it is known: it forgets what it has
// seen, which is by position in others. It reports whether some amount is above a capacity.
func (c *bucketCharge) assumeRequired() (beyond bool) {
	c.denialKnown, c.fromLastSeen = false, false
	c.assume(c.required, c.of.consume)
	return c.beyond
}

// configIsYoung reports whether all of the bucket's configuration was read at once not longer than age ago, in ns.
func (c *bucketCharge) configIsYoung(age int64) bool {
	read := c.state.loaded.Load()
	return c.now-read <= age && c.now >= read
}

// becomesDue makes the charge one that was applied now, whose tokens a reservation has taken before: it leaves the record with
// arrival times, by position in assumed.
func (c *bucketCharge) becomesDue(now int64, born backend.Num, after []backend.Num) {
	for j := range c.assumed.Rates {
		c.tats[j] = bucket.Arrival{At: after[j], Seen: !after[j].IsZero()}
	}
	c.now, c.born, c.fromLastSeen, c.result, c.tries = now, born, true, applied, 1
}

// isDeniedNow makes the charge one that is denied now, by what was seen last. It reports whether the bucket denies it.
func (c *bucketCharge) isDeniedNow(now int64) bool {
	c.now, c.result = now, denied
	c.recallOrFull()
	c.assume(c.assumed, c.of.consume)
	return !c.admits()
}

// deniers are the limits that deny the request by the last seen record: the first one, and how many there are. known is false if
// the record was read, or has other limits than the charge requires.
func (c *bucketCharge) deniers() (first, n int, known bool) {
	if !c.fromLastSeen || c.assumed != c.required {
		return 0, 0, false
	}
	for i := range c.assumed.Rates {
		if c.most[i].Less(c.assumed.Rates[i].Base(c.tats[i], c.ys[i])) {
			if n++; n == 1 {
				first = i
			}
		}
	}
	return first, n, true
}

// recallOrFull takes what was seen last of the bucket, however long ago, or what is likely: that it is full.
func (c *bucketCharge) recallOrFull() {
	clear(c.tats[:])
	c.fromLastSeen = true
	c.state.lock.Lock()
	if c.state.seen.set == c.assumed {
		c.state.seen.read(&c.tats)
	}
	c.state.lock.Unlock()
}

// throttledDenial is how long a bucket denies that is written more often than the store can.
const throttledDenial = time.Second

// throttled makes a denial of the error of a write that the store has throttled because its bucket is too hot: that is no
// outage, or whoever can heat a bucket could have a policy let everything through. Other errors stay as they are, and so do those
// of writes that serve several callers: who decides for these is told.
func (c *bucketCharge) throttled(err error) error {
	if c.shared != nil || c.reserved != nil || c.unsure || !errors.Is(err, backend.ErrThrottled) {
		return err
	}
	if c.creates { // the bucket was not seen before
		clear(c.tats[:])
	}
	c.result, c.fromLastSeen, c.pause = denied, true, throttledDenial
	return nil
}
