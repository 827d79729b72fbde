package charge

import (
	"context"
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/follow"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// Config is what is stored for one entity and resource. Immutable; entities without a record share theirs.
type Config struct {
	Stored  *limitset.Set // nil: nothing
	Level   follow.Level
	exists  bool // the entity has a record
	version int64
	Parent  string // "" if the entity does not cascade, or has none
	policy  uint32 // of the system, 0: none
}

// ConfigOf returns what is stored for the state's entity and resource, from memory if that can be trusted.
func (k *Charger) ConfigOf(ctx context.Context, b *State, now int64) (*Config, error) {
	epoch, known, down := b.epoch.Load(), b.Config.Load(), k.Store.BreakerIsOpen()
	if known != nil && (down || k.Follow.Fresh(b.Seq.Load(), now)) {
		return known, nil
	}
	if !down { // else the write shall probe the store, not a look
		if err := k.Follow.Follow(ctx, now); err != nil {
			return nil, err
		}
	}
	stored, seq, age := k.Follow.Get(b.ID.Entity, b.ID.Resource, now)
	switch {
	case age == follow.Young:
		return k.use(b, &stored, seq, 0, epoch)
	case age == follow.Aging && !k.NoIO:
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
func (k *Charger) refresh(b *State, now int64, seq uint64) {
	if !b.renewed.CompareAndSwap(false, true) {
		return
	}
	k.Go(func(ctx context.Context) {
		defer b.renewed.Store(false)
		if _, err := k.load(store.Aside(ctx), b, now, seq); err != nil {
			k.Report(ctx, Report{Kind: RefreshFailed, Bucket: b.ID, Err: err})
		}
	})
}

// load reads the configuration; those who ask for the same at the same time share one flight. With an open breaker they
// do not, as all would wait for the one that probes the store; nor without Options.Timeout, as nothing would end it.
func (k *Charger) load(ctx context.Context, b *State, now int64, seq uint64) (*Config, error) {
	if k.NoIO || k.Timeout == 0 || k.Store.BreakerIsOpen() {
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
		ended := make(chan struct{})
		defer close(ended)
		k.Start(func(context.Context) { <-ended }) // Close waits for the flight, which may outlast its callers
		return k.fetch(context.WithoutCancel(ctx), b, now)
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*Config), nil
	case <-ctx.Done():
		err := fmt.Errorf("%w: %w", backend.ErrUnavailable, store.EndOf(ctx))
		k.Store.Missed(ctx, err) // the flight ends later than this caller, who must count too
		return nil, store.Failure(ctx, err)
	}
}

// fetch reads, consistently, what memory does not have or cannot be trusted for.
func (k *Charger) fetch(ctx context.Context, b *State, now int64) (*Config, error) {
	epoch := b.epoch.Load()
	stored, seq, all, err := k.Follow.Fetch(ctx, b.ID.Entity, b.ID.Resource, now)
	if err != nil {
		return nil, err
	}
	if !all {
		now = 0
	}
	return k.use(b, &stored, seq, now, epoch)
}

// Reload reads all levels of one entity and resource in one batch, consistently, whatever is in memory. It checks the namespace.
func (k *Charger) Reload(ctx context.Context, b *State, now int64) (*Config, error) {
	return k.reload(ctx, b, now, true)
}

// reload is Reload. With a lock of a queue held it must not check the namespace: to register that ends queues.
func (k *Charger) reload(ctx context.Context, b *State, now int64, check bool) (*Config, error) {
	epoch := b.epoch.Load()
	stored, seq, err := k.Follow.Reload(ctx, b.ID.Entity, b.ID.Resource, now, check)
	if err != nil {
		return nil, err
	}
	return k.use(b, &stored, seq, now, epoch)
}

// use makes the stored configuration that of the bucket. read is when all of it was read at once, 0 if it was not.
func (k *Charger) use(b *State, stored *follow.Config, seq uint64, read int64, epoch uint32) (*Config, error) {
	e := &stored.Entity
	found := Config{Level: stored.Level, exists: e.Exists, version: e.Version, Parent: e.Parent, policy: uint32(stored.Policy)}
	if stored.Limits != "" {
		var err error
		if found.Stored, err = k.LimitSets.Get(stored.Limits); err != nil {
			return nil, store.Failure(context.Background(), err)
		}
	}
	c := b.Config.Load()
	if c == nil || *c != found {
		if err := k.checkParent(b, found.Parent); err != nil {
			return nil, err
		}
		c = k.configs.share(found)
		k.reportLarge(b, c.Stored)
	}
	if b.store(c, seq, read, epoch) && !b.dropped.Load() {
		k.Policy.Store(c.policy)
	}
	return c, nil
}

// checkParent returns what is wrong with the parent in an entity's record. The request is not to blame for it.
func (k *Charger) checkParent(b *State, parent string) error {
	if parent == "" {
		return nil
	}
	if err := k.CheckID(parent, b.ID.Resource); err != nil {
		return fmt.Errorf("%w: the record of entity %q names the parent %q, which no entity can have as its name", store.ErrSchema, b.ID.Entity, parent)
	}
	return nil
}

// KnownConfig returns the configuration of a bucket as it is in memory, however old; nil if it is not.
func (k *Charger) KnownConfig(b *State, now int64) (*Config, error) {
	if conf := b.Config.Load(); conf != nil {
		return conf, nil
	}
	epoch := b.epoch.Load()
	stored, seq, age := k.Follow.Get(b.ID.Entity, b.ID.Resource, now)
	if age == follow.Unknown {
		return nil, nil
	}
	return k.use(b, &stored, seq, 0, epoch)
}
