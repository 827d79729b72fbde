package changes

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Change makes one change and retries if the setting is changed meanwhile: next computes c.After from c.Before. With
// creates, a deletion of the entity that was interrupted is finished first.
func (a *Admin) Change(ctx context.Context, id ID, creates bool, next func(c *Change) error) error {
	return a.Retry(ctx, func(now int64) error { return a.tryChange(ctx, id, creates, now, next) })
}

// tryChange returns a *backend.ConflictError if the setting is changed meanwhile.
func (a *Admin) tryChange(ctx context.Context, id ID, creates bool, now int64, next func(c *Change) error) error {
	before, err := a.settingToChange(ctx, id, creates, now)
	if err != nil {
		return err
	}
	c := &Change{Before: before, After: before}
	changes := []*Change{c}
	var parents *Graph
	if err = next(c); err == nil && (c.Moves() || c.RequiresParent) {
		parents, err = a.ReadParents(ctx, changes)
	}
	switch {
	case err != nil:
		a.forgetChanged(changes) // this process may know less than the store
		return err
	case c.Before.SameContent(&c.After):
		a.forgetChanged(changes)
		a.notePolicy(c)
		return nil
	}
	_, err = a.commitChanges(ctx, changes, parents, now)
	return err
}

// settingToChange reads a setting, and with creates finishes a deletion of its entity first.
func (a *Admin) settingToChange(ctx context.Context, id ID, creates bool, now int64) (Setting, error) {
	key, _ := id.record(a.Namespace)
	keys := []backend.Key{key}
	if creates && id.Entity != "" {
		keys = append(keys, schema.Deletion(a.Namespace, id.Entity))
	}
	out, err := a.Store.Read(ctx, keys)
	if err == nil && len(keys) == 2 && out[1].Present() {
		if err = a.finishDeletion(ctx, id.Entity, out[1].Int64(schema.MarkAt), now); err == nil {
			out, err = a.Store.Read(ctx, keys[:1])
		}
	}
	if err != nil {
		return Setting{}, err
	}
	return settingOf(id, &out[0])
}

// commitChanges makes the first n changes, as many as fit into one commit, or none of them. It returns a
// *backend.ConflictError if a condition of these n does not hold. After other errors they may have been made. Whatever
// became of the commit, this process reads again what they affect.
func (a *Admin) commitChanges(ctx context.Context, changes []*Change, parents *Graph, now int64) (n int, err error) {
	a.look(ctx, now)
	writes, n, err := a.packChanges(changes, parents, now)
	if err != nil {
		return 0, err
	}
	err = a.commit(ctx, now, writes)
	// Also if it is not known whether the changes were made. And before the policy is noted: a read of before the commit may
	// still be on its way.
	a.forgetChanged(changes[:n])
	if err != nil {
		return n, err
	}
	for _, c := range changes[:n] {
		a.notePolicy(c)
		if c.After.ID.Kind == KindEntity && c.After.Exists && parents != nil {
			parents.changed(c.After.ID.Entity, c.version(now))
		}
	}
	return n, nil
}

// packChanges returns the writes of the first n changes, as many as fit into one commit but at least one, with an audit
// event after the writes of each.
func (a *Admin) packChanges(changes []*Change, parents *Graph, now int64) (writes []backend.Write, n int, err error) {
	packed := map[backend.Key]bool{}
	for bytes := 0; n < len(changes); n++ {
		all, e, err := changes[n].writes(a.Namespace, parents, now)
		if err != nil {
			return nil, 0, err
		}
		event, err := a.audit(now, &e)
		if err != nil {
			return nil, 0, err
		}
		added := writes
		for _, w := range append(all, event) {
			if packed[w.Key] {
				continue // an earlier change makes the same demand, or sets the same mark
			}
			added = append(added, w)
			for i := range w.Effects {
				bytes += len(w.Effects[i].Text)
			}
		}
		if n > 0 && (len(added) > backend.MaxCommit || bytes > backend.MaxCommitBytes) {
			break
		}
		for _, w := range added[len(writes):] {
			packed[w.Key] = true
		}
		writes = added
	}
	return writes, n, nil
}

// notePolicy lets this process use a policy that is stored now.
func (a *Admin) notePolicy(c *Change) {
	if c.After.ID.Kind == KindSystem {
		a.SetPolicy(c.After.OnUnavailable)
	}
}

// forgetChanged lets this process read again what the changes affect.
func (a *Admin) forgetChanged(changes []*Change) {
	ids := make([]ID, len(changes))
	for i, c := range changes {
		ids[i] = c.After.ID
	}
	a.Forget(ids...)
}
