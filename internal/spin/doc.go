// Package spin has a lock for critical sections of nanoseconds that never wait for anything.
//
// With a sync.Mutex on one hot record, the slowest percent of 64 goroutines waits for a millisecond or more: after a waiter has
// starved, the mutex passes from goroutine to goroutine, with a context switch each time. With a spin lock, these waits are
// microseconds.
//
// Package spin is not for sections that do I/O, allocate much or take another lock.
package spin
