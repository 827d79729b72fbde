package engine

import (
	"context"
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

// DeleteOptions are options of DeleteEntity; nil means their zero values.
type DeleteOptions struct {
	Force bool // children lose their parent instead of preventing the deletion
}

// DeleteEntity deletes an entity with its limits, its buckets and its usage. It returns ErrEntityNotFound if there is
// nothing of it, and ErrHasChildren if it is another's parent, unless forced. A deletion that was interrupted goes on when
// it is called again, and before the entity is created or configured again. Audited as entity_deleted, with a
// limits_deleted for each resource that it had limits for, and an entity_updated for each child.
func (l *Limiter) DeleteEntity(ctx context.Context, id string, o *DeleteOptions) error {
	if err := checkEntity(id); err != nil {
		return err
	}
	defer l.forget(SettingID{Kind: SettingEntity, Entity: id}.affects)
	force := o != nil && o.Force
	return l.administer(ctx, func(now int64) error { return l.deleteEntity(ctx, id, force, now) })
}

func (l *Limiter) deleteEntity(ctx context.Context, id string, force bool, now int64) error {
	setting := SettingID{Kind: SettingEntity, Entity: id}
	key, _ := setting.record(l.opts.Namespace)
	mark := requireNoDeletion(l.opts.Namespace, id)
	out, err := l.store.Read(ctx, []backend.Key{key, mark.Key, schema.Adoption(l.opts.Namespace, id)})
	if err != nil {
		return err
	}
	if out[1].Present() {
		return l.finishDeletion(ctx, id, out[1].Int64(schema.MarkAt), now)
	}
	owned, err := l.ownedRecords(ctx, id)
	if err != nil {
		return err
	}
	if !out[0].Present() && owned.empty() {
		return fmt.Errorf("%w: %q", ErrEntityNotFound, id)
	}
	if err := l.detachChildren(ctx, id, force, now); err != nil {
		return err
	}
	before, err := settingOf(setting, &out[0])
	if err != nil {
		return err
	}
	record := &change{before: before, after: Setting{ID: setting}, adoptions: &out[2]}
	if owned.more {
		mark.Effects = []backend.Effect{setNum(schema.MarkAt, now)}
		if err := l.commitDeletion(ctx, []*change{record}, now, mark); err != nil {
			return err
		}
		return l.finishDeletion(ctx, id, now, now)
	}
	if err := l.commitDeletion(ctx, append(owned.limits, record), now, append(owned.buckets, mark)...); err != nil {
		return err
	}
	// The index may not have listed all buckets yet.
	_, err = l.deleteListed(ctx, l.bucketListing(id), bucketDeletion, func() (bool, error) { return true, nil })
	return err
}

// commitDeletion commits deletions of settings, which must fit into one commit, together with other writes.
func (l *Limiter) commitDeletion(ctx context.Context, deletions []*change, now int64, others ...backend.Write) error {
	writes, _, err := l.packChanges(deletions, nil, now)
	if err != nil {
		return err
	}
	return l.store.Commit(ctx, append(others, writes...), writes[len(writes)-1].Key)
}

// detachChildren takes the parent from the entity's children, or returns ErrHasChildren unless forced. Children that kept
// the id of a parent without a record would get a parent again if somebody created an entity of that name.
func (l *Limiter) detachChildren(ctx context.Context, id string, force bool, now int64) error {
	for {
		children, err := l.children(ctx, id, Page{})
		if err != nil || len(children.Items) == 0 {
			return err
		}
		if !force {
			return fmt.Errorf("%w: %q", ErrHasChildren, id)
		}
		for _, child := range children.Items {
			err := l.tryChange(ctx, SettingID{Kind: SettingEntity, Entity: child.ID}, false, now, func(c *change) error {
				if c.after.Record.Parent == id {
					c.after.Record.Parent = ""
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
}

// ownedRecords is what an entity owns besides its record; more if it is too much for one commit.
type ownedRecords struct {
	limits  []*change // their deletion
	buckets []backend.Write
	more    bool
}

func (o *ownedRecords) empty() bool { return len(o.limits) == 0 && len(o.buckets) == 0 && !o.more }

func (l *Limiter) ownedRecords(ctx context.Context, id string) (owned ownedRecords, err error) {
	unreadable := func(backend.Key) { owned.more = true } // no condition of a commit can judge it
	limits, err := walk(ctx, l, Page{Size: maxLimitsAtOnce}, l.limitsListing(id).OnUnreadable(unreadable), limitsDeletion)
	if err != nil {
		return owned, err
	}
	buckets, err := walk(ctx, l, Page{Size: maxBucketsAtOnce}, l.bucketListing(id).OnUnreadable(unreadable), bucketDeletion)
	if err != nil {
		return owned, err
	}
	usage, err := walk(ctx, l, Page{Size: 1}, l.usageListing(id).OnUnreadable(unreadable), usageDeletion)
	owned.limits, owned.buckets = limits.Items, buckets.Items
	owned.more = owned.more || limits.Next != "" || buckets.Next != "" || len(usage.Items) > 0
	return owned, err
}

func (l *Limiter) limitsListing(id string) store.Listing {
	s := store.Listing{Query: backend.Query{Namespace: l.opts.Namespace, Partition: schema.EntityPartition(id)}}
	s.Query.From, s.Query.To = schema.LimitsRange()
	return s
}

func (l *Limiter) bucketListing(id string) store.Listing {
	return store.Listing{Query: backend.Query{Namespace: l.opts.Namespace, Partition: schema.EntityPartition(id), Index: true}}
}

func (l *Limiter) usageListing(id string) store.Listing {
	return store.Listing{Query: backend.Query{Namespace: l.opts.Namespace, Partition: schema.UsagePartition(id)}}
}

// limitsDeletion deletes an entity's limits as they were read.
func limitsDeletion(it backend.Item, r *backend.Record) (*change, bool, error) {
	id, _ := settingAt(it.Key)
	before, err := settingOf(id, r)
	return &change{before: before, after: Setting{ID: id}}, r.Present(), err
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
func (l *Limiter) finishDeletion(ctx context.Context, id string, marked, now int64) error {
	defer l.forget(SettingID{Kind: SettingEntity, Entity: id}.affects)
	mark := requireNoDeletion(l.opts.Namespace, id)
	mark.Conds[0] = backend.Cond{Slot: schema.MarkAt, Op: backend.Equal, A: backend.Int(marked)}
	goesOn := func() (bool, error) {
		r, err := l.store.ReadOne(ctx, mark.Key)
		return err == nil && r.Present() && r.Int64(schema.MarkAt) == marked, err
	}
	if finished, err := l.deleteLimitsOf(ctx, id, mark, goesOn, now); err != nil || !finished {
		return err
	}
	if finished, err := l.deleteListed(ctx, l.bucketListing(id), bucketDeletion, goesOn); err != nil || !finished {
		return err
	}
	if finished, err := l.deleteListed(ctx, l.usageListing(id), usageDeletion, goesOn); err != nil || !finished {
		return err
	}
	mark.Remove = true
	return l.store.ApplyAll(ctx, []backend.Write{mark})
}

// deleteLimitsOf deletes an entity's limits in commits that demand its deletion mark, with an event for each resource.
// Those that cannot be read are deleted without an event, if goesOn is true after they were listed.
func (l *Limiter) deleteLimitsOf(ctx context.Context, id string, mark backend.Write, goesOn func() (bool, error), now int64) (finished bool, err error) {
	for {
		var unreadable []backend.Write
		of := l.limitsListing(id).OnUnreadable(func(k backend.Key) { unreadable = append(unreadable, deleteAny(k)) })
		page, err := walk(ctx, l, Page{Size: maxLimitsAtOnce}, of, limitsDeletion)
		if err != nil {
			return false, err
		}
		if len(page.Items) == 0 {
			if len(unreadable) == 0 {
				return true, nil
			}
			if on, err := goesOn(); err != nil || !on {
				return false, err
			}
			return true, l.store.ApplyAll(ctx, unreadable)
		}
		if err := l.commitDeletion(ctx, page.Items, now, mark); err != nil {
			return false, err
		}
	}
}

// deleteListed deletes what is listed, also what cannot be read, until nothing is listed. It stops if goesOn is false after
// a page was listed.
func (l *Limiter) deleteListed(
	ctx context.Context, of store.Listing, deletion func(backend.Item, *backend.Record) (backend.Write, bool, error), goesOn func() (bool, error),
) (finished bool, err error) {
	for {
		var unreadable []backend.Write
		of := of.OnUnreadable(func(k backend.Key) { unreadable = append(unreadable, deleteAny(k)) })
		page, err := walk(ctx, l, Page{Size: backend.MaxPage}, of, deletion)
		if err != nil || len(page.Items)+len(unreadable) == 0 {
			return err == nil, err
		}
		if on, err := goesOn(); err != nil || !on {
			return false, err
		}
		if err := l.store.ApplyAll(ctx, append(page.Items, unreadable...)); err != nil {
			return false, err
		}
	}
}
