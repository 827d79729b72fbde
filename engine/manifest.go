package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// SettingChange is what becomes of a setting.
type SettingChange struct {
	Before Setting // as it was read; a change since then is not overwritten
	After  Setting // as it shall be; what does not Exist is removed. Its Manifest and CreatedAt are not looked at
}

// ManifestOptions tell how a manifest's changes are made; nil is fine.
type ManifestOptions struct {
	TakeOver           bool           // also settings that another manifest manages, which loses them
	AllowMissingParent bool           // parents that changes name need not exist
	DryRun             bool           // only what comes before anything is changed
	Progress           func(done int) // called now and then with how many changes were made, one call at a time
}

// ApplyManifest makes changes in the name of a manifest, which manages what it sets from then on: limits first, then
// entities, parents before their children, then what is removed. A change that says what is stored makes the manifest
// manage it. Changes are made many in a commit, each with its audit event (limits_set, entity_created, …), and several
// commits at a time; all of one commit or none. So an error or ctx's end leaves some made and others not: read the
// settings again, and go on with what is left. Buckets that have limits set for their entity and resource are converted at
// once where the store can be reached. Removing an entity's record leaves its buckets, and limits that are not among the
// changes: DeleteEntity removes all. *ValidationError, ErrCycle, ErrManaged, a *MissingParentError for each parent that is
// named anew and will not exist when all is done (joined), unless that is allowed, and a *ParentError for each
// removed record that would still be a parent (joined), come before anything is changed; ErrStale, with what was changed since it
// was read, after all else was made.
func (l *Limiter) ApplyManifest(ctx context.Context, manifest string, changes []SettingChange, o *ManifestOptions) error {
	if o == nil {
		o = &ManifestOptions{}
	}
	if err := checkChanges(manifest, changes, o.TakeOver); err != nil {
		return err
	}
	if err := l.admit(ctx); err != nil {
		return err
	}
	family, err := l.familyOf(ctx, changes, o.AllowMissingParent)
	if err != nil {
		return err
	}
	if err := l.checkOrphans(ctx, family, changes); err != nil || o.DryRun {
		return err
	}
	a := &application{l: l, manifest: manifest, progress: o.Progress, family: family}
	for _, lanes := range a.stages(changes) {
		if err := a.run(ctx, lanes); err != nil {
			return err
		}
	}
	if len(a.stale) > 0 {
		const most = 5
		names := slices.Sorted(slices.Values(a.stale))
		if len(names) > most {
			names = append(names[:most], fmt.Sprintf("and %d more", len(a.stale)-most))
		}
		return fmt.Errorf("%w: %s", ErrStale, strings.Join(names, ", "))
	}
	return nil
}

func checkChanges(manifest string, changes []SettingChange, takeOver bool) error {
	if err := CheckManifest(manifest); err != nil {
		return err
	}
	seen := make(map[SettingID]bool, len(changes))
	for i := range changes {
		c := &changes[i]
		if c.After.ID != c.Before.ID || seen[c.After.ID] {
			return &ValidationError{"changes", c.After.ID.String(), "must stand once, with one ID before and after"}
		}
		seen[c.After.ID] = true
		if err := c.After.Check(); err != nil {
			return fmt.Errorf("%v: %w", c.After.ID, err)
		}
		foreign := c.Before.Manifest != "" && c.Before.Manifest != manifest
		switch removes := c.Before.Exists && !c.After.Exists; {
		case foreign && (removes || !takeOver):
			return fmt.Errorf("%w: %v, by %q", ErrManaged, c.After.ID, c.Before.Manifest)
		case removes && c.Before.Manifest == "":
			return fmt.Errorf("%w: %v, by none", ErrManaged, c.After.ID)
		}
	}
	return nil
}

// application is one call of ApplyManifest.
type application struct {
	l        *Limiter
	manifest string
	progress func(int)
	family   *family

	lock  sync.Mutex // guards what follows, and calls of progress
	done  int
	stale []string
}

// lane is changes that must not be made at the same time as each other: they meet in some record.
type lane []*SettingChange

// stages puts changes in the order in which they are made: each stage when the one before is done.
func (a *application) stages(changes []SettingChange) [][]lane {
	var limits, removed, gone lanesByName
	levels := make([]lanesByName, mostPath)
	for i := range changes {
		c := &changes[i]
		id := c.After.ID
		switch {
		case !c.After.Exists && !c.Before.Exists:
		case !c.After.Exists && id.Kind == SettingEntity:
			gone.add("", id.Entity, c)
		case !c.After.Exists:
			removed.add("", id.Entity, c)
		case id.Kind == SettingEntity:
			depth, root := a.family.place(id.Entity)
			if depth == 0 {
				root = ""
			}
			levels[depth].add(root, id.Entity, c)
		default:
			limits.add("", id.Entity, c)
		}
	}
	stages := [][]lane{limits.lanes}
	for i := range levels {
		stages = append(stages, levels[i].lanes)
	}
	return append(stages, removed.lanes, gone.lanes)
}

// lanesByName collects lanes.
type lanesByName struct {
	lanes []lane
	index map[laneKey]int
}

// laneKey is the name of a lane, or the entity that it is of.
type laneKey struct{ name, entity string }

// add puts c into the lane of a name, or, where that is "", of its entity.
func (s *lanesByName) add(name, entity string, c *SettingChange) {
	key := laneKey{name: name}
	if name == "" {
		key.entity = entity
	}
	i, known := s.index[key]
	if !known || key == (laneKey{}) { // the system and resources meet nobody
		if s.index == nil {
			s.index = map[laneKey]int{}
		}
		i = len(s.lanes)
		s.index[key], s.lanes = i, append(s.lanes, nil)
	}
	s.lanes[i] = append(s.lanes[i], c)
}
