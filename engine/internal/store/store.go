package store

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Options configure a Store. All but OnCall must be set.
type Options struct {
	Backend backend.Backend                            // what is called
	Timeout time.Duration                              // budget of one operation; 0: unlimited
	Now     func() int64                               // ns since the Unix epoch
	Sleep   func(context.Context, time.Duration) error // returns ctx's error if that ends first
	Logger  *slog.Logger                               // for panics of the backend

	OnCall       func(Call)                           // called after each call; nil: calls are not measured
	OnSkip       func(context.Context, Skipped)       // called if a list skips something
	OnClockAhead func(context.Context, time.Duration) // called if the backend's clock differs from Now by more than 2 s, at most once a minute
}

// Call describes a call that has ended.
type Call struct {
	Name     string // read, apply, commit, list, scan or sweep
	Latency  time.Duration
	Requests int // 0 if the backend does not tell, as for Units
	Units    float64
	Err      error
}

// Store is a backend and what the engine does around each call of it. Safe for concurrent use.
type Store struct {
	Options
	caps          backend.Capabilities
	breaker       breaker
	refused       atomic.Pointer[refusedError] // what a call returns that the breaker does not let through; with the failure that began the last pause
	clockReported atomic.Int64                 // when it was last reported that the backend's clock is another, ns since the Unix epoch
	closed        atomic.Bool
}

// New returns a store; it does no I/O.
func New(o Options) *Store {
	s := &Store{Options: o, caps: o.Backend.Capabilities()}
	s.refused.Store(newRefused(nil)) // until the failure that opens the breaker is known, which is a moment later
	return s
}

// Capabilities are the backend's.
func (s *Store) Capabilities() *backend.Capabilities { return &s.caps }

// Close makes all further calls return ErrClosed. It reports false if the store was closed before.
func (s *Store) Close() bool { return s.closed.CompareAndSwap(false, true) }

// Closed reports whether Close was called.
func (s *Store) Closed() bool { return s.closed.Load() }

// ParallelCalls is how many calls an operation that makes many makes at the same time.
func (s *Store) ParallelCalls() int {
	if s.caps.NoIO {
		return 1
	}
	return maxParallelCalls
}
