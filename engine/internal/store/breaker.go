package store

import (
	"math/rand/v2"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/spin"
)

const (
	tripAfter = 5 // failures in a row open the breaker

	// The pause between two probes: it begins with the shortest and doubles up to the longest. Each is prolonged by up
	// to a quarter of it at random, so that it lasts 1 s to 10 s, and processes do not probe at the same time.
	shortestPause = time.Second
	longestPause  = 8 * time.Second
)

// breaker fails calls at once while the store does not answer, except for one probe in each pause. The pause counts from
// the end of a probe. It also counts from the beginning, so that a probe that never ends blocks nothing. A library's
// breaker reads the system's clock; this one reads the limiter's, so that tests can stop it.
type breaker struct {
	lock     spin.Lock
	failures int           // in a row
	since    int64         // when the breaker opened, or the last probe began or ended, ns since the Unix epoch
	pause    time.Duration // to the next probe, without what is added at random
	length   time.Duration // with it
}

// isOpen reports whether calls fail, except for probes.
func (b *breaker) isOpen() bool {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.failures >= tripAfter
}

// enter reports whether a call may be made; probe, whether it is one that probes the store.
func (b *breaker) enter(now func() int64) (allowed, probe bool) {
	if !b.isOpen() {
		return true, false
	}
	at := now()
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.refusesLocked(at) {
		return false, false
	}
	if probe = b.failures >= tripAfter; probe {
		b.since = at
	}
	return true, probe
}

// refuses reports whether enter would not allow a call. It lets no probe begin.
func (b *breaker) refuses(now func() int64) bool {
	if !b.isOpen() {
		return false
	}
	at := now()
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.refusesLocked(at)
}

func (b *breaker) refusesLocked(at int64) bool {
	passed := at - b.since
	return b.failures >= tripAfter && passed >= 0 && passed < int64(b.length) // a clock that was set back must not block
}

// health is what a call has shown of the store.
type health uint8

const (
	unknown health = iota // the caller gave up
	healthy
	failing
	panicking // a bug, which tells nothing about the store: the next call may probe again
)

// leave notes how a call went. It reports whether a pause begins because the call failed.
func (b *breaker) leave(now int64, probe bool, h health) (pauses bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	switch h {
	case healthy:
		b.failures, b.pause = 0, 0
	case failing:
		b.failures++
		if probe || b.failures == tripAfter {
			b.since, b.pause = now, min(max(2*b.pause, shortestPause), longestPause)
			b.length = b.pause + rand.N(b.pause/4)
			return true
		}
	case panicking:
		if probe {
			b.length = 0
		}
	case unknown:
		if probe {
			b.since = now
		}
	}
	return false
}
