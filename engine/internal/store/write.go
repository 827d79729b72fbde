package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
)

// MaxConflicts is how many conflicts in a row an administrative change survives.
const MaxConflicts = 32

// Apply makes writes once, each independently of the others. A write that is refused is no error; it is in outs. After an
// abandoned call the backend has writes and outs: nothing of them may be touched. ctx must have a budget.
func (s *Store) Apply(ctx context.Context, writes []backend.Write, outs []backend.Outcome) (abandoned bool, err error) {
	if s.caps.NoIO {
		return false, s.Backend.Apply(ctx, writes, outs)
	}
	return s.call(ctx, "apply", func(ctx context.Context) error { return s.Backend.Apply(ctx, writes, outs) })
}

// RetryUnapplied is Retry for a write that must not be made twice: it calls apply again only if the write was certainly not applied.
func (s *Store) RetryUnapplied(ctx context.Context, apply func() error) error {
	for try := 1; ; try++ {
		if ctx.Err() != nil {
			return ctx.Err() // nothing was sent, so nothing is lost
		}
		err := apply()
		if err == nil || !isSafeToResend(err) || try > maxResends || ctx.Err() != nil || !s.GiveWay(ctx, try) {
			return err
		}
	}
}

// ApplyAll makes each of any number of writes whose conditions hold, independently of the others.
func (s *Store) ApplyAll(ctx context.Context, writes []backend.Write) error {
	for chunk := range slices.Chunk(writes, backend.MaxCommit) {
		outs := make([]backend.Outcome, len(chunk))
		err := s.request(ctx, "apply", func(ctx context.Context) error { return s.Backend.Apply(ctx, chunk, outs) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Commit makes all writes or none, and resends them with the same token after trouble. It returns a *backend.ConflictError
// if a condition does not hold. After an error that is backend.ErrOutcomeUnknown the writes may have been made.
//
// A backend that does not remember tokens rejects a commit that it has made already. So every commit has one record that no
// other commit writes, an audit event: if that is there, this commit was made.
func (s *Store) Commit(ctx context.Context, writes []backend.Write, event backend.Key) error {
	inner, cancel := s.Budget(ctx)
	defer cancel()
	var token [16]byte
	rand.Read(token[:])
	lostReply := false // of an earlier try
	for try := 1; ; try++ {
		_, err := s.call(inner, "commit", func(ctx context.Context) error { return s.Backend.Commit(ctx, token, writes) })
		if err == nil {
			return nil
		}
		if lostReply && errors.Is(err, backend.ErrConflict) {
			return s.commitResult(ctx, event, err)
		}
		resend := s.mayResend(inner, err, try)
		if errors.Is(err, backend.ErrOutcomeUnknown) {
			lostReply = true
		} else if lostReply {
			err = fmt.Errorf("%w: %w", backend.ErrOutcomeUnknown, err)
		}
		if !resend {
			return Failure(ctx, err)
		}
	}
}

// commitResult returns nil if a commit that was rejected had been made before, which its event tells.
func (s *Store) commitResult(ctx context.Context, event backend.Key, rejection error) error {
	r, err := s.ReadOne(ctx, event)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", backend.ErrOutcomeUnknown, err)
	case r.Present():
		return nil
	}
	return rejection
}

// RetryConflicts calls attempt, which reads and then commits, until it returns no *backend.ConflictError: that means that
// what it read was changed before its commit. It returns ErrContention after too many conflicts.
func (s *Store) RetryConflicts(ctx context.Context, attempt func() error) error {
	for n := 1; ; n++ {
		err := attempt()
		if !errors.Is(err, backend.ErrConflict) {
			return err
		}
		if n == MaxConflicts {
			return fmt.Errorf("%w: %w", ErrContention, err)
		}
		if !s.GiveWay(ctx, n) {
			return ctx.Err()
		}
	}
}

// sweep drops records that expired before now (seconds since the Unix epoch) until none is left, or about as many as most
// are gone. Each call of the backend is short, and other writes come between. The backend must be able to sweep.
func (s *Store) sweep(ctx context.Context, now, most int64) error {
	for most > 0 {
		dropped := 0
		_, err := s.call(ctx, "sweep", func(ctx context.Context) (err error) {
			dropped, err = s.caps.Sweep(ctx, now)
			return err
		})
		if err != nil || dropped == 0 {
			return err
		}
		most -= int64(dropped)
	}
	return nil
}

// Expired reports whether the backend may drop a record with that expiry, so that it counts as deleted; now is in ns since
// the Unix epoch.
func Expired(e backend.Expiry, now int64) bool {
	return e != backend.NoExpiry && int64(e) <= now/int64(time.Second)
}
