package engine

import (
	"container/heap"
	"context"
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
	desks   byDue
	running bool
	next    int64              // what the goroutine sleeps until, if it runs; ns since the Unix epoch
	wake    context.CancelFunc // ends its sleep
}

// byDue are desks, a heap by when they are due next.
type byDue []*desk

func (h byDue) Len() int           { return len(h) }
func (h byDue) Less(i, j int) bool { return h[i].due < h[j].due }
func (h byDue) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements [heap.Interface].
func (h *byDue) Push(x any) {
	d := x.(*desk)
	d.place = len(*h)
	*h = append(*h, d)
}

// Pop implements [heap.Interface].
func (h *byDue) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	(*h)[last], d.place = nil, -1
	*h = (*h)[:last]
	return d
}

// set says when a desk is due next, in ns since the Unix epoch: MaxInt64 for never.
func (a *alarm) set(d *desk, due int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d.due = due
	if d.place < 0 {
		heap.Push(&a.desks, d)
	} else {
		heap.Fix(&a.desks, d.place)
	}
	switch {
	case due == math.MaxInt64:
	case !a.running:
		a.running = a.l.background(a.run)
	case due < a.next && a.wake != nil:
		a.wake()
	}
}

// remove forgets a desk.
func (a *alarm) remove(d *desk) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d.place >= 0 {
		heap.Remove(&a.desks, d.place)
	}
}

// all are the desks that it knows.
func (a *alarm) all() []*desk {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.desks)
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
	if len(a.desks) == 0 || a.desks[0].due == math.MaxInt64 || !moves || ctx.Err() != nil {
		a.running = false
		return nil, 0, false
	}
	a.next = a.desks[0].due
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
	for len(a.desks) > 0 && a.desks[0].due <= now {
		d := a.desks[0]
		d.due = math.MaxInt64
		heap.Fix(&a.desks, 0)
		desks = append(desks, d)
	}
	return desks
}
