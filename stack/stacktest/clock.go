package stacktest

import (
	"context"
	"sync"
	"time"
)

// Clock is a clock that stands still until a test advances it or sleeps by it. It is safe for concurrent use.
type Clock struct {
	lock sync.Mutex
	now  time.Time
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.now
}

// Advance sets the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.now = c.now.Add(d)
}

// Sleep sets the clock forward and returns at once, with the context's error if it is done.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	return ctx.Err()
}
