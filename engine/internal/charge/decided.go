package charge

import (
	"errors"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
)

// AssumeLocal makes the charge one of a local bucket, whose limits are a share of those that the charge requires of the bucket in the
// store. The local bucket's arrival times are to be put into Arrivals. It returns how many names of the request its limits have.
func (c *Charge) AssumeLocal(limits *limitset.Set) (named int) {
	if c.Stored == c.Required {
		c.Stored = limits
	}
	c.Configured, c.Required, c.Born = c.Required, limits, backend.Num{}
	named = c.assume(limits, c.attempt.Consume)
	clear(c.Arrivals[:])
	c.FromLastSeen = true
	return named
}

// AssumeRequired assumes that the record has the limits that the charge requires, as far as it is known: it forgets what it has
// seen, which is by position in others. It reports whether some amount is above a capacity.
func (c *Charge) AssumeRequired() (beyond bool) {
	c.DenialKnown, c.FromLastSeen = false, false
	c.assume(c.Required, c.attempt.Consume)
	return c.Beyond
}

// ConfigIsYoung reports whether all of the bucket's configuration was read at once not longer than age ago, in ns.
func (c *Charge) ConfigIsYoung(age int64) bool {
	read := c.State.loaded.Load()
	return c.Now-read <= age && c.Now >= read
}

// BecomesDue makes the charge one that was applied at now to the life born of the record. A reservation has taken its tokens before.
// after are the arrival times that it leaves in the record, by position in Assumed.
func (c *Charge) BecomesDue(now int64, born backend.Num, after []backend.Num) {
	for j := range c.Assumed.Rates {
		c.Arrivals[j] = bucket.Arrival{At: after[j], Seen: !after[j].IsZero()}
	}
	c.Now, c.Born, c.FromLastSeen, c.Result, c.Tries = now, born, true, Applied, 1
}

// DenyNow makes the charge one that is denied now, by what was seen last. It reports whether the bucket denies it.
func (c *Charge) DenyNow(now int64) bool {
	c.Now, c.Result = now, Denied
	c.RecallOrFull()
	c.assume(c.Assumed, c.attempt.Consume)
	return !c.admits()
}

// Deniers are the limits that deny the request by the last seen record: the first one, and how many there are. known is false if
// the record was read, or has other limits than the charge requires.
func (c *Charge) Deniers() (first, n int, known bool) {
	if !c.FromLastSeen || c.Assumed != c.Required {
		return 0, 0, false
	}
	for i := range c.Assumed.Rates {
		if c.most[i].Less(c.Assumed.Rates[i].Base(c.Arrivals[i], c.ys[i])) {
			if n++; n == 1 {
				first = i
			}
		}
	}
	return first, n, true
}

// RecallOrFull takes what was seen last of the bucket, however long ago, or what is likely: that it is full.
func (c *Charge) RecallOrFull() {
	clear(c.Arrivals[:])
	c.FromLastSeen = true
	c.State.lock.Lock()
	if c.State.seen.set == c.Assumed {
		c.State.seen.read(&c.Arrivals)
	}
	c.State.lock.Unlock()
}

// throttledDenial is how long a bucket denies that is written more often than the store allows.
const throttledDenial = time.Second

// throttled makes a denial of the error of a write that the store has throttled because its bucket is too hot: that is no
// outage, or whoever can heat a bucket could make a policy admit everything. Other errors stay as they are, and so do those
// of writes that serve several callers: who decides for these is told.
func (c *Charge) throttled(err error) error {
	if c.servesSeveral() || c.Unsure || !errors.Is(err, backend.ErrThrottled) {
		return err
	}
	if c.Creates { // the bucket was not seen before
		clear(c.Arrivals[:])
	}
	c.Result, c.FromLastSeen, c.Pause = Denied, true, throttledDenial
	return nil
}
