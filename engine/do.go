package engine

import (
	"context"
	"errors"
	"time"
)

func (l *Limiter) observeDecision(a *attempt, r *Request, admitted bool) {
	e := Event{Kind: EventDecision, Entity: r.Entity, Resource: r.Resource, Allowed: admitted, Leased: admitted && r.leases, Tokens: r.Consume}
	for i := range a.N {
		e.Attempts += a.Charges[i].Tries
	}
	if r.waits != 0 {
		e.Waited = max(0, time.Duration(a.Now-r.waits))
	}
	e.Cached = e.Attempts == 0 && (a.Takes || a.local) // a request of zeros is decided by reading
	e.Degraded = a.local
	if !admitted {
		l.observeDenial(a, &e)
	}
	l.observe(e)
}

// decides reports whether a denial of the attempt is one for its caller. One that waits asks first, and goes on to wait.
func (a *attempt) decides(ctx context.Context) bool {
	return a.waits == 0 || a.Beyond || ctx.Err() != nil
}

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
