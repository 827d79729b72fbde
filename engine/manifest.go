package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// SettingChange is a change of one setting.
type SettingChange struct {
	Before Setting // as it was read; if it has been changed since then, it stays as it is
	After  Setting // as it is wanted; if it does not Exist it is deleted. Its Manifest and CreatedAt are ignored
}

// ManifestOptions are options of ApplyManifest; nil means their zero values.
type ManifestOptions struct {
	TakeOver           bool           // also change settings that another manifest manages, which loses them
	AllowMissingParent bool           // parents that changes name need not exist
	DryRun             bool           // check everything that can be checked before the first change, and change nothing
	Progress           func(done int) // called from time to time with the number of changes made, by one goroutine at a time
}

// ApplyManifest makes changes in the name of a manifest, which manages all settings that it sets from then on. A change
// whose Before and After are equal only makes the manifest manage the setting. Each change has its audit event
// (limits_set, entity_created, …).
//
// Limits are set first, then entities, parents before their children; deletions come last. ApplyManifest makes many
// changes in one commit and several commits at a time. Each commit makes all of its changes or none, so after an error, or
// when ctx ends, some changes may have been made and others not: read the settings again and apply what is left.
//
// A bucket for which limits were set is converted at once if the store can be reached, and by its next acquire otherwise.
// Deleting an entity's record leaves its buckets, and its limits unless they are among the changes; [Limiter.DeleteEntity]
// deletes all.
//
// Nothing is changed if the error is a *ValidationError, ErrCycle or ErrManaged, or joins a *MissingParentError for each
// newly named parent that will not exist in the end, and a *ParentError for each deleted entity that would still be a
// parent. ErrStale names settings that were changed after they had been read: all other changes were made.
func (l *Limiter) ApplyManifest(ctx context.Context, manifest string, wanted []SettingChange, o *ManifestOptions) error {
	if o == nil {
		o = &ManifestOptions{}
	}
	if err := checkChanges(manifest, wanted, o.TakeOver); err != nil {
		return err
	}
	if err := l.checkNamespace(ctx); err != nil {
		return err
	}
	all := settingChanges(manifest, wanted, o.AllowMissingParent)
	parents, err := l.admin.ReadParents(ctx, all)
	if err != nil {
		return err
	}
	if err := l.admin.CheckOrphans(ctx, all); err != nil || o.DryRun {
		return err
	}
	run := &changes.Run{Admin: l.admin, Parents: parents, Progress: o.Progress, LimitsSet: l.convertBuckets}
	return run.Make(ctx, all)
}

func checkChanges(manifest string, wanted []SettingChange, takeOver bool) error {
	if err := CheckManifest(manifest); err != nil {
		return err
	}
	seen := make(map[SettingID]bool, len(wanted))
	for i := range wanted {
		c := &wanted[i]
		if c.After.ID != c.Before.ID || seen[c.After.ID] {
			return &ValidationError{"changes", c.After.ID.String(), "must be there once, with the same ID before and after"}
		}
		seen[c.After.ID] = true
		if err := c.After.Check(); err != nil {
			return fmt.Errorf("%v: %w", c.After.ID, err)
		}
		foreign := c.Before.Manifest != "" && c.Before.Manifest != manifest
		switch deletes := c.Before.Exists && !c.After.Exists; {
		case foreign && (deletes || !takeOver):
			return fmt.Errorf("%w: %v, by %q", ErrManaged, c.After.ID, c.Before.Manifest)
		case deletes && c.Before.Manifest == "":
			return fmt.Errorf("%w: %v, by none", ErrManaged, c.After.ID)
		}
	}
	return nil
}

// settingChanges are the changes of a manifest, which manages all that it sets.
func settingChanges(manifest string, wanted []SettingChange, allowMissingParent bool) []*changes.Change {
	all := make([]*changes.Change, len(wanted))
	for i := range wanted {
		c := &changes.Change{Before: wanted[i].Before.internal(), After: wanted[i].After.internal(), Manifest: manifest}
		c.After.Manifest = ""
		if c.After.Exists {
			c.After.Manifest = manifest
		}
		c.RequiresParent = c.Moves() && !allowMissingParent
		all[i] = c
	}
	return all
}

// convertBuckets converts the buckets for which limits were set. If it fails, their next acquires convert them, so that is
// no error.
func (l *Limiter) convertBuckets(ctx context.Context, ids []changes.ID) {
	keys := make([]backend.Key, len(ids))
	for i, id := range ids {
		keys[i], _ = schema.Bucket(l.opts.Namespace, id.Entity, id.Resource)
	}
	out, err := l.store.Read(ctx, keys)
	for i := range out {
		if out[i].Present() {
			err = errors.Join(err, l.convertLive(ctx, ids[i].Entity, ids[i].Resource, nil))
		}
	}
	if err != nil && !errors.Is(err, ErrNoLimits) {
		l.warn(ctx, l.clock.now(), "limiter: limits are stored, buckets will be converted at their next acquire", "error", err)
	}
}
