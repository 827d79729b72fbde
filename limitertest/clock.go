package limitertest

import (
	"context"
	"sync"
	"time"
)

// Clock is a clock that stands until a test sets it. Safe for concurrent use.
type Clock struct {
	lock sync.Mutex
	at   time.Time
}

// NewClock returns a clock that stands at a time, which must be between the years 2020 and 2200. The zero time means
// 2026-03-01 12:00 UTC.
func NewClock(at time.Time) *Clock {
	if at.IsZero() {
		at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	}
	return &Clock{at: at}
}

// Now returns the time of the clock. It is for engine.Options.Now.
func (c *Clock) Now() time.Time {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.at
}

// Set sets the clock, also backwards, as happens to real clocks.
func (c *Clock) Set(at time.Time) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.at = at
}

// Advance advances the clock by d, or sets it back if d is negative.
func (c *Clock) Advance(d time.Duration) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.at = c.at.Add(d)
}

// Sleep advances the clock by d, if d is positive, and returns at once. It is for engine.Options.Sleep. If ctx has ended, it
// returns the error of ctx and does not advance the clock.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.Advance(max(d, 0))
	return nil
}
