package engine

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// alarm knows the desks where callers have met, and calls them when something of theirs is due. One goroutine serves all
// desks; none runs while nothing is due.
type alarm struct {
	l       *Limiter
	mu      sync.Mutex
	due     map[*desk]int64 // ns since the Unix epoch, MaxInt64 for never
	next    int64           // what the goroutine sleeps until, if it runs
	running bool
	wake    context.CancelFunc // ends its sleep
}

// set says when a desk is due next, MaxInt64 for never.
func (a *alarm) set(d *desk, at int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.due == nil {
		a.due = make(map[*desk]int64)
	}
	a.due[d] = at
	switch {
	case at == math.MaxInt64:
	case !a.running:
		a.running = a.l.background(a.run)
	case at < a.next && a.wake != nil:
		a.wake()
	}
}

// remove forgets a desk.
func (a *alarm) remove(d *desk) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.due, d)
}

// desks are all that it knows.
func (a *alarm) desks() []*desk {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Collect(maps.Keys(a.due))
}

// run sleeps until the next desk is due, and calls it, until nothing is due any more. If the clock stands still while it
// sleeps, it ends: somebody sets the clock, and will set the alarm, too.
func (a *alarm) run(ctx context.Context) {
	for began, now := int64(0), a.l.clock.now(); ; {
		sleep, wait, more := a.sleep(ctx, now > began)
		if !more {
			return
		}
		began = now
		if wait > 0 {
			_ = a.l.opts.Sleep(sleep, wait)
		}
		now = a.l.clock.now()
		for _, d := range a.ripe(now) {
			d.tick(now)
		}
	}
}

// sleep returns how long to sleep, and a context for that. more is false if nothing is due any more, the clock stands, or the
// limiter closes.
func (a *alarm) sleep(ctx context.Context, moves bool) (_ context.Context, wait time.Duration, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wake != nil {
		a.wake()
		a.wake = nil
	}
	a.next = math.MaxInt64
	for _, at := range a.due {
		a.next = min(a.next, at)
	}
	if a.next == math.MaxInt64 || !moves || ctx.Err() != nil {
		a.running = false
		return nil, 0, false
	}
	ctx, a.wake = context.WithCancel(context.Background())
	return ctx, time.Duration(a.next - a.l.clock.now()), true
}

// stop ends the sleep, so that run finds that the limiter closes.
func (a *alarm) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wake != nil {
		a.wake()
	}
}

// ripe returns the desks that are due.
func (a *alarm) ripe(now int64) (desks []*desk) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for d, at := range a.due {
		if at <= now {
			desks = append(desks, d)
			a.due[d] = math.MaxInt64
		}
	}
	return desks
}

// tick lets the buyer do what is due.
func (d *desk) tick(now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.act(d.buyer.Tick(now), nil)
}
