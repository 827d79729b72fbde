package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
)

// maxConflicts is how many conflicts in a row an administrative change survives.
const maxConflicts = 32

// administer makes a change in the limiter's namespace, which must be active. See retryConflicts.
func (l *Limiter) administer(ctx context.Context, attempt func(now int64) error) error {
	if err := l.checkNamespace(ctx); err != nil {
		return err
	}
	return l.retryConflicts(ctx, attempt)
}

// retryConflicts calls attempt, which reads and then commits, until it returns no *backend.ConflictError: that means that
// what it read was changed before its commit. It returns ErrContention after too many conflicts.
func (l *Limiter) retryConflicts(ctx context.Context, attempt func(now int64) error) error {
	for n := 1; ; n++ {
		now, err := l.now()
		if err != nil {
			return err
		}
		if err = attempt(now); err == nil {
			return nil
		}
		if !errors.Is(err, backend.ErrConflict) {
			return err
		}
		if n == maxConflicts {
			return fmt.Errorf("%w: %w", ErrContention, err)
		}
		if !l.giveWay(ctx, n) {
			return ctx.Err()
		}
	}
}

// commit makes all writes or none, and resends them with the same token after trouble. It returns a *backend.ConflictError
// if a condition does not hold. After an error that is backend.ErrOutcomeUnknown the writes may have been made.
//
// A store that does not remember tokens rejects a commit that it has made already. So every commit has one record that no
// other commit writes, an audit event: if that is there, this commit was made.
func (l *Limiter) commit(ctx context.Context, writes []backend.Write, event backend.Key) error {
	inner, cancel := l.budget(ctx)
	defer cancel()
	var token [16]byte
	rand.Read(token[:])
	lostReply := false // of an earlier try
	for try := 1; ; try++ {
		_, err := l.call(inner, "commit", func(ctx context.Context) error { return l.store.Commit(ctx, token, writes) })
		if err == nil {
			return nil
		}
		if lostReply && errors.Is(err, backend.ErrConflict) {
			return l.commitResult(ctx, event, err)
		}
		resend := l.mayResend(inner, err, try)
		if errors.Is(err, backend.ErrOutcomeUnknown) {
			lostReply = true
		} else if lostReply {
			err = fmt.Errorf("%w: %w", backend.ErrOutcomeUnknown, err)
		}
		if !resend {
			return failure(ctx, err)
		}
	}
}

// commitResult returns nil if a commit that was rejected had been made before, which its event tells.
func (l *Limiter) commitResult(ctx context.Context, event backend.Key, rejection error) error {
	r, err := l.readOne(ctx, event)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", backend.ErrOutcomeUnknown, err)
	case r.Present():
		return nil
	}
	return rejection
}

// resend reports, after a pause, whether to send a request again that failed with err. While the breaker is open each
// probe is one call, so nothing is resent.
func (l *Limiter) mayResend(ctx context.Context, err error, try int) bool {
	return try <= resends && isTransient(err) && !l.breaker.isOpen() && ctx.Err() == nil && l.giveWay(ctx, try)
}

// applyAll makes each write whose conditions hold, independently of the others.
func (l *Limiter) applyAll(ctx context.Context, writes []backend.Write) error {
	for chunk := range slices.Chunk(writes, backend.MaxCommit) {
		if err := l.applyChunk(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (l *Limiter) applyChunk(ctx context.Context, writes []backend.Write) error {
	outs := make([]backend.Outcome, len(writes))
	return l.request(ctx, "apply", func(ctx context.Context) error { return l.store.Apply(ctx, writes, outs) })
}

// forget lets the next acquires of entities and resources that are affected read their configuration and bucket again,
// instead of deciding from memory.
func (l *Limiter) forget(affected func(entity, resource string) bool) {
	l.cache.forget(func(h *bucketState) bool { return affected(h.id.entity, h.id.resource) })
}
