package engine

import "github.com/zeroae/zae-limiter-go/internal/spin"

// tripAfter is how many failures in a row open the breaker.
const tripAfter = 5

// breaker fails calls at once while the store does not answer, but for one at a time that probes it. It needs no
// clock: a probe that fails has taken its time, and the next call probes again.
type breaker struct {
	lock     spin.Lock
	failures int
	probing  bool
}

// enter reports whether a call may be made; probe, whether it is the one that probes.
func (b *breaker) enter() (allowed, probe bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.failures < tripAfter {
		return true, false
	}
	if b.probing {
		return false, false
	}
	b.probing = true
	return true, true
}

// health is what a call has shown of the store.
type health uint8

const (
	unknown health = iota
	healthy
	failing
)

// leave notes how the call went.
func (b *breaker) leave(probe bool, h health) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if probe {
		b.probing = false
	}
	switch h {
	case healthy:
		b.failures = 0
	case failing:
		b.failures++
	}
}
