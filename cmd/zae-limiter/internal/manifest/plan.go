package manifest

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Action is the kind of a change.
type Action string

// The actions.
const (
	Add    Action = "add"    // the setting is new
	Modify Action = "change" // the setting has another value
	Remove Action = "remove" // the manifest has set it before, and no longer has it
	Adopt  Action = "adopt"  // the setting does not change, but the manifest manages it from then on
)

// Change is the change of one setting.
type Change struct {
	Action Action
	ID     engine.SettingID
	Path   string  // in a manifest, for example "entities.user-1.resources.gpt-4"
	From   string  // the manifest that no longer manages it; empty if none
	Fields []Field // the differences; all fields of an added or removed setting

	change engine.SettingChange
}

// Plan lists what a manifest would change in a store.
type Plan struct {
	Manifest  *Manifest
	Changes   []Change // in the order of engine.SettingID.Compare
	Unchanged int      // number of settings that match the manifest

	options Options
}

// Options configure a plan; nil means all defaults.
type Options struct {
	TakeOver           bool // take over settings of other manifests. Default false
	AllowMissingParent bool // accept parents that do not exist. Default false
}

// NewPlan compares a manifest with the configuration in the limiter's namespace. It changes nothing. It returns a [*Problems] if
// the manifest conflicts with the configuration: another manifest manages a setting, a parent does not exist, parents form a
// cycle, or a record to remove is the parent of another entity.
func NewPlan(ctx context.Context, l *engine.Limiter, m *Manifest, o *Options) (*Plan, error) {
	if o == nil {
		o = &Options{}
	}
	implied := m.impliedParents()
	stored, err := readStored(ctx, l, m.withSettings(implied))
	if err != nil {
		return nil, err
	}
	m = m.withSettings(m.neededParents(implied, stored))
	p := &Plan{Manifest: m, options: *o}
	problems := &Problems{File: m.File, Stored: true}
	for i := range m.Settings {
		d := &m.Settings[i]
		s := stored[d.ID]
		delete(stored, d.ID)
		if s.Manifest != "" && s.Manifest != m.Name && !o.TakeOver {
			problems.add(d.At, d.Path, "is managed by the manifest %s: remove it there first, or pass --take-over", s.Manifest)
			continue
		}
		p.compare(s, d.Setting)
	}
	for id, s := range stored {
		p.compare(s, engine.Setting{ID: id})
	}
	slices.SortFunc(p.Changes, func(a, b Change) int { return a.ID.Compare(b.ID) })
	if err := p.checkParents(ctx, l, problems); err != nil {
		return nil, err
	}
	err = l.ApplyManifest(ctx, m.Name, p.settingChanges(), &engine.ManifestOptions{TakeOver: o.TakeOver, AllowMissingParent: true, DryRun: true})
	if err := problems.addParentErrors(err); err != nil && !(errors.Is(err, engine.ErrCycle) && len(problems.List) > 0) {
		return nil, err
	}
	return p, problems.orNil()
}

// addParentErrors adds problems for entities that cannot be removed because they are parents, unless there is one for the child. It
// returns other errors.
func (p *Problems) addParentErrors(err error) error {
	joined, ok := err.(interface{ Unwrap() []error }) // a result of errors.Join
	if !ok {
		return err
	}
	for _, one := range joined.Unwrap() {
		var parent *engine.ParentError
		if !errors.As(one, &parent) {
			return err
		}
		if slices.ContainsFunc(p.List, func(known Problem) bool { return known.Path == "entities."+parent.Child+".parent" }) {
			continue
		}
		p.add(Position{}, "entities."+parent.Entity, "would be removed, but is the parent of %[1]s: change the parent of %[1]s first, or keep %[2]s", parent.Child, parent.Entity)
	}
	return nil
}

// impliedParents returns empty records for entities that the manifest mentions with limits only and that are parents of others,
// since a parent must exist.
func (m *Manifest) impliedParents() (implied []Declaration) {
	records, mentioned, parents := m.records(), map[string]*Declaration{}, map[string]bool{}
	for _, d := range records {
		parents[d.Record.Parent] = true
	}
	for i := range m.Settings {
		if d := &m.Settings[i]; d.ID.Kind == engine.SettingLimits && mentioned[d.ID.Entity] == nil {
			mentioned[d.ID.Entity] = d
		}
	}
	for _, id := range slices.Sorted(maps.Keys(mentioned)) {
		if records[id] == nil && parents[id] {
			d := Declaration{At: mentioned[id].At, ParentAt: mentioned[id].At, Path: "entities." + id}
			d.ID, d.Exists = engine.SettingID{Kind: engine.SettingEntity, Entity: id}, true
			implied = append(implied, d)
		}
	}
	return implied
}

// neededParents returns the implied records that the manifest must store: those that do not exist although a child gets them as its
// parent, and those that the manifest has stored before. It drops the others, which the manifest does not manage.
func (m *Manifest) neededParents(implied []Declaration, stored map[engine.SettingID]engine.Setting) []Declaration {
	needed := map[string]bool{} // new parents of entities
	for _, d := range m.records() {
		if d.Record.Parent != stored[d.ID].Record.Parent {
			needed[d.Record.Parent] = true
		}
	}
	return slices.DeleteFunc(implied, func(d Declaration) bool {
		s := stored[d.ID]
		if s.Exists && s.Manifest == m.Name || !s.Exists && needed[d.ID.Entity] {
			return false
		}
		delete(stored, d.ID)
		return true
	})
}

// withSettings returns a copy of the manifest with further settings.
func (m *Manifest) withSettings(more []Declaration) *Manifest {
	all := *m
	all.Settings = slices.Concat(m.Settings, more)
	return &all
}

// readStored returns the stored settings that the manifest declares or has set before.
func readStored(ctx context.Context, l *engine.Limiter, m *Manifest) (map[engine.SettingID]engine.Setting, error) {
	managed, err := l.ManagedSettings(ctx, m.Name)
	if err != nil {
		return nil, err
	}
	stored := make(map[engine.SettingID]engine.Setting, len(managed)+len(m.Settings))
	for _, s := range managed {
		stored[s.ID] = s
	}
	var ids []engine.SettingID
	for _, d := range m.Settings {
		if _, known := stored[d.ID]; !known {
			ids = append(ids, d.ID)
		}
	}
	others, err := l.Settings(ctx, ids)
	for _, s := range others {
		stored[s.ID] = s
	}
	return stored, err
}

// compare adds a change if the stored setting differs from the desired one.
func (p *Plan) compare(stored, desired engine.Setting) {
	name := p.Manifest.Name
	c := Change{ID: desired.ID, Path: pathOf(desired.ID), change: engine.SettingChange{Before: stored, After: desired}}
	same := stored.SameContent(&desired)
	switch {
	case same && (stored.Manifest == name || !stored.Exists):
		p.Unchanged++
		return
	case same:
		c.Action = Adopt
	case !stored.Exists:
		c.Action = Add
	case !desired.Exists:
		c.Action = Remove
	default:
		c.Action = Modify
	}
	if stored.Manifest != name {
		c.From = stored.Manifest
	}
	c.Fields = fields(&stored, &desired)
	p.Changes = append(p.Changes, c)
}

// checkParents adds problems for missing parents, cycles and long paths among the records that would change.
func (p *Plan) checkParents(ctx context.Context, l *engine.Limiter, problems *Problems) error {
	declared := map[string]bool{}
	for _, d := range p.Manifest.Settings {
		if d.ID.Entity != "" {
			declared[d.ID.Entity] = true
		}
	}
	moved, after := map[string]*Declaration{}, map[string]string{}
	records := p.Manifest.records()
	for id, d := range records {
		after[id] = d.Record.Parent
	}
	var unread []engine.SettingID
	ask := func(id string) {
		if _, known := after[id]; id != "" && !known {
			after[id] = ""
			unread = append(unread, engine.SettingID{Kind: engine.SettingEntity, Entity: id})
		}
	}
	removed := map[string]bool{}
	for _, c := range p.Changes {
		if c.ID.Kind == engine.SettingEntity && !c.change.After.Exists {
			removed[c.ID.Entity] = true
		}
		if d := records[c.ID.Entity]; c.ID.Kind == engine.SettingEntity && c.change.After.Exists && c.change.Before.Record.Parent != d.Record.Parent {
			moved[c.ID.Entity] = d
			ask(d.Record.Parent)
		}
	}
	exists := map[string]bool{}
	for len(unread) > 0 {
		settings, err := l.Settings(ctx, unread)
		if err != nil {
			return err
		}
		unread = unread[:0]
		for _, s := range settings {
			exists[s.ID.Entity], after[s.ID.Entity] = s.Exists, s.Record.Parent
			ask(s.Record.Parent)
		}
	}
	for _, d := range moved {
		parent := d.Record.Parent
		if parent == "" || declared[parent] {
			continue
		}
		switch {
		case removed[parent]:
			problems.add(d.ParentAt, d.Path+".parent", "entity %s would be removed, because it has left the manifest: add it to entities (%s: {}), or change the parent", parent, parent)
		case !exists[parent] && !p.options.AllowMissingParent:
			problems.add(d.ParentAt, d.Path+".parent", "entity %s does not exist in the manifest or in the store: add it to entities (%s: {}), correct the name, or pass --allow-missing", parent, parent)
		}
	}
	problems.checkPaths(moved, func(id string) string { return after[id] })
	return nil
}

// Count returns the number of changes with an action.
func (p *Plan) Count(a Action) (n int) {
	for i := range p.Changes {
		if p.Changes[i].Action == a {
			n++
		}
	}
	return n
}

// Drift reports whether the stored settings differ from the manifest, whoever manages them.
func (p *Plan) Drift() bool { return p.Count(Adopt) < len(p.Changes) }

// Apply makes the changes. progress, which may be nil, is called from time to time with the number of changes made. After an
// error, or if ctx is done, some changes may have been made (see [engine.Limiter.ApplyManifest]); a new plan has the others.
func (p *Plan) Apply(ctx context.Context, l *engine.Limiter, progress func(done int)) error {
	o := &engine.ManifestOptions{TakeOver: p.options.TakeOver, AllowMissingParent: p.options.AllowMissingParent, Progress: progress}
	return l.ApplyManifest(ctx, p.Manifest.Name, p.settingChanges(), o)
}

func (p *Plan) settingChanges() []engine.SettingChange {
	changes := make([]engine.SettingChange, len(p.Changes))
	for i := range p.Changes {
		changes[i] = p.Changes[i].change
	}
	return changes
}
