package engine

import (
	"container/heap"
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// alarm knows the desks where callers have met and the queues of waiters, and calls them when something of theirs is due. One
// goroutine serves all of them; none runs while nothing is due.
type alarm struct {
	l       *Limiter
	mu      sync.Mutex
	clients byDue
	running bool
	next    int64              // what the goroutine sleeps until, if it runs; ns since the Unix epoch
	wake    context.CancelFunc // ends its sleep
}

// client is who the alarm calls: a desk or a queue.
type client interface {
	alarmed() *bell
	tick(now int64) // does what is due
	close()         // ends it for good, because the limiter closes
}

// bell is what the alarm knows of a client, and guards.
type bell struct {
	due   int64 // when the alarm calls, ns since the Unix epoch
	place int   // in the alarm's heap, -1 if it is not there
}

// alarmed makes what embeds a bell a client.
func (b *bell) alarmed() *bell { return b }

// byDue are clients, a heap by when they are due next.
type byDue []client

func (h byDue) Len() int           { return len(h) }
func (h byDue) Less(i, j int) bool { return h[i].alarmed().due < h[j].alarmed().due }
func (h byDue) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].alarmed().place, h[j].alarmed().place = i, j
}

// Push implements [heap.Interface].
func (h *byDue) Push(x any) {
	c := x.(client)
	c.alarmed().place = len(*h)
	*h = append(*h, c)
}

// Pop implements [heap.Interface].
func (h *byDue) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last], c.alarmed().place = nil, -1
	*h = (*h)[:last]
	return c
}

// set says when a client is due next, in ns since the Unix epoch: MaxInt64 for never.
func (a *alarm) set(c client, due int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := c.alarmed()
	b.due = due
	if b.place < 0 {
		heap.Push(&a.clients, c)
	} else {
		heap.Fix(&a.clients, b.place)
	}
	switch {
	case due == math.MaxInt64:
	case !a.running:
		a.running = a.l.background(a.run)
	case due < a.next && a.wake != nil:
		a.wake()
	}
}

// remove forgets a client.
func (a *alarm) remove(c client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if place := c.alarmed().place; place >= 0 {
		heap.Remove(&a.clients, place)
	}
}

// all are the clients that it knows.
func (a *alarm) all() []client {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.clients)
}

// run sleeps until the next client is due, and calls it, until nothing is due any more. If the clock stands still while it
// sleeps, it ends: somebody sets the clock, and will set the alarm, too. A sleep that somebody has ended tells nothing of the
// clock.
func (a *alarm) run(ctx context.Context) {
	for moves := true; ; {
		sleep, wait, more := a.sleep(ctx, moves)
		if !more {
			return
		}
		began := a.l.clock.now()
		if wait > 0 {
			_ = a.l.opts.Sleep(sleep, wait)
		}
		now := a.l.clock.now()
		moves = wait <= 0 || now > began || sleep.Err() != nil
		for _, c := range a.ripe(now) {
			c.tick(now)
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
	if len(a.clients) == 0 || a.clients[0].alarmed().due == math.MaxInt64 || !moves || ctx.Err() != nil {
		a.running = false
		return nil, 0, false
	}
	a.next = a.clients[0].alarmed().due
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

// ripe returns the clients that are due.
func (a *alarm) ripe(now int64) (clients []client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.clients) > 0 && a.clients[0].alarmed().due <= now {
		c := a.clients[0]
		c.alarmed().due = math.MaxInt64
		heap.Fix(&a.clients, 0)
		clients = append(clients, c)
	}
	return clients
}
