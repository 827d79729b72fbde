package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// What of an entity goes in the commit that removes it. Of limits, with an event for each, and of buckets that are more,
// all go after it, page by page; and so does its usage.
const (
	fewLimits  = 12
	fewBuckets = 40
)

// DeleteOptions tell how an entity is deleted; nil is fine.
type DeleteOptions struct {
	Force bool // children lose their parent instead of preventing the deletion
}

// DeleteEntity removes an entity, its limits, its buckets and its usage. ErrEntityNotFound where there is nothing of it;
// ErrHasChildren where it is some other's parent, unless forced. A deletion that was interrupted goes on when it is asked for
// again, or when the entity is made or configured anew. Audited as entity_deleted, beside a limits_deleted for each
// list of its limits, and an entity_updated for each child.
func (l *Limiter) DeleteEntity(ctx context.Context, id string, o *DeleteOptions) error {
	if err := checkEntity(id); err != nil {
		return err
	}
	defer l.forgetEntity(id)
	force := o != nil && o.Force
	return l.admitted(ctx, func(now int64) error { return l.deleteEntity(ctx, id, force, now) })
}

func (l *Limiter) deleteEntity(ctx context.Context, id string, force bool, now int64) error {
	key, _ := schema.Entity(l.opts.Namespace, id)
	guard := unmarked(l.opts.Namespace, id)
	out, err := l.read(ctx, []backend.Key{key, guard.Key, schema.Adoption(l.opts.Namespace, id)})
	if err != nil {
		return err
	}
	if out[1].Present() {
		return l.finishDeletion(ctx, id, out[1].Int64(schema.MarkAt), now)
	}
	has, err := l.estateOf(ctx, id)
	if err != nil {
		return err
	}
	if !out[0].Present() && has.empty() {
		return fmt.Errorf("%w: %q", ErrEntityNotFound, id)
	}
	if err := l.emancipate(ctx, id, force, now); err != nil {
		return err
	}
	writes, e, err := l.farewell(id, key, &out[0])
	if err != nil {
		return err
	}
	writes = append(writes, unadopted(l.opts.Namespace, id, &out[2]))
	if has.more {
		if err := l.commitAudited(ctx, now, e, append(writes, mark(guard, now))...); err != nil {
			return err
		}
		return l.finishDeletion(ctx, id, now, now)
	}
	for i := range has.limits {
		removed, err := l.disinherit(id, &has.limits[i], now)
		if err != nil {
			return err
		}
		writes = append(writes, removed...)
	}
	writes = append(writes, has.buckets...)
	if err := l.commitAudited(ctx, now, e, append(writes, guard)...); err != nil {
		return err
	}
	// Those that the index did not show yet.
	_, err = l.removeListed(ctx, l.bucketsOf(id), goneBucket, func() (bool, error) { return true, nil })
	return err
}

// farewell gives the writes and the event of an entity's end: its record, if it has one, and its parent's mark of it.
func (l *Limiter) farewell(id string, key backend.Key, r *backend.Record) ([]backend.Write, event, error) {
	w, e := holds(key, r, schema.EntityVer), event{action: actionEntityDeleted, entity: id}
	if !r.Present() {
		return []backend.Write{w}, e, nil
	}
	before, err := entityOf(id, r)
	if err != nil {
		return nil, e, err
	}
	w.Remove, e.before = true, before.document()
	manifest, _ := r.Text(schema.EntityManifest)
	writes := append(l.unmanaged(manifest, key), w)
	if before.Parent != "" {
		writes = append(writes, backend.Write{Key: schema.Child(l.opts.Namespace, before.Parent, id), Layout: schema.MarkLayout, Remove: true})
	}
	return writes, e, nil
}

// emancipate takes the parent from the entity's children, or refuses where there are any.
func (l *Limiter) emancipate(ctx context.Context, id string, force bool, now int64) error {
	for {
		children, err := l.children(ctx, id, Page{})
		if err != nil || len(children.Items) == 0 {
			return err
		}
		if !force {
			return fmt.Errorf("%w: %q", ErrHasChildren, id)
		}
		for _, child := range children.Items {
			_, err := l.updateEntity(ctx, child.ID, true, now, func(e *Entity) {
				if e.Parent == id {
					e.Parent = ""
				}
			})
			if err != nil && !errors.Is(err, ErrEntityNotFound) {
				return err
			}
		}
	}
}

// estate is what belongs to an entity besides its record: more where it is too much for one commit.
type estate struct {
	limits  []stored
	buckets []backend.Write // their removal
	more    bool
}

// stored is a list of limits of an entity.
type stored struct {
	resource string
	record   backend.Record
}

func (e *estate) empty() bool { return len(e.limits) == 0 && len(e.buckets) == 0 && !e.more }

func (l *Limiter) estateOf(ctx context.Context, id string) (has estate, err error) {
	odd := func(backend.Key) { has.more = true } // which no condition of a commit can judge
	limits, err := walk(ctx, l, Page{Size: fewLimits}, l.limitsOf(id).with(odd), l.storedOf)
	if err != nil {
		return has, err
	}
	buckets, err := walk(ctx, l, Page{Size: fewBuckets}, l.bucketsOf(id).with(odd), goneBucket)
	if err != nil {
		return has, err
	}
	usage, err := walk(ctx, l, Page{Size: 1}, l.usageOf(id).with(odd), goneUsage)
	has.limits, has.buckets = limits.Items, buckets.Items
	has.more = has.more || limits.Next != "" || buckets.Next != "" || len(usage.Items) > 0
	return has, err
}

func (l *Limiter) limitsOf(id string) listing {
	s := listing{query: backend.Query{Namespace: l.opts.Namespace, Partition: schema.EntityPartition(id)}}
	s.query.From, s.query.To = schema.LimitsRange()
	return s
}

func (l *Limiter) bucketsOf(id string) listing {
	return listing{query: backend.Query{Namespace: l.opts.Namespace, Partition: schema.EntityPartition(id), Index: true}}
}

func (l *Limiter) usageOf(id string) listing {
	return listing{query: backend.Query{Namespace: l.opts.Namespace, Partition: schema.UsagePartition(id)}}
}

// with is the listing whose records that cannot be read are given to odd.
func (s listing) with(odd func(backend.Key)) listing {
	s.odd = odd
	return s
}

// storedOf reads limits, which their event tells.
func (l *Limiter) storedOf(it backend.Item, r *backend.Record) (stored, bool, error) {
	_, err := l.configOf(r)
	return stored{schema.ResourceOf(it.Key), *r}, r.Present(), err
}

// goneBucket removes the bucket that was seen, not one made since.
func goneBucket(it backend.Item, r *backend.Record) (backend.Write, bool, error) {
	w := holds(it.Key, r, schema.Born)
	w.Remove = true
	return w, r.Present(), nil
}

// goneUsage removes the snapshot that was seen, not one made since; one that has grown is seen again.
func goneUsage(it backend.Item, r *backend.Record) (backend.Write, bool, error) {
	w := holds(it.Key, r, schema.UsageVer)
	w.Remove = true
	return w, r.Present(), nil
}

// disinherit gives the writes that remove a list of limits of an entity, its event the last.
func (l *Limiter) disinherit(id string, s *stored, now int64) ([]backend.Write, error) {
	writes, e, err := l.removal(l.entitySite(id, s.resource), &s.record)
	if err != nil {
		return nil, err
	}
	told, err := l.audit(now, &e)
	return append(writes, told), err
}

// finishDeletion removes what an entity that was marked at that instant has left, and the mark. Whoever else does the
// same may be done first, and the entity be made anew, and perhaps be deleted once more: so nothing is removed but while
// that very mark is there. A *backend.ConflictError tells that it went.
func (l *Limiter) finishDeletion(ctx context.Context, id string, marked, now int64) error {
	defer l.forgetEntity(id)
	guard := unmarked(l.opts.Namespace, id)
	guard.Conds[0] = backend.Cond{Slot: schema.MarkAt, Op: backend.Equal, A: backend.Int(marked)}
	going := func() (bool, error) {
		r, err := l.readOne(ctx, guard.Key)
		return err == nil && r.Present() && r.Int64(schema.MarkAt) == marked, err
	}
	if still, err := l.removeLimits(ctx, id, guard, going, now); err != nil || !still {
		return err
	}
	if still, err := l.removeListed(ctx, l.bucketsOf(id), goneBucket, going); err != nil || !still {
		return err
	}
	if still, err := l.removeListed(ctx, l.usageOf(id), goneUsage, going); err != nil || !still {
		return err
	}
	guard.Remove = true
	return l.remove(ctx, []backend.Write{guard})
}

// removeLimits removes an entity's limits, with an event for each list of them; those that cannot be read go without one, as
// long as going is true after they were seen.
func (l *Limiter) removeLimits(ctx context.Context, id string, guard backend.Write, going func() (bool, error), now int64) (finished bool, err error) {
	for {
		var odd []backend.Write
		of := l.limitsOf(id).with(func(k backend.Key) { odd = append(odd, removing(k)) })
		some, err := walk(ctx, l, Page{Size: fewLimits}, of, l.storedOf)
		if err != nil {
			return false, err
		}
		if len(some.Items) == 0 {
			if len(odd) == 0 {
				return true, nil
			}
			if on, err := going(); err != nil || !on {
				return false, err
			}
			return true, l.remove(ctx, odd)
		}
		writes := []backend.Write{guard}
		for i := range some.Items {
			removed, err := l.disinherit(id, &some.Items[i], now)
			if err != nil {
				return false, err
			}
			writes = append(writes, removed...)
		}
		if err := l.commit(ctx, writes, writes[len(writes)-1].Key); err != nil {
			return false, err
		}
	}
}

// removeListed removes what is listed until there is none, also what cannot be read, as long as going is true after it was
// seen.
func (l *Limiter) removeListed(
	ctx context.Context, of listing, gone func(backend.Item, *backend.Record) (backend.Write, bool, error), going func() (bool, error),
) (finished bool, err error) {
	for {
		var odd []backend.Write
		some, err := walk(ctx, l, Page{Size: backend.MaxPage}, of.with(func(k backend.Key) { odd = append(odd, removing(k)) }), gone)
		if err != nil || len(some.Items)+len(odd) == 0 {
			return err == nil, err
		}
		if on, err := going(); err != nil || !on {
			return false, err
		}
		if err := l.remove(ctx, append(some.Items, odd...)); err != nil {
			return false, err
		}
	}
}

// unmarked demands that the entity is not being deleted.
func unmarked(namespace, id string) backend.Write {
	return backend.Write{
		Key: schema.Deletion(namespace, id), Layout: schema.MarkLayout,
		Conds: []backend.Cond{{Slot: schema.MarkAt, Op: backend.Absent}},
	}
}

// mark makes unmarked the write that begins a deletion.
func mark(unmarked backend.Write, now int64) backend.Write {
	unmarked.Effects = []backend.Effect{setNum(schema.MarkAt, now)}
	return unmarked
}
