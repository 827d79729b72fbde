package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// run makes the changes of a stage: short lanes together in commits, several commits at a time. A first error lets what is
// under way end, and nothing begin.
func (a *application) run(ctx context.Context, lanes []lane) error {
	var (
		group  errgroup.Group
		failed atomic.Bool
	)
	group.SetLimit(a.l.lanes())
	for _, work := range a.bundle(lanes) {
		group.Go(func() error {
			for lost := 0; len(work) > 0 && !failed.Load(); {
				left, err := a.some(ctx, work)
				switch {
				case err == nil:
					work, lost = left, 0
				case errors.Is(err, errRestart) && lost < mostLost:
					lost++
				default:
					failed.Store(true)
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// bundle joins lanes as far as all of them fit into one commit, so that few commits do.
func (a *application) bundle(lanes []lane) (bundles []lane) {
	room := 0
	for _, some := range lanes {
		weight := a.mostWrites(some)
		if weight > room {
			bundles, room = append(bundles, nil), backend.MaxCommit
		}
		last := &bundles[len(bundles)-1]
		*last, room = append(*last, some...), room-weight
	}
	return bundles
}

// some makes the first changes of work in one commit, and gives those that are left. After a lost race it made none, and
// its error is errRestart; what is stale is not left.
func (a *application) some(ctx context.Context, work lane) (left lane, err error) {
	if err := ctx.Err(); err != nil {
		return work, err
	}
	now, err := a.l.now()
	if err != nil {
		return work, err
	}
	b := batch{owners: map[backend.Key][]*SettingChange{}}
	for _, c := range work {
		r, err := a.revise(c, now)
		if err != nil {
			return work, err
		}
		told, err := a.l.audit(now, &r.event)
		if err != nil {
			return work, err
		}
		if !b.add(&r, told) {
			break
		}
	}
	err = a.l.commit(ctx, b.writes, b.writes[len(b.writes)-1].Key)
	if conflict := (*backend.ConflictError)(nil); errors.As(err, &conflict) {
		return a.lost(ctx, work, b.owners[conflict.Key], conflict, now)
	}
	a.forget(b.revisions) // also where it may have happened only
	if err != nil {
		return work, err
	}
	for i := range b.revisions {
		r := &b.revisions[i]
		switch after := &r.change.After; {
		case after.ID.Kind == SettingSystem:
			a.l.policy.Store(uint32(after.OnUnavailable))
		case after.ID.Kind == SettingEntity && after.Exists:
			a.family.changed(after.ID.Entity, r.ver)
		}
	}
	a.convert(ctx, b.revisions)
	a.made(len(b.revisions), nil)
	return work[len(b.revisions):], nil
}

// lost deals with a commit that was refused: changes of what is not as it was read are given up. A deletion that somebody
// began is brought to its end.
func (a *application) lost(ctx context.Context, work lane, owners []*SettingChange, conflict *backend.ConflictError, now int64) (lane, error) {
	if len(owners) > 0 && conflict.Key == schema.Deletion(a.l.opts.Namespace, owners[0].After.ID.Entity) {
		err := a.l.finishDeletion(ctx, owners[0].After.ID.Entity, conflict.Record.Int64(schema.MarkAt), now)
		if err == nil || errors.Is(err, backend.ErrConflict) {
			err = fmt.Errorf("%w: %w", errRestart, ErrContention)
		}
		return work, err
	}
	if len(owners) == 0 { // an event's key cannot be there: a store that says so is broken
		return work, conflict
	}
	a.made(len(owners), owners)
	return slices.DeleteFunc(slices.Clone(work), func(c *SettingChange) bool { return slices.Contains(owners, c) }), nil
}

// batch is one commit in the making.
type batch struct {
	revisions []revision
	writes    []backend.Write
	bytes     int
	owners    map[backend.Key][]*SettingChange // of each record in writes
}

// add puts a revision and its event into the commit; false where that is full.
func (b *batch) add(r *revision, told backend.Write) bool {
	var fresh []backend.Write
	bytes := 0
	for _, w := range append(slices.Clone(r.writes), told) {
		if b.owners[w.Key] == nil {
			fresh = append(fresh, w)
		}
		for i := range w.Effects {
			bytes += len(w.Effects[i].Text)
		}
	}
	full := len(b.writes)+len(fresh) > backend.MaxCommit || b.bytes+bytes > backend.MaxCommitBytes
	if full && len(b.writes) > 0 {
		return false
	}
	for _, w := range r.writes {
		b.owners[w.Key] = append(b.owners[w.Key], r.change)
	}
	b.revisions, b.writes, b.bytes = append(b.revisions, *r), append(b.writes, fresh...), b.bytes+bytes
	return true
}

// forget makes this process know of the changes at once.
func (a *application) forget(revisions []revision) {
	all, entities, resources := false, map[string]bool{}, map[string]bool{}
	for i := range revisions {
		switch id := revisions[i].change.After.ID; id.Kind {
		case SettingSystem:
			all = true
		case SettingResource:
			resources[id.Resource] = true
		default:
			entities[id.Entity] = true
		}
	}
	a.l.buckets.forget(func(h *handle) bool { return all || entities[h.id.entity] || resources[h.id.resource] })
}

// convert converts the buckets that are there of those for which limits were set. Failing is not worth an error: acquires
// convert, too.
func (a *application) convert(ctx context.Context, revisions []revision) {
	l := a.l
	var ids []SettingID
	var keys []backend.Key
	for i := range revisions {
		c := revisions[i].change
		if id := c.After.ID; id.Kind == SettingLimits && id.Resource != "" && c.After.Exists && !c.After.SameContent(&c.Before) {
			key, _ := schema.Bucket(l.opts.Namespace, id.Entity, id.Resource)
			ids, keys = append(ids, id), append(keys, key)
		}
	}
	if len(keys) == 0 {
		return
	}
	out, err := l.read(ctx, keys)
	for i := range out {
		if out[i].Present() {
			err = errors.Join(err, l.convertLive(ctx, ids[i].Entity, ids[i].Resource))
		}
	}
	if err != nil && !errors.Is(err, ErrNoLimits) {
		l.warn(ctx, l.clock.now(), "limiter: limits are stored, buckets will be converted at their next acquire", "error", err)
	}
}

// made counts changes that are made, or given up as stale.
func (a *application) made(n int, stale []*SettingChange) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.done += n
	for _, c := range stale {
		a.stale = append(a.stale, c.After.ID.String())
	}
	if a.progress != nil {
		a.progress(a.done)
	}
}
