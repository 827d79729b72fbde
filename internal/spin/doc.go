// Package spin is a lock for critical sections of nanoseconds that never wait for anything.
//
// With a sync.Mutex on one hot record the slowest percent of 64 goroutines wait for a millisecond and more: once a
// waiter has starved, the mutex is handed over from goroutine to goroutine, with a context switch each. Spinning keeps
// the tail in microseconds there.
//
// Package spin is not for sections that do I/O, allocate much or take another lock.
package spin
