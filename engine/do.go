package engine

import (
	"context"
	"errors"
)

// Do acquires, runs f, and commits if f returns nil. It rolls back if f returns an error, which Do returns, or panics:
// the panic goes on. The lease is settled whether or not ctx has ended. f may end the lease itself, and Do then does
// nothing more. If f succeeded and the settlement failed, Do returns a *CommitError.
func (l *Limiter) Do(ctx context.Context, r Request, f func(context.Context, *Lease) error) error {
	lease, err := l.Acquire(ctx, r)
	if err != nil {
		return err
	}
	defer func() { _ = lease.Rollback(ctx) }() // nothing after Commit
	if err := f(ctx, lease); err != nil {
		if lost := lease.Rollback(ctx); lost != nil {
			return errors.Join(err, lost)
		}
		return err
	}
	if err := lease.Commit(ctx); err != nil && !errors.Is(err, ErrLeaseClosed) { // f may have ended it
		return &CommitError{err}
	}
	return nil
}
