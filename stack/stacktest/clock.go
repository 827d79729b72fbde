package stacktest

import (
	"context"
	"sync"
	"time"
)

// Clock is a time that passes only where somebody sleeps by it. It is safe for concurrent use.
type Clock struct {
	lock sync.Mutex
	now  time.Time
}

// Now is the time.
func (c *Clock) Now() time.Time {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.now
}

// Advance lets time pass.
func (c *Clock) Advance(d time.Duration) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.now = c.now.Add(d)
}

// Sleep lets time pass and returns at once, with the context's error if it is done.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	return ctx.Err()
}
