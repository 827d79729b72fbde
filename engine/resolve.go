package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/follow"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// Level tells where limits come from. The first level that has any supplies all of them.
type Level uint8

// The levels, first to last.
const (
	LevelNone           Level = iota // no limits anywhere
	LevelEntityResource              // stored for the entity and resource
	LevelEntity                      // stored for the entity, all resources
	LevelResource                    // stored for the resource
	LevelSystem                      // stored for the system
	LevelRequest                     // brought by a request
)

// String is the level's name.
func (l Level) String() string {
	return [...]string{"none", "entity+resource", "entity", "resource", "system", "request"}[min(l, LevelRequest)]
}

// config is what is stored for one entity and resource. Immutable; entities without a record share theirs.
type config struct {
	stored  *limitset.Set // nil: nothing
	level   Level
	exists  bool // the entity has a record
	version int64
	parent  string // "" where the entity does not cascade, or has none
	policy  Policy
}

// configOf returns what is stored for the state's entity and resource, from memory if that can be trusted.
func (l *Limiter) configOf(ctx context.Context, b *bucketState, now int64) (*config, error) {
	epoch, known, down := b.epoch.Load(), b.conf.Load(), l.store.BreakerIsOpen()
	if known != nil && (down || l.follow.Fresh(b.seq.Load(), now)) {
		return known, nil
	}
	if !down { // else the write shall probe the store, not a look
		if err := l.follow.Follow(ctx, now); err != nil {
			return nil, err
		}
	}
	stored, seq, age := l.follow.Get(b.id.entity, b.id.resource, now)
	switch {
	case age == follow.Young:
		return l.use(b, &stored, seq, 0, epoch)
	case age == follow.Aging && !l.noIO:
		l.refresh(b, now, seq)
		return l.use(b, &stored, seq, 0, epoch)
	}
	c, err := l.load(ctx, b, now, seq)
	if err != nil && known != nil && errors.Is(err, ErrUnavailable) {
		return known, nil // better old limits than none: whether the bucket can be reached is another question
	}
	return c, err
}

// refresh reads the configuration in the background, once.
func (l *Limiter) refresh(b *bucketState, now int64, seq uint64) {
	if !b.renewed.CompareAndSwap(false, true) {
		return
	}
	l.background(func(ctx context.Context) {
		defer b.renewed.Store(false)
		if _, err := l.load(store.Aside(ctx), b, now, seq); err != nil {
			l.observe(Event{Kind: EventRefresh, Entity: b.id.entity, Resource: b.id.resource, Err: err})
		}
	})
}

// load reads the configuration; those who ask for the same at the same time share one flight. With an open breaker they
// do not, as all would wait for the one that probes the store; nor without Options.Timeout, as nothing would end it.
func (l *Limiter) load(ctx context.Context, b *bucketState, now int64, seq uint64) (*config, error) {
	if l.noIO || l.opts.Timeout == 0 || l.store.BreakerIsOpen() {
		return l.fetch(ctx, b, now)
	}
	if ctx.Err() != nil {
		return nil, store.Failure(ctx, store.NotSent(ctx))
	}
	ctx, cancel := l.store.Budget(ctx)
	defer cancel()
	// A flight that began before a change, by this process or seen by a look, must not serve those who come after it, nor
	// must one of a bucket state that the cache has dropped: that counts no changes.
	flight := fmt.Sprintf("%p|%d|%d", b, b.epoch.Load(), seq)
	done := l.flights.DoChan(flight, func() (any, error) {
		return l.fetch(context.WithoutCancel(ctx), b, now)
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*config), nil
	case <-ctx.Done():
		err := fmt.Errorf("%w: %w", backend.ErrUnavailable, context.Cause(ctx))
		l.store.Missed(ctx, err) // the flight ends later than this caller, who must count too
		return nil, store.Failure(ctx, err)
	}
}

// fetch reads, consistently, what memory does not have or cannot be trusted for.
func (l *Limiter) fetch(ctx context.Context, b *bucketState, now int64) (*config, error) {
	epoch := b.epoch.Load()
	stored, seq, all, err := l.follow.Fetch(ctx, b.id.entity, b.id.resource, now)
	if err != nil {
		return nil, err
	}
	if !all {
		now = 0
	}
	return l.use(b, &stored, seq, now, epoch)
}

// reload reads all levels of one entity and resource in one batch, consistently, whatever is in memory.
func (l *Limiter) reload(ctx context.Context, b *bucketState, now int64) (*config, error) {
	epoch := b.epoch.Load()
	stored, seq, err := l.follow.Reload(ctx, b.id.entity, b.id.resource, now)
	if err != nil {
		return nil, err
	}
	return l.use(b, &stored, seq, now, epoch)
}

// use makes the stored configuration that of the bucket. read is when all of it was read at once, 0 if it was not.
func (l *Limiter) use(b *bucketState, stored *follow.Config, seq uint64, read int64, epoch uint32) (*config, error) {
	e := &stored.Entity
	found := config{level: Level(stored.Level), exists: e.Exists, version: e.Version, parent: e.Parent, policy: Policy(stored.Policy)}
	if stored.Limits != "" {
		var err error
		if found.stored, err = l.limitSets.Get(stored.Limits); err != nil {
			return nil, store.Failure(context.Background(), err)
		}
	}
	c := b.conf.Load()
	if c == nil || *c != found {
		c = l.configs.share(found)
		l.reportLarge(b, c.stored)
	}
	if b.store(c, seq, read, epoch) && !b.dropped.Load() {
		l.policy.Store(uint32(c.policy))
	}
	return c, nil
}

// policyFor is the policy of one request.
func (l *Limiter) policyFor(r *Request) Policy {
	for _, p := range []Policy{r.OnUnavailable, l.opts.OnUnavailable, Policy(l.policy.Load())} {
		if p != PolicyDefault {
			return p
		}
	}
	return PolicyBlock
}

// configAge is how old a config may be if a decision for ever (never fits) rests on it.
func (l *Limiter) configAge() int64 { return int64(min(l.opts.DenialTTL, time.Second)) }
