package engine

import (
	"context"
	"errors"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// Available reads how much is left of every limit of the entity and resource, the entity's first, then its parents'
// where it cascades. limits count where none are stored. It writes nothing. Errors as Acquire.
func (l *Limiter) Available(ctx context.Context, entity, resource string, limits ...Limit) ([]LimitStatus, error) {
	a := l.attempts.Get().(*attempt)
	defer l.release(a)
	a.req, a.inspects = Request{Entity: entity, Resource: resource, Limits: limits}, true
	if err := l.inspect(ctx, a); err != nil {
		return nil, store.Failure(ctx, err)
	}
	var s snapshot
	if _, _, err := l.fillSnapshot(a, &s); err != nil {
		return nil, store.Failure(ctx, err)
	}
	return s.statuses(nil), nil
}

// TimeUntilAvailable reads how long until the request would be admitted if nobody else came: 0 where it would be now.
// ErrNeverFits where it never would. It writes nothing. Errors as Acquire.
func (l *Limiter) TimeUntilAvailable(ctx context.Context, r Request) (time.Duration, error) {
	if err := checkRequest(&r, l.opts.policies()); err != nil {
		return 0, err
	}
	a := l.attempts.Get().(*attempt)
	defer l.release(a)
	a.req = r
	if err := l.inspect(ctx, a); err != nil {
		return 0, store.Failure(ctx, err)
	}
	wait, fits, err := l.fillSnapshot(a, new(snapshot))
	if err != nil {
		return 0, store.Failure(ctx, err)
	}
	if !fits {
		return wait, ErrNeverFits
	}
	return wait, nil
}

// inspect resolves the path and reads its buckets.
func (l *Limiter) inspect(ctx context.Context, a *attempt) (err error) {
	if l.store.Closed() {
		return ErrClosed
	}
	if a.now, err = l.now(); err != nil {
		return err
	}
	ctx, cancel := l.store.Budget(ctx)
	defer cancel()
	if err := l.resolve(ctx, a); err != nil {
		return err
	}
	return l.readUnseen(ctx, a, false)
}

// convertLive brings the bucket of an entity and resource to what is stored for them now, or else to what requests bring, if it is
// there and has other limits: at once, not at its next acquire.
func (l *Limiter) convertLive(ctx context.Context, entity, resource string, brought *limitset.Set) error {
	a := l.attempts.Get().(*attempt)
	defer l.release(a)
	a.req, a.inspects = Request{Entity: entity, Resource: resource}, true
	a.pinned, a.overrides = brought, brought != nil
	now, err := l.now()
	if err != nil {
		return err
	}
	a.now = now
	ctx, cancel := l.store.Budget(ctx)
	defer cancel()
	if err := l.resolve(ctx, a); err != nil {
		return err
	}
	c := &a.charges[0]
	a.n, c.acquire = 1, false
	if err := l.readUnseen(ctx, a, false); err != nil || !c.root {
		return err
	}
	return l.convertUntilDone(ctx, a, c)
}

func (l *Limiter) convertUntilDone(ctx context.Context, a *attempt, c *bucketCharge) error {
	for c.tries = 1; c.tries <= mostTries; c.tries++ {
		r := c.record()
		set, err := l.limitSetOfRecord(c, r)
		if err != nil || set == nil || set.Fits(c.required, c.stored) {
			return err
		}
		// What the bucket has may be newer than what was read before it was seen.
		required, stored := c.required, c.stored
		if err := l.reconfigure(ctx, a, c); err != nil && !errors.Is(err, errRestart) {
			return err
		}
		if c.required == nil { // the limits are gone since: a denial is told by those that it was made with
			c.required, c.stored = required, stored
			return nil
		}
		if set.Fits(c.required, c.stored) {
			return nil
		}
		c.mode = converting
		if err := l.buildNext(a, c); err != nil {
			return err
		}
		if err := l.send(ctx, a, c); err != nil {
			return err
		}
		if c.outs[0].Applied {
			c.remember(c.record(), c.assumed, true)
			return nil
		}
	}
	return ErrContention
}
