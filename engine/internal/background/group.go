package background

import (
	"context"
	"sync"
)

// Group runs functions on goroutines of their own. Safe for concurrent use.
type Group struct {
	ctx  context.Context
	stop context.CancelFunc

	mu      sync.Mutex
	shut    bool
	running int
	idle    chan struct{} // closed when none runs any more; nil before Finished
}

// New returns a group in which nothing runs.
func New() *Group {
	g := new(Group)
	g.ctx, g.stop = context.WithCancel(context.Background())
	g.ctx.Done() // makes its channel, which otherwise would be that of a synctest bubble
	return g
}

// Context is that of all functions. Stop ends it.
func (g *Group) Context() context.Context { return g.ctx }

// Go runs f on a goroutine of its own; false if it does not, because Shut was called.
func (g *Group) Go(f func(context.Context)) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return false
	}
	g.startLocked(f)
	return true
}

// Start is Go for what must be done also after Shut.
func (g *Group) Start(f func(context.Context)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.startLocked(f)
}

func (g *Group) startLocked(f func(context.Context)) {
	g.running++
	go func() {
		defer g.ended()
		f(g.ctx)
	}()
}

// ended ends a function.
func (g *Group) ended() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running--; g.running == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// Shut makes Go refuse functions. It calls closes, while nothing is started, and returns what that returns.
func (g *Group) Shut(closes func() bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	return closes()
}

// Stop ends the context of all functions.
func (g *Group) Stop() { g.stop() }

// Finished is closed when nothing runs any more.
func (g *Group) Finished() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	done := make(chan struct{})
	if g.running == 0 {
		close(done)
	} else {
		g.idle = done
	}
	return done
}
