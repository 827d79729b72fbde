package spin

import (
	"runtime"
	"sync/atomic"
)

// spins is how often a waiter looks before it lets another goroutine run: longer than any section of the kind this
// lock is for, far shorter than a goroutine switch costs others in the queue.
const spins = 1000

// Lock is a spin lock; the zero value is unlocked. It is not fair and not reentrant.
type Lock struct{ held atomic.Uint32 }

// Lock waits until the lock is free and takes it.
func (l *Lock) Lock() {
	if !l.TryLock() {
		l.wait()
	}
}

// TryLock takes the lock if it is free.
func (l *Lock) TryLock() bool { return l.held.CompareAndSwap(0, 1) }

// Unlock frees the lock, which the caller holds.
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
