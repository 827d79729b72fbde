package alarm

import (
	"container/heap"
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// Alarm calls clients when something of theirs is due. One goroutine serves all of them; it ends when nothing is due any more. Its
// exported fields are set before its first use. Safe for concurrent use.
type Alarm struct {
	Now   func() int64                               // the clock, in ns since the Unix epoch
	Sleep func(context.Context, time.Duration) error // returns ctx's error if that ends first
	Go    func(func(context.Context)) bool           // runs a function in the background; false if it does not, because the limiter is closed

	mu      sync.Mutex
	clients byDue
	running bool
	next    int64              // what the goroutine sleeps until, if it runs; ns since the Unix epoch
	wake    context.CancelFunc // ends its sleep
}

// Client is who the alarm calls. It embeds a Bell.
type Client interface {
	// Alarmed is what the alarm knows of the client. A Bell has it.
	Alarmed() *Bell
	// Tick does what is due.
	Tick(now int64)
	// Close ends the client for good, because the limiter closes.
	Close()
}

// Bell is what the alarm knows of a client, and guards. NewBell makes it.
type Bell struct {
	due   int64 // when the alarm calls, ns since the Unix epoch
	place int   // in the alarm's heap, -1 if it is not there
}

// NewBell returns the bell of a client that the alarm does not know yet.
func NewBell() Bell { return Bell{place: -1} }

// Alarmed makes what embeds a bell a client.
func (b *Bell) Alarmed() *Bell { return b }

// byDue are clients, a heap by when they are due next.
type byDue []Client

func (h byDue) Len() int           { return len(h) }
func (h byDue) Less(i, j int) bool { return h[i].Alarmed().due < h[j].Alarmed().due }
func (h byDue) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].Alarmed().place, h[j].Alarmed().place = i, j
}

// Push implements [heap.Interface].
func (h *byDue) Push(x any) {
	c := x.(Client)
	c.Alarmed().place = len(*h)
	*h = append(*h, c)
}

// Pop implements [heap.Interface].
func (h *byDue) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last], c.Alarmed().place = nil, -1
	*h = (*h)[:last]
	return c
}

// Set says when a client is due next, in ns since the Unix epoch: MaxInt64 for never.
func (a *Alarm) Set(c Client, due int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := c.Alarmed()
	b.due = due
	if b.place < 0 {
		heap.Push(&a.clients, c)
	} else {
		heap.Fix(&a.clients, b.place)
	}
	switch {
	case due == math.MaxInt64:
	case !a.running:
		a.running = a.Go(a.run)
	case due < a.next && a.wake != nil:
		a.wake()
	}
}

// Remove forgets a client.
func (a *Alarm) Remove(c Client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if place := c.Alarmed().place; place >= 0 {
		heap.Remove(&a.clients, place)
	}
}

// All are the clients that it knows.
func (a *Alarm) All() []Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.clients)
}

// run sleeps until the next client is due, and calls it, until nothing is due any more. If the clock stands still while it
// sleeps, it ends: somebody sets the clock, and will set the alarm, too. A sleep that somebody has ended tells nothing of the
// clock.
func (a *Alarm) run(ctx context.Context) {
	for moves := true; ; {
		sleep, wait, more := a.sleep(ctx, moves)
		if !more {
			return
		}
		began := a.Now()
		if wait > 0 {
			_ = a.Sleep(sleep, wait)
		}
		now := a.Now()
		moves = wait <= 0 || now > began || sleep.Err() != nil
		for _, c := range a.ripe(now) {
			c.Tick(now)
		}
	}
}

// sleep returns how long to sleep, and a context for that. more is false if nothing is due any more, the clock stands, or the
// limiter closes.
func (a *Alarm) sleep(ctx context.Context, moves bool) (_ context.Context, wait time.Duration, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wake != nil {
		a.wake()
		a.wake = nil
	}
	if len(a.clients) == 0 || a.clients[0].Alarmed().due == math.MaxInt64 || !moves || ctx.Err() != nil {
		a.running = false
		return nil, 0, false
	}
	a.next = a.clients[0].Alarmed().due
	ctx, a.wake = context.WithCancel(context.Background())
	return ctx, time.Duration(a.next - a.Now()), true
}

// Stop ends the sleep, so that run finds that the limiter closes.
func (a *Alarm) Stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wake != nil {
		a.wake()
	}
}

// ripe returns the clients that are due.
func (a *Alarm) ripe(now int64) (clients []Client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.clients) > 0 && a.clients[0].Alarmed().due <= now {
		c := a.clients[0]
		c.Alarmed().due = math.MaxInt64
		heap.Fix(&a.clients, 0)
		clients = append(clients, c)
	}
	return clients
}
