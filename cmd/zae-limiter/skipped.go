package main

import (
	"sync"

	"github.com/zeroae/zae-limiter-go/engine"
)

// skipped collects what lists leave out, for a line at the end of the command.
type skipped struct {
	lock sync.Mutex
	n    int
	err  error // why, of the first
}

// Observe implements [engine.Observer].
func (s *skipped) Observe(e engine.Event) {
	if e.Kind != engine.EventSkipped {
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.n += e.Skipped; s.err == nil {
		s.err = e.Err
	}
}

// saySkipped says on standard error what the lists of a command have left out, if anything.
func (a *App) saySkipped() {
	if a.skipped == nil {
		return
	}
	a.skipped.lock.Lock()
	defer a.skipped.lock.Unlock()
	if a.skipped.n > 0 {
		a.say("what cannot be read was left out (%s): %s", count(a.skipped.n, "time"), unprefixed(a.skipped.err.Error()))
	}
}
