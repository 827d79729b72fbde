package engine

import "context"

// mostWaits is how many pauses others make for a conversion.
const mostWaits = 4

// claimAlone makes others of this process wait a little that are about to write the claim's bucket: its conversion, a
// compare-and-set, has lost a race, and would lose against a few busy callers for ever.
func (c *claim) claimAlone() {
	c.alone = c.alone || c.h.converting.CompareAndSwap(false, true)
}

// release ends claimAlone.
func (c *claim) release() {
	if c.alone {
		c.alone = false
		c.h.converting.Store(false)
	}
}

// letConvert waits for the claim of another caller that converts the bucket, a bounded number of times.
func (l *Limiter) letConvert(ctx context.Context, c *claim) {
	for n := 1; n <= mostWaits && c.h.converting.Load() && !c.alone && l.yield(ctx, n); n++ {
	}
}
