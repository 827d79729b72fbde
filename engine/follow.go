package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/follow"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// longestLook ends a look that Options.Timeout does not end.
const longestLook = time.Minute

// followOptions let the follower read the store, and tell the observer and the log what it finds.
func (l *Limiter) followOptions() follow.Options {
	o := follow.Options{
		Store: l.store, Namespace: l.opts.Namespace, Interval: l.opts.FollowInterval, TTL: l.opts.ConfigTTL, Size: l.opts.CacheSize,
		CheckKeys: l.namespaceCheckKeys, Check: l.checkNamespaceRecords,
		Share: l.shareLimits, OnChange: l.configChanged, OnAhead: l.reportEventAhead, OnFailure: l.reportLook, OnUnusable: l.reportNoLooks,
		Patience: l.opts.Timeout / 2,
		Go: func(look func(context.Context)) bool {
			return l.work.Go(func(ctx context.Context) {
				ctx, cancel := context.WithTimeout(store.Aside(ctx), longestLook)
				defer cancel()
				look(ctx)
			})
		},
	}
	if l.store.Capabilities().NoIO { // a goroutine would cost more than the look
		o.Go = func(look func(context.Context)) bool {
			look(l.work.Context())
			return true
		}
	}
	return o
}

// shareLimits returns the text that the cached limit set has, so that equal limits are in memory once.
func (l *Limiter) shareLimits(packed string) string {
	if s, err := l.charger.LimitSets.Get(packed); err == nil {
		return s.Text
	}
	return packed // whoever uses it gets the error
}

// Refresh makes this limiter use all changes of the configuration that were made before the call, by any process. Without it,
// they are used about Options.FollowInterval later. It drops all configuration from memory, so that it is read again. It
// returns ErrNamespaceNotFound if the limiter's namespace was deleted, and ErrClosed.
func (l *Limiter) Refresh(ctx context.Context) error {
	if l.store.Closed() {
		return ErrClosed
	}
	now, err := l.now()
	if err != nil {
		return err
	}
	ctx, cancel := l.store.Budget(ctx)
	defer cancel()
	return l.follow.Refresh(ctx, now)
}

// forget lets the next acquires of entities and resources that settings affect read their configuration and bucket again,
// instead of deciding from memory.
func (l *Limiter) forget(ids ...changes.ID) {
	changed := make([]follow.Change, len(ids))
	for i, id := range ids {
		switch id.Kind {
		case changes.KindSystem:
			changed[i] = follow.Change{Kind: follow.SystemChanged}
		case changes.KindResource:
			changed[i] = follow.Change{Kind: follow.ResourceChanged, Name: id.Resource}
		default:
			changed[i] = follow.Change{Kind: follow.EntityChanged, Name: id.Entity}
		}
	}
	l.follow.Changed(changed...) // first, so that nobody finds there what the cache forgets
	l.forgetBuckets(ids...)
}

// forgetBuckets lets the next acquires of entities and resources that settings affect read their bucket again.
func (l *Limiter) forgetBuckets(ids ...changes.ID) {
	affected := func(b *charge.State) bool {
		return slices.ContainsFunc(ids, func(id changes.ID) bool { return id.Affects(b.ID.Entity, b.ID.Resource) })
	}
	l.charger.States.Forget(affected)
	l.queues.Retire(affected)
}

// configChanged is called for each change by another process that a look finds.
func (l *Limiter) configChanged(c follow.Change) {
	e := Event{Kind: EventConfigChanged}
	switch c.Kind {
	case follow.EntityChanged:
		e.Entity = c.Name
	case follow.ResourceChanged:
		e.Resource = c.Name
	}
	l.observe(e)
}

// reportLook reports that looking for changes has failed.
func (l *Limiter) reportLook(ctx context.Context, err error) {
	if ctx.Err() == nil && !errors.Is(err, ErrClosed) {
		l.observe(Event{Kind: EventRefresh, Err: err})
	}
}

// reportNoLooks tells the operator that changes are seen late.
func (l *Limiter) reportNoLooks(ctx context.Context, err error) {
	l.opts.Logger.WarnContext(ctx,
		"limiter: looking for changes of the configuration fails, so those of other processes are seen only after Options.ConfigTTL",
		"namespace", l.opts.Namespace, "ttl", l.opts.ConfigTTL, "error", err)
}

// reportEventAhead tells the operator of an audit event of a clock that is far ahead.
func (l *Limiter) reportEventAhead(id string, ahead time.Duration) {
	l.observe(Event{Kind: EventClockAhead, Ahead: ahead})
	l.opts.Logger.WarnContext(l.work.Context(), "limiter: an audit event was written by a clock that is ahead of this one; set the writer's by a time service",
		"namespace", l.opts.Namespace, "event", id, "ahead", ahead)
}
