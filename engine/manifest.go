package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/zeroae/zae-limiter-go/backend"
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
func (l *Limiter) ApplyManifest(ctx context.Context, manifest string, changes []SettingChange, o *ManifestOptions) error {
	if o == nil {
		o = &ManifestOptions{}
	}
	if err := checkChanges(manifest, changes, o.TakeOver); err != nil {
		return err
	}
	if err := l.checkNamespace(ctx); err != nil {
		return err
	}
	all := settingChanges(manifest, changes, o.AllowMissingParent)
	parents, err := l.readParents(ctx, all)
	if err != nil {
		return err
	}
	if err := l.checkOrphans(ctx, all); err != nil || o.DryRun {
		return err
	}
	run := &manifestRun{l: l, parents: parents, progress: o.Progress}
	for _, stage := range run.stages(all) {
		if err := run.commitStage(ctx, stage.groups); err != nil {
			return err
		}
	}
	return run.staleError()
}

func checkChanges(manifest string, changes []SettingChange, takeOver bool) error {
	if err := CheckManifest(manifest); err != nil {
		return err
	}
	seen := make(map[SettingID]bool, len(changes))
	for i := range changes {
		c := &changes[i]
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
func settingChanges(manifest string, changes []SettingChange, allowMissingParent bool) []*change {
	all := make([]*change, len(changes))
	for i := range changes {
		c := &change{before: changes[i].Before, after: changes[i].After, manifest: manifest}
		c.after.Manifest = ""
		if c.after.Exists {
			c.after.Manifest = manifest
		}
		c.requiresParent = c.moves() && !allowMissingParent
		all[i] = c
	}
	return all
}

// checkOrphans returns a *ParentError for each entity that is deleted and would still be another's parent. It reads the
// mark of adoptions first, so that entities which are given a child later are not deleted.
func (l *Limiter) checkOrphans(ctx context.Context, changes []*change) error {
	after := map[string]*Setting{}
	for _, c := range changes {
		if c.after.ID.Kind == SettingEntity {
			after[c.after.ID.Entity] = &c.after
		}
	}
	orphaned := make([]error, len(changes))
	var group errgroup.Group
	group.SetLimit(l.store.ParallelCalls())
	for i, c := range changes {
		id := c.after.ID
		if id.Kind != SettingEntity || c.after.Exists {
			continue
		}
		group.Go(func() (err error) {
			if c.adoptions, err = l.store.ReadOne(ctx, schema.Adoption(l.opts.Namespace, id.Entity)); err != nil {
				return err
			}
			child, err := l.remainingChild(ctx, id.Entity, after)
			if child != "" {
				orphaned[i] = &ParentError{id.Entity, child}
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	orphaned = slices.DeleteFunc(orphaned, func(err error) bool { return err == nil })
	slices.SortFunc(orphaned, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(orphaned...)
}

// remainingChild returns a child that the entity still has when all changes are made, "" if there is none.
func (l *Limiter) remainingChild(ctx context.Context, id string, after map[string]*Setting) (string, error) {
	for p := (Page{Size: backend.MaxPage}); ; {
		children, err := l.children(ctx, id, p)
		if err != nil {
			return "", err
		}
		for _, child := range children.Items {
			if s := after[child.ID]; s == nil || s.Exists && s.Record.Parent == id {
				return child.ID, nil
			}
		}
		if p.After = children.Next; p.After == "" {
			return "", nil
		}
	}
}
