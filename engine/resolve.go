package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
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

// configOf gives what is stored for the state's entity and resource, from memory where that is young enough.
func (l *Limiter) configOf(ctx context.Context, b *bucketState, now int64) (*config, error) {
	c := b.conf.Load()
	if c == nil {
		return l.load(ctx, b, now)
	}
	age, ttl := now-b.loaded.Load(), int64(l.opts.ConfigTTL)
	if age < 0 { // the clock went back, which makes nothing younger
		age = -age
	}
	switch {
	case age < ttl-ttl/5:
		return c, nil
	case age < ttl && !l.noIO:
		l.refresh(b, now)
		return c, nil
	case l.store.BreakerIsOpen(): // the write is what shall probe the store
		return c, nil
	}
	fresh, err := l.load(ctx, b, now)
	if err != nil && errors.Is(err, ErrUnavailable) {
		return c, nil // better old limits than none: whether the bucket can be reached is another question
	}
	return fresh, err
}

// refresh reads the configuration in the background, once.
func (l *Limiter) refresh(b *bucketState, now int64) {
	if !b.renewed.CompareAndSwap(false, true) {
		return
	}
	l.background(func(ctx context.Context) {
		defer b.renewed.Store(false)
		if _, err := l.load(store.Aside(ctx), b, now); err != nil {
			l.observe(Event{Kind: EventRefresh, Entity: b.id.entity, Resource: b.id.resource, Err: err})
		}
	})
}

// load reads the configuration; those who ask for the same at the same time share one flight. With an open breaker they
// do not, as all would wait for the one that probes the store; nor without Options.Timeout, as nothing would end it.
func (l *Limiter) load(ctx context.Context, b *bucketState, now int64) (*config, error) {
	if l.noIO || l.opts.Timeout == 0 || l.store.BreakerIsOpen() {
		return l.fetch(ctx, b, now)
	}
	if ctx.Err() != nil {
		return nil, store.Failure(ctx, store.NotSent(ctx))
	}
	ctx, cancel := l.store.Budget(ctx)
	defer cancel()
	// A flight that began before an own change must not serve those who come after it, nor must one of a bucket state that
	// the cache has dropped: that counts no changes.
	flight := fmt.Sprintf("%p|%d", b, b.epoch.Load())
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

// Positions of what fetch reads.
const (
	readEntity = iota
	readEntityResource
	readEntityDefault
	readResource
	readSystem
	readNamespace // only where there is one to check
)

// fetch reads all levels of one entity and resource in one batch, consistently, and remembers what it found.
func (l *Limiter) fetch(ctx context.Context, b *bucketState, now int64) (*config, error) {
	epoch := b.epoch.Load()
	ns := l.opts.Namespace
	var keys [readNamespace]backend.Key
	keys[readEntity], _ = schema.Entity(ns, b.id.entity)
	keys[readEntityResource], _ = schema.EntityLimits(ns, b.id.entity, b.id.resource)
	keys[readEntityDefault], _ = schema.EntityLimits(ns, b.id.entity, "")
	keys[readResource], _ = schema.Resource(ns, b.id.resource)
	keys[readSystem] = schema.System(ns)
	out, err := l.store.Read(ctx, append(keys[:], l.namespaceCheckKeys()...))
	if err != nil {
		return nil, err
	}
	if err := l.checkNamespaceRecords(ctx, out[readNamespace:]); err != nil {
		return nil, err
	}
	c, err := l.mergeLevels(out)
	if err != nil {
		return nil, err
	}
	l.reportLarge(b, c.stored)
	if b.store(c, now, epoch) && !b.dropped.Load() {
		l.policy.Store(uint32(c.policy))
	}
	return c, nil
}

// mergeLevels picks the level that counts.
func (l *Limiter) mergeLevels(out []backend.Record) (*config, error) {
	c := config{level: LevelNone}
	if e := &out[readEntity]; e.Present() {
		c.exists, c.version = true, e.Int64(schema.EntityVer)
		if e.Int64(schema.EntityCascade) == 1 {
			c.parent, _ = e.Text(schema.EntityParent)
		}
	}
	for level := LevelEntityResource; level <= LevelSystem; level++ {
		packed, ok := out[int(level)].Text(schema.ConfigLimits)
		if !ok {
			continue
		}
		s, err := l.limitSets.Get(packed)
		if err != nil {
			return nil, store.Failure(context.Background(), err)
		}
		c.stored, c.level = s, level
		break
	}
	c.policy = Policy(out[readSystem].Int64(schema.ConfigUnavailable))
	if c.exists {
		return &c, nil
	}
	return l.configs.share(&c), nil
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

// configAge is how old a config may be where a decision for ever (never fits) rests on it.
func (l *Limiter) configAge() int64 { return int64(min(l.opts.DenialTTL, time.Second)) }
