package main

import (
	"sync"

	"github.com/zeroae/zae-limiter-go/engine"
)

// skipped counts the unreadable records that lists omit, for a line at the end of the command.
type skipped struct {
	lock sync.Mutex
	n    int
	err  error // the first error
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

// reportSkipped logs how many unreadable records the lists of a command have omitted, if any.
func (a *App) reportSkipped() {
	if a.skipped == nil {
		return
	}
	a.skipped.lock.Lock()
	defer a.skipped.lock.Unlock()
	if a.skipped.n > 0 {
		a.logf("omitted %s that cannot be read: %s", count(a.skipped.n, "record"), withoutPrefix(a.skipped.err.Error()))
	}
}
