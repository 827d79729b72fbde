package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// mostJitter bounds what Wait sleeps beyond a denial's time, so that those who wait for the same do not come at once.
const mostJitter = 10 * time.Millisecond

// askAgain is for requests of zeros, which take nothing that could be reserved: it acquires, and after a denial sleeps until the
// time that the denial says.
func (l *Limiter) askAgain(ctx context.Context, r *Request) (*Lease, error) {
	q := *r
	q.waits = 0 // each of its denials is a decision
	for {
		lease, err := l.Acquire(ctx, q)
		exceeded, denied := errors.AsType[*ExceededError](err)
		if !denied || exceeded.NeverFits {
			return lease, err
		}
		if err := l.sleepFor(ctx, exceeded); err != nil {
			return nil, err
		}
	}
}

// sleepFor sleeps until the time that a denial says, of which some may have passed. It returns an error, at once, if ctx ends before.
func (l *Limiter) sleepFor(ctx context.Context, exceeded *ExceededError) error {
	wait, left := max(0, exceeded.RetryAfter-max(0, time.Duration(l.clock.now()-exceeded.at))), pause.Left(ctx)
	if left < wait {
		return &deadlineError{exceeded, context.DeadlineExceeded}
	}
	jitter := rand.N(min(mostJitter, exceeded.RetryAfter/10+1))
	if err := l.opts.Sleep(ctx, min(wait+jitter, left)); err != nil {
		return &deadlineError{exceeded, err}
	}
	return nil
}
