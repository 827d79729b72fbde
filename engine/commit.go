package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// mostLost is how many races in a row an administrative change may lose.
const mostLost = 32

// change makes one administrative change: try reads what there is and commits what shall be. A try that lost a race
// (a *backend.ConflictError) is made again, with what there is then.
func (l *Limiter) change(ctx context.Context, try func(now int64) error) error {
	for n := 1; ; n++ {
		now, err := l.now()
		if err != nil {
			return err
		}
		if err = try(now); err == nil {
			return nil
		}
		if !errors.Is(err, backend.ErrConflict) {
			return err
		}
		if n == mostLost {
			return fmt.Errorf("%w: %w", ErrContention, err)
		}
		if !l.yield(ctx, n) {
			return ctx.Err()
		}
	}
}

// admitted is change in the limiter's namespace, which must be in use.
func (l *Limiter) admitted(ctx context.Context, try func(now int64) error) error {
	if err := l.admit(ctx); err != nil {
		return err
	}
	return l.change(ctx, try)
}

// commit makes all writes or none, under one token, which is used again only for sending the same. Where a condition
// does not hold it returns the *backend.ConflictError: the caller reads again. Stores that do not remember tokens
// refuse a commit that was made before its reply was lost; then the audit event in it, of which event is the key, tells
// that it was. After an error that is backend.ErrOutcomeUnknown the writes may have been made.
func (l *Limiter) commit(ctx context.Context, writes []backend.Write, event backend.Key) error {
	inner, cancel := l.budget(ctx)
	defer cancel()
	var token [16]byte
	rand.Read(token[:])
	lost := false // the reply to some earlier try
	for try := 1; ; try++ {
		_, err := l.call(inner, "commit", func(ctx context.Context) error { return l.store.Commit(ctx, token, writes) })
		if err == nil {
			return nil
		}
		if lost && errors.Is(err, backend.ErrConflict) {
			return l.ours(ctx, event, err)
		}
		again := l.resend(inner, err, try)
		if errors.Is(err, backend.ErrOutcomeUnknown) {
			lost = true
		} else if lost {
			err = fmt.Errorf("%w: %w", backend.ErrOutcomeUnknown, err)
		}
		if !again {
			return failure(ctx, err)
		}
	}
}

// ours finds out whether a commit that was refused was made before, by us: its event is there.
func (l *Limiter) ours(ctx context.Context, event backend.Key, refusal error) error {
	r, err := l.readOne(ctx, event)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", backend.ErrOutcomeUnknown, err)
	case r.Present():
		return nil
	}
	return refusal
}

// resend reports whether a request that failed is worth sending again, after a pause. With an open breaker it is not: a
// probe is one call.
func (l *Limiter) resend(ctx context.Context, err error, try int) bool {
	return try <= resends && worthResending(err) && !l.breaker.isOpen() && ctx.Err() == nil && l.yield(ctx, try)
}

// remove makes records go, each where its conditions hold.
func (l *Limiter) remove(ctx context.Context, writes []backend.Write) error {
	for some := range slices.Chunk(writes, backend.MaxCommit) {
		if err := l.removeSome(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (l *Limiter) removeSome(ctx context.Context, writes []backend.Write) error {
	inner, cancel := l.budget(ctx)
	defer cancel()
	outs := make([]backend.Outcome, len(writes))
	for try := 1; ; try++ {
		_, err := l.call(inner, "apply", func(ctx context.Context) error { return l.store.Apply(ctx, writes, outs) })
		if err == nil {
			return nil
		}
		if !l.resend(inner, err, try) {
			return failure(ctx, err)
		}
	}
}

// removing is the write that makes a record go, whatever it says and of whatever kind it is. It is for commits with a
// condition that fails once the record may be another's.
func removing(key backend.Key) backend.Write {
	layout := schema.LayoutOf(key)
	if layout == nil {
		layout = schema.MarkLayout // some layout: without conditions nothing is judged
	}
	return backend.Write{Key: key, Layout: layout, Remove: true}
}

// holds is a write that changes nothing and demands that the record's field, a version, is as in r: or that there is no
// record, where there was none.
func holds(key backend.Key, r *backend.Record, version backend.Slot) backend.Write {
	return backend.Write{Key: key, Layout: r.Layout(), Conds: []backend.Cond{unchanged(r, version)}}
}

func unchanged(r *backend.Record, version backend.Slot) backend.Cond {
	n, present := r.Num(version)
	if !present {
		return backend.Cond{Slot: version, Op: backend.Absent}
	}
	return backend.Cond{Slot: version, Op: backend.Equal, A: n}
}

// following is the version after that in r.
func following(now int64, r *backend.Record, version backend.Slot) int64 {
	return max(now, r.Int64(version)+1)
}
