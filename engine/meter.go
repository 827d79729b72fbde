package engine

import (
	"context"
	"errors"
	"sync"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/cascade"
)

// Meter charges a stream to one limit of a lease while it runs: when the stream has used up what was taken for it, the meter takes
// the next step of tokens. Safe for concurrent use; calls run one after the other.
//
//	lease, err := limiter.Acquire(ctx, request) // for the prompt
//	…
//	meter := lease.Meter("tpm", 500)
//	for piece := range answer {
//		if err := meter.Add(ctx, piece.Tokens); err != nil {
//			break // denied, or the store cannot be reached
//		}
//		…
//	}
//	return errors.Join(meter.Close(ctx), lease.Commit(ctx)) // in this order
type Meter struct {
	lease *Lease
	limit string
	step  int64

	mu     sync.Mutex
	used   int64 // tokens of the stream
	taken  int64 // tokens taken from the limit for it, steps of which the last may not be used up
	closed bool
}

// Meter returns a meter that takes step tokens of limit at a time. It does not use tokens that the lease holds already, so the
// acquire need only cover what is used before the stream begins, such as a prompt. The step must be from 1 to 10^15, and at most
// the limit's capacity, because a larger one never fits. With a small step, the stream holds few tokens that it does not use, but
// each step is a write. If the step is invalid, Add returns a *ValidationError. The meter of a nil lease, or of a lease that
// PolicyAllow has granted, admits everything.
func (lease *Lease) Meter(limit string, step int64) *Meter {
	return &Meter{lease: lease, limit: limit, step: step}
}

// Add counts n tokens of the stream. If the stream has then used more than was taken for it, Add takes as many steps as are missing,
// by one [Lease.Consume], which checks them. It takes no more than is missing if several steps are more than the limit's capacity,
// or if a step is more than this process may admit by itself under PolicyLocal. An *ExceededError means that the tokens are not
// available: cut the stream. Other errors are those of Consume; then the stream may go on, because the next Add tries again. After
// any of these errors the n tokens are counted nonetheless, since the model has produced them: Close charges them. Add counts
// nothing if it returns a *ValidationError for an invalid step or an n that is not from 0 to 10^15, ErrOutOfRange because the
// stream would have more than 10^15 tokens, or ErrLeaseClosed after Close.
func (m *Meter) Add(ctx context.Context, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return ErrLeaseClosed
	case m.step < 1 || m.step > bucket.MaxAmount:
		return &ValidationError{"Meter.step", m.step, "must be 1 to 10^15 tokens"}
	case n < 0 || n > bucket.MaxAmount:
		return &ValidationError{"Meter.Add", n, "must be 0 to 10^15 tokens"}
	case n > bucket.MaxAmount-m.used:
		return ErrOutOfRange
	}
	m.used += n
	missing := m.used - m.taken
	if missing <= 0 {
		return nil
	}
	ahead := (missing + m.step - 1) / m.step * m.step
	if ahead > bucket.MaxAmount { // no request may ask for so much
		ahead = missing
	}
	err := m.lease.Consume(ctx, Tokens{m.limit: ahead})
	tooMuch := ahead > m.step && errors.Is(err, ErrNeverFits) || errors.Is(err, cascade.ErrBeyondShare)
	if tooMuch && ahead > missing { // what is missing may fit without the rest of the last step
		ahead = missing
		err = m.lease.Consume(ctx, Tokens{m.limit: ahead})
	}
	if err != nil {
		return err
	}
	m.taken += ahead
	return nil
}

// Used returns the tokens of the stream so far.
func (m *Meter) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// Close charges what was used and not taken, even if that leads to debt, or refunds what was taken and not used, by
// [Lease.Adjust] and [Lease.Flush]. So it does not matter whether ctx has ended, and the lease stays open: Commit, which then has
// nothing to write, or Rollback ends it. After an error Close may be called again. When it has returned nil, it does nothing more.
// It returns ErrLeaseClosed if the lease has ended: after a Commit, the rest of the last step stays charged.
func (m *Meter) Close(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	if rest := m.used - m.taken; rest != 0 {
		if err := m.lease.Adjust(Tokens{m.limit: rest}); err != nil {
			return err
		}
		m.taken = m.used // now the adjustment is the lease's, also if it cannot be written
	}
	if err := m.lease.Flush(ctx); err != nil {
		return err
	}
	m.closed = true
	return nil
}
