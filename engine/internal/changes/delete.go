package changes

import (
	"context"
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// The most that is deleted in the commit that deletes an entity's record. If there is more, that commit begins a deletion,
// and what the entity owns is deleted after it, page by page.
const (
	maxLimitsAtOnce  = 12 // each has an event of its own
	maxBucketsAtOnce = 40
)

// maxChildrenAtOnce is how many children are listed at once to be moved.
const maxChildrenAtOnce = 100

// Delete deletes an entity with its limits, its buckets and its usage. It returns ErrEntityNotFound if there is nothing of
// it, and ErrHasChildren if it is another's parent, unless forced. A deletion that was interrupted goes on.
func (a *Admin) Delete(ctx context.Context, id string, force bool) error {
	defer a.Forget(ID{Kind: KindEntity, Entity: id})
	return a.Retry(ctx, func(now int64) error { return a.deleteEntity(ctx, id, force, now) })
}

func (a *Admin) deleteEntity(ctx context.Context, id string, force bool, now int64) error {
	setting := ID{Kind: KindEntity, Entity: id}
	key, _ := setting.record(a.Namespace)
	mark := requireNoDeletion(a.Namespace, id)
	out, err := a.Store.Read(ctx, []backend.Key{key, mark.Key, schema.Adoption(a.Namespace, id)})
	if err != nil {
		return err
	}
	if out[1].Present() {
		return a.finishDeletion(ctx, id, out[1].Int64(schema.MarkAt), now)
	}
	owned, err := a.ownedRecords(ctx, id, now)
	if err != nil {
		return err
	}
	if !out[0].Present() && owned.empty() {
		return fmt.Errorf("%w: %q", ErrEntityNotFound, id)
	}
	if err := a.detachChildren(ctx, id, force, now); err != nil {
		return err
	}
	before, err := settingOf(setting, &out[0])
	if err != nil {
		return err
	}
	record := &Change{Before: before, After: Setting{ID: setting}, adoptions: &out[2]}
	if owned.more {
		mark.Effects = []backend.Effect{setNum(schema.MarkAt, now)}
		if err := a.commitDeletion(ctx, []*Change{record}, now, mark); err != nil {
			return err
		}
		return a.finishDeletion(ctx, id, now, now)
	}
	if err := a.commitDeletion(ctx, append(owned.limits, record), now, append(owned.buckets, mark)...); err != nil {
		return err
	}
	// The index may not have listed all buckets yet.
	_, err = a.deleteListed(ctx, a.BucketsOf(id), bucketDeletion, now, func() (bool, error) { return true, nil })
	return err
}

// commitDeletion commits deletions of settings, which must fit into one commit, together with other writes.
func (a *Admin) commitDeletion(ctx context.Context, deletions []*Change, now int64, others ...backend.Write) error {
	a.look(ctx, now)
	writes, _, err := a.packChanges(deletions, nil, now)
	if err != nil {
		return err
	}
	return a.commit(ctx, now, append(others, writes...))
}

// detachChildren takes the parent from the entity's children, or returns ErrHasChildren unless forced. Children that kept
// the id of a parent without a record would get a parent again if somebody created an entity of that name.
func (a *Admin) detachChildren(ctx context.Context, id string, force bool, now int64) error {
	detached := 0
	for {
		children, _, err := a.children(ctx, id, store.Range{Size: maxChildrenAtOnce, Now: now})
		if err != nil {
			return err
		}
		if len(children) == 0 {
			return a.tellOfMany(ctx, detached)
		}
		if !force {
			return fmt.Errorf("%w: %q", ErrHasChildren, id)
		}
		for _, child := range children {
			err := a.tryChange(ctx, ID{Kind: KindEntity, Entity: child.ID}, false, now, func(c *Change) error {
				if c.After.Record.Parent == id {
					c.After.Record.Parent = ""
				}
				return nil
			})
			if err != nil {
				return err
			}
			detached++
		}
	}
}

// ownedRecords is what an entity owns besides its record; more if it is too much for one commit.
type ownedRecords struct {
	limits  []*Change // their deletion
	buckets []backend.Write
	more    bool
}

func (o *ownedRecords) empty() bool { return len(o.limits) == 0 && len(o.buckets) == 0 && !o.more }

func (a *Admin) ownedRecords(ctx context.Context, id string, now int64) (owned ownedRecords, err error) {
	unreadable := func(backend.Key) { owned.more = true } // no condition of a commit can judge it
	var moreLimits, moreBuckets string
	page := func(size int) store.Range { return store.Range{Size: size, Now: now} }
	owned.limits, moreLimits, err = store.Walk(ctx, a.Store, a.LimitsOf(id).OnUnreadable(unreadable), page(maxLimitsAtOnce), limitsDeletion)
	if err != nil {
		return owned, err
	}
	owned.buckets, moreBuckets, err = store.Walk(ctx, a.Store, a.BucketsOf(id).OnUnreadable(unreadable), page(maxBucketsAtOnce), bucketDeletion)
	if err != nil {
		return owned, err
	}
	usage, _, err := store.Walk(ctx, a.Store, a.usageOf(id).OnUnreadable(unreadable), page(1), usageDeletion)
	owned.more = owned.more || moreLimits != "" || moreBuckets != "" || len(usage) > 0
	return owned, err
}

// limitsDeletion deletes an entity's limits as they were read.
func limitsDeletion(it backend.Item, r *backend.Record) (*Change, bool, error) {
	id, _ := idAt(it.Key)
	before, err := settingOf(id, r)
	return &Change{Before: before, After: Setting{ID: id}}, r.Present(), err
}

// bucketDeletion deletes the bucket that was read, not one created since.
func bucketDeletion(it backend.Item, r *backend.Record) (backend.Write, bool, error) {
	return deleteUnchanged(it.Key, r, schema.Born), r.Present(), nil
}

// usageDeletion deletes the snapshot that was read; one that has grown or was created since is listed again.
func usageDeletion(it backend.Item, r *backend.Record) (backend.Write, bool, error) {
	return deleteUnchanged(it.Key, r, schema.UsageVer), r.Present(), nil
}

// finishDeletion deletes everything that an entity owns whose deletion mark was set at that instant, and then the mark.
// Somebody else may finish first, and the entity may be created again and even be deleted again: so nothing is deleted
// unless that very mark is there. It returns a *backend.ConflictError if the mark is gone.
func (a *Admin) finishDeletion(ctx context.Context, id string, marked, now int64) error {
	defer a.Forget(ID{Kind: KindEntity, Entity: id})
	mark := requireNoDeletion(a.Namespace, id)
	mark.Conds[0] = backend.Cond{Slot: schema.MarkAt, Op: backend.Equal, A: backend.Int(marked)}
	goesOn := func() (bool, error) {
		r, err := a.Store.ReadOne(ctx, mark.Key)
		return err == nil && r.Present() && r.Int64(schema.MarkAt) == marked, err
	}
	if finished, err := a.deleteLimitsOf(ctx, id, mark, goesOn, now); err != nil || !finished {
		return err
	}
	if finished, err := a.deleteListed(ctx, a.BucketsOf(id), bucketDeletion, now, goesOn); err != nil || !finished {
		return err
	}
	if finished, err := a.deleteListed(ctx, a.usageOf(id), usageDeletion, now, goesOn); err != nil || !finished {
		return err
	}
	mark.Remove = true
	return a.Store.ApplyAll(ctx, []backend.Write{mark})
}

// deleteLimitsOf deletes an entity's limits in commits that demand its deletion mark, with an event for each resource.
// Those that cannot be read are deleted without an event, if goesOn is true after they were listed.
func (a *Admin) deleteLimitsOf(ctx context.Context, id string, mark backend.Write, goesOn func() (bool, error), now int64) (finished bool, err error) {
	for deleted := 0; ; {
		var unreadable []backend.Write
		of := a.LimitsOf(id).OnUnreadable(func(k backend.Key) { unreadable = append(unreadable, deleteAny(k)) })
		deletions, _, err := store.Walk(ctx, a.Store, of, store.Range{Size: maxLimitsAtOnce, Now: now}, limitsDeletion)
		if err != nil {
			return false, err
		}
		if len(deletions) == 0 {
			if len(unreadable) == 0 {
				return true, a.tellOfMany(ctx, deleted)
			}
			if on, err := goesOn(); err != nil || !on {
				return false, err
			}
			return true, errors.Join(a.Store.ApplyAll(ctx, unreadable), a.tellOfMany(ctx, deleted))
		}
		if err := a.commitDeletion(ctx, deletions, now, mark); err != nil {
			return false, err
		}
		deleted += len(deletions)
	}
}

// deleteListed deletes what is listed, also what cannot be read, until nothing is listed. It stops if goesOn is false after
// a page was listed.
func (a *Admin) deleteListed(
	ctx context.Context, of store.Listing, deletion func(backend.Item, *backend.Record) (backend.Write, bool, error), now int64, goesOn func() (bool, error),
) (finished bool, err error) {
	for {
		var unreadable []backend.Write
		of := of.OnUnreadable(func(k backend.Key) { unreadable = append(unreadable, deleteAny(k)) })
		deletions, _, err := store.Walk(ctx, a.Store, of, store.Range{Size: backend.MaxPage, Now: now}, deletion)
		if err != nil || len(deletions)+len(unreadable) == 0 {
			return err == nil, err
		}
		if on, err := goesOn(); err != nil || !on {
			return false, err
		}
		if err := a.Store.ApplyAll(ctx, append(deletions, unreadable...)); err != nil {
			return false, err
		}
	}
}
