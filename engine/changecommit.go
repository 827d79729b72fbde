package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// changeSetting makes one change and retries if the setting is changed meanwhile: next computes c.after from c.before. With
// creates, a deletion of the entity that was interrupted is finished first.
func (l *Limiter) changeSetting(ctx context.Context, id SettingID, creates bool, next func(c *change) error) error {
	return l.administer(ctx, func(now int64) error { return l.tryChange(ctx, id, creates, now, next) })
}

// tryChange returns a *backend.ConflictError if the setting is changed meanwhile.
func (l *Limiter) tryChange(ctx context.Context, id SettingID, creates bool, now int64, next func(c *change) error) error {
	before, err := l.settingToChange(ctx, id, creates, now)
	if err != nil {
		return err
	}
	c := &change{before: before, after: before}
	changes := []*change{c}
	var parents *parentGraph
	if err = next(c); err == nil && (c.moves() || c.requiresParent) {
		parents, err = l.readParents(ctx, changes)
	}
	switch {
	case err != nil:
		l.forgetChanged(changes) // this process may know less than the store
		return err
	case c.before.SameContent(&c.after):
		l.forgetChanged(changes)
		l.notePolicy(c)
		return nil
	}
	_, err = l.commitChanges(ctx, changes, parents, now)
	return err
}

// settingToChange reads a setting, and with creates finishes a deletion of its entity first.
func (l *Limiter) settingToChange(ctx context.Context, id SettingID, creates bool, now int64) (Setting, error) {
	key, _ := id.record(l.opts.Namespace)
	keys := []backend.Key{key}
	if creates && id.Entity != "" {
		keys = append(keys, schema.Deletion(l.opts.Namespace, id.Entity))
	}
	out, err := l.store.Read(ctx, keys)
	if err == nil && len(keys) == 2 && out[1].Present() {
		if err = l.finishDeletion(ctx, id.Entity, out[1].Int64(schema.MarkAt), now); err == nil {
			out, err = l.store.Read(ctx, keys[:1])
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
func (l *Limiter) commitChanges(ctx context.Context, changes []*change, parents *parentGraph, now int64) (n int, err error) {
	writes, n, err := l.packChanges(changes, parents, now)
	if err != nil {
		return 0, err
	}
	err = l.store.Commit(ctx, writes, writes[len(writes)-1].Key)
	// Also if it is not known whether the changes were made. And before the policy is noted: a read of before the commit may
	// still be on its way.
	l.forgetChanged(changes[:n])
	if err != nil {
		return n, err
	}
	for _, c := range changes[:n] {
		l.notePolicy(c)
		if c.after.ID.Kind == SettingEntity && c.after.Exists && parents != nil {
			parents.changed(c.after.ID.Entity, c.version(now))
		}
	}
	return n, nil
}

// packChanges returns the writes of the first n changes, as many as fit into one commit but at least one, with an audit
// event after the writes of each.
func (l *Limiter) packChanges(changes []*change, parents *parentGraph, now int64) (writes []backend.Write, n int, err error) {
	packed := map[backend.Key]bool{}
	for bytes := 0; n < len(changes); n++ {
		all, e, err := changes[n].writes(l.opts.Namespace, parents, now)
		if err != nil {
			return nil, 0, err
		}
		event, err := l.audit(now, &e)
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
func (l *Limiter) notePolicy(c *change) {
	if c.after.ID.Kind == SettingSystem {
		l.policy.Store(uint32(c.after.OnUnavailable))
	}
}

// forgetChanged lets this process read again what the changes affect.
func (l *Limiter) forgetChanged(changes []*change) {
	l.forget(func(entity, resource string) bool { return affects(changes, entity, resource) })
}
