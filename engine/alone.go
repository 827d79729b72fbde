package engine

import "context"

// mostWaits is how many pauses others make for a conversion.
const mostWaits = 4

// convertAlone makes others of this process wait a little that are about to write the charge's bucket: its conversion, a
// compare-and-set, has lost a race, and would lose against a few busy callers for ever.
func (c *bucketCharge) convertAlone() {
	c.alone = c.alone || c.state.converting.CompareAndSwap(false, true)
}

// endConvertAlone lets the others go on, if convertAlone made them wait.
func (c *bucketCharge) endConvertAlone() {
	if c.alone {
		c.alone = false
		c.state.converting.Store(false)
	}
}

// waitForConversion waits for the charge of another caller that converts the bucket, a bounded number of times.
func (l *Limiter) waitForConversion(ctx context.Context, c *bucketCharge) {
	for n := 1; n <= mostWaits && c.state.converting.Load() && !c.alone && l.store.GiveWay(ctx, n); n++ {
	}
}
