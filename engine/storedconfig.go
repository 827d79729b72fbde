package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/follow"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// config is what is stored for one entity and resource. Immutable; entities without a record share theirs.
type config struct {
	stored  *limitset.Set // nil: nothing
	level   follow.Level
	exists  bool // the entity has a record
	version int64
	parent  string // "" where the entity does not cascade, or has none
	policy  uint32 // of the system, 0: none
}

// configOf returns what is stored for the state's entity and resource, from memory if that can be trusted.
func (k *charger) configOf(ctx context.Context, b *bucketState, now int64) (*config, error) {
	epoch, known, down := b.epoch.Load(), b.conf.Load(), k.Store.BreakerIsOpen()
	if known != nil && (down || k.Follow.Fresh(b.seq.Load(), now)) {
		return known, nil
	}
	if !down { // else the write shall probe the store, not a look
		if err := k.Follow.Follow(ctx, now); err != nil {
			return nil, err
		}
	}
	stored, seq, age := k.Follow.Get(b.id.entity, b.id.resource, now)
	switch {
	case age == follow.Young:
		return k.use(b, &stored, seq, 0, epoch)
	case age == follow.Aging && !k.noIO:
		k.refresh(b, now, seq)
		return k.use(b, &stored, seq, 0, epoch)
	}
	c, err := k.load(ctx, b, now, seq)
	if err != nil && known != nil && errors.Is(err, store.ErrUnavailable) {
		return known, nil // better old limits than none: whether the bucket can be reached is another question
	}
	return c, err
}

// refresh reads the configuration in the background, once.
func (k *charger) refresh(b *bucketState, now int64, seq uint64) {
	if !b.renewed.CompareAndSwap(false, true) {
		return
	}
	k.Go(func(ctx context.Context) {
		defer b.renewed.Store(false)
		if _, err := k.load(store.Aside(ctx), b, now, seq); err != nil {
			k.Report(ctx, report{Kind: reportRefresh, Bucket: b.id, Err: err})
		}
	})
}

// load reads the configuration; those who ask for the same at the same time share one flight. With an open breaker they
// do not, as all would wait for the one that probes the store; nor without Options.Timeout, as nothing would end it.
func (k *charger) load(ctx context.Context, b *bucketState, now int64, seq uint64) (*config, error) {
	if k.noIO || k.Timeout == 0 || k.Store.BreakerIsOpen() {
		return k.fetch(ctx, b, now)
	}
	if ctx.Err() != nil {
		return nil, store.Failure(ctx, store.NotSent(ctx))
	}
	ctx, cancel := k.Store.Budget(ctx)
	defer cancel()
	// A flight that began before a change, by this process or seen by a look, must not serve those who come after it, nor
	// must one of a bucket state that the cache has dropped: that counts no changes.
	flight := fmt.Sprintf("%p|%d|%d", b, b.epoch.Load(), seq)
	done := k.flights.DoChan(flight, func() (any, error) {
		return k.fetch(context.WithoutCancel(ctx), b, now)
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*config), nil
	case <-ctx.Done():
		err := fmt.Errorf("%w: %w", backend.ErrUnavailable, context.Cause(ctx))
		k.Store.Missed(ctx, err) // the flight ends later than this caller, who must count too
		return nil, store.Failure(ctx, err)
	}
}

// fetch reads, consistently, what memory does not have or cannot be trusted for.
func (k *charger) fetch(ctx context.Context, b *bucketState, now int64) (*config, error) {
	epoch := b.epoch.Load()
	stored, seq, all, err := k.Follow.Fetch(ctx, b.id.entity, b.id.resource, now)
	if err != nil {
		return nil, err
	}
	if !all {
		now = 0
	}
	return k.use(b, &stored, seq, now, epoch)
}

// reload reads all levels of one entity and resource in one batch, consistently, whatever is in memory.
func (k *charger) reload(ctx context.Context, b *bucketState, now int64) (*config, error) {
	epoch := b.epoch.Load()
	stored, seq, err := k.Follow.Reload(ctx, b.id.entity, b.id.resource, now)
	if err != nil {
		return nil, err
	}
	return k.use(b, &stored, seq, now, epoch)
}

// use makes the stored configuration that of the bucket. read is when all of it was read at once, 0 if it was not.
func (k *charger) use(b *bucketState, stored *follow.Config, seq uint64, read int64, epoch uint32) (*config, error) {
	e := &stored.Entity
	found := config{level: stored.Level, exists: e.Exists, version: e.Version, parent: e.Parent, policy: uint32(stored.Policy)}
	if stored.Limits != "" {
		var err error
		if found.stored, err = k.limitSets.Get(stored.Limits); err != nil {
			return nil, store.Failure(context.Background(), err)
		}
	}
	c := b.conf.Load()
	if c == nil || *c != found {
		c = k.configs.share(found)
		k.reportLarge(b, c.stored)
	}
	if b.store(c, seq, read, epoch) && !b.dropped.Load() {
		k.policy.Store(c.policy)
	}
	return c, nil
}

// knownConfig returns the configuration of a bucket as it is in memory, however old; nil if it is not.
func (k *charger) knownConfig(b *bucketState, now int64) (*config, error) {
	if conf := b.conf.Load(); conf != nil {
		return conf, nil
	}
	epoch := b.epoch.Load()
	stored, seq, age := k.Follow.Get(b.id.entity, b.id.resource, now)
	if age == follow.Unknown {
		return nil, nil
	}
	return k.use(b, &stored, seq, 0, epoch)
}
