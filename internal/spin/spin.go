package spin

import (
	"runtime"
	"sync/atomic"
)

// spins is the number of checks before a waiter lets another goroutine run. That takes longer than any section that this lock is
// for, and much less time than a switch between goroutines costs the other waiters.
const spins = 1000

// Lock is a spin lock; the zero value is unlocked. It is not fair and not reentrant.
type Lock struct{ held atomic.Uint32 }

// Lock waits until the lock is free, and takes it.
func (l *Lock) Lock() {
	if !l.held.CompareAndSwap(0, 1) {
		l.wait()
	}
}

// TryLock takes the lock if it is free, and reports whether it did.
func (l *Lock) TryLock() bool { return l.held.CompareAndSwap(0, 1) }

// Unlock frees the lock. The caller must hold it.
func (l *Lock) Unlock() { l.held.Store(0) }

func (l *Lock) wait() {
	for {
		for range spins {
			if l.held.Load() == 0 && l.TryLock() {
				return
			}
		}
		runtime.Gosched() // the holder has lost its processor
	}
}
