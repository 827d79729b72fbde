package stacktest

import (
	"context"
	"sync/atomic"
	"time"
)

// Clock is a clock that stands still until a test advances it or sleeps by it. It is safe for concurrent use.
type Clock struct{ nanoseconds atomic.Int64 }

// Now returns the time.
func (c *Clock) Now() time.Time { return time.Unix(0, c.nanoseconds.Load()).UTC() }

// Advance sets the clock forward.
func (c *Clock) Advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }

// Sleep sets the clock forward and returns at once, with the context's error if it is done.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	return ctx.Err()
}
