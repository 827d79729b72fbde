package engine

import (
	"context"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// Available reads how much is left of every limit of the entity and resource, the entity's first, then its parents'
// if it cascades. limits are used if none are stored. It writes nothing. Its errors are those of Acquire.
func (l *Limiter) Available(ctx context.Context, entity, resource string, limits ...Limit) ([]LimitStatus, error) {
	a := l.begin(&Request{Entity: entity, Resource: resource, Limits: limits})
	defer l.release(a)
	a.Inspects = true
	if err := l.inspect(ctx, a); err != nil {
		return nil, store.Failure(ctx, err)
	}
	var s charge.Snapshot
	if _, _, err := a.Fill(l.charger, &s); err != nil {
		return nil, store.Failure(ctx, err)
	}
	return statusesOf(&s), nil
}

// TimeUntilAvailable reads how long until the request would be admitted if nobody else came, 0 if it would be now. If it never would,
// it returns an *ExceededError that is ErrNeverFits. It writes nothing. Its other errors are those of Acquire.
func (l *Limiter) TimeUntilAvailable(ctx context.Context, r Request) (time.Duration, error) {
	if err := checkRequest(&r, l.opts.lastPolicy()); err != nil {
		return 0, err
	}
	a := l.begin(&r)
	defer l.release(a)
	a.Inspects = true
	if err := l.inspect(ctx, a); err != nil {
		return 0, store.Failure(ctx, err)
	}
	wait, fits, err := a.Fill(l.charger, new(charge.Snapshot))
	if err != nil {
		return 0, store.Failure(ctx, err)
	}
	if !fits {
		return wait, l.exceeded(a)
	}
	return wait, nil
}

// inspect resolves the path and reads its buckets.
func (l *Limiter) inspect(ctx context.Context, a *attempt) error {
	if l.store.Closed() {
		return ErrClosed
	}
	return a.Inspect(a.Budget(ctx), l.settler)
}

// convertLive brings the bucket of an entity and resource to what is stored for them now, or else to what requests bring, if it is
// there and has other limits: at once, not at its next acquire.
func (l *Limiter) convertLive(ctx context.Context, entity, resource string, brought *limitset.Set) error {
	a := l.begin(&Request{Entity: entity, Resource: resource})
	defer l.release(a)
	a.Inspects = true
	a.Pinned, a.PinnedOverrides = brought, brought != nil
	ctx = a.Budget(ctx)
	if err := a.Resolve(ctx, l.settler); err != nil {
		return err
	}
	c := &a.Charges[0]
	a.N, c.Acquire = 1, false
	if err := a.ReadUnseen(ctx, l.settler, false); err != nil || !c.Root {
		return err
	}
	return l.charger.ConvertUntilDone(ctx, c)
}

// convertPath does that for all buckets of a request's path. If it fails, whoever writes the bucket next finds out why.
func (l *Limiter) convertPath(ctx context.Context, r Request) {
	r.Consume = nil
	a := l.begin(&r)
	defer l.release(a)
	a.Inspects = true
	_ = a.ConvertAll(a.Budget(ctx), l.settler)
}
