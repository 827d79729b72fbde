package manifest

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Action is what a change does.
type Action string

// The actions.
const (
	Add    Action = "add"    // something is stored where nothing was
	Modify Action = "change" // something else is stored
	Remove Action = "remove" // what the manifest has set before, and says no more, goes
	Adopt  Action = "adopt"  // what is stored stays, and the manifest manages it from then on
)

// Change is what becomes of one setting.
type Change struct {
	Action Action
	ID     engine.SettingID
	Path   string  // as in a manifest: "entities.user-1.resources.gpt-4"
	From   string  // the manifest that loses it; "": none does
	Fields []Field // what differs; of what is added or removed, all

	change engine.SettingChange
}

// Plan is what a manifest would change in a store.
type Plan struct {
	Manifest  *Manifest
	Changes   []Change // in the order of engine.SettingID.Compare
	Unchanged int      // settings that are stored as the manifest says

	options Options
}

// Options tell how a plan is made; nil is fine.
type Options struct {
	TakeOver           bool // settings of other manifests become this one's
	AllowMissingParent bool // parents need not exist
}

// NewPlan compares a manifest with what is stored in the limiter's namespace. It changes nothing. The error is *Problems
// where the manifest cannot be put in force beside that: a setting is another manifest's, a parent exists nowhere, parents
// would form a circle, a record that would go is some other's parent.
func NewPlan(ctx context.Context, l *engine.Limiter, m *Manifest, o *Options) (*Plan, error) {
	if o == nil {
		o = &Options{}
	}
	implied := m.impliedParents()
	stored, err := read(ctx, l, m.with(implied))
	if err != nil {
		return nil, err
	}
	m = m.with(m.needed(implied, stored))
	p := &Plan{Manifest: m, options: *o}
	problems := &Problems{File: m.File, Stored: true}
	for i := range m.Settings {
		d := &m.Settings[i]
		s := stored[d.ID]
		delete(stored, d.ID)
		if s.Manifest != "" && s.Manifest != m.Name && !o.TakeOver {
			problems.add(d.At, d.Path, "is managed by the manifest %s; let go of it there first, or pass --take-over", s.Manifest)
			continue
		}
		p.compare(s, d.Setting)
	}
	for id, s := range stored {
		p.compare(s, engine.Setting{ID: id})
	}
	slices.SortFunc(p.Changes, func(a, b Change) int { return a.ID.Compare(b.ID) })
	if err := p.parents(ctx, l, problems); err != nil {
		return nil, err
	}
	err = l.ApplyManifest(ctx, m.Name, p.engine(), &engine.ManifestOptions{TakeOver: o.TakeOver, AllowMissingParent: true, DryRun: true})
	if err := problems.parents(err); err != nil && !(errors.Is(err, engine.ErrCycle) && len(problems.List) > 0) {
		return nil, err
	}
	return p, problems.orNil()
}

// parents takes from an error that entities cannot go because they are others' parents.
func (p *Problems) parents(err error) error {
	joined, ok := err.(interface{ Unwrap() []error }) // as errors.Join gives them
	if !ok {
		return err
	}
	for _, one := range joined.Unwrap() {
		var parent *engine.ParentError
		if !errors.As(one, &parent) {
			return err
		}
		p.add(Position{}, "entities."+parent.Entity, "would go, as it stands here no more, and is the parent of %s; give that another parent first, or keep %s", parent.Child, parent.Entity)
	}
	return nil
}

// impliedParents are records without content of entities that the manifest mentions with limits only, and names as the
// parents of others: a parent must exist.
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

// needed are those of implied that the manifest stores: where there is no record, and a child is to move below it, and
// where the manifest has stored it before. Of all others it does not care what is stored.
func (m *Manifest) needed(implied []Declaration, stored map[engine.SettingID]engine.Setting) []Declaration {
	given := map[string]bool{} // children, anew
	for _, d := range m.records() {
		if d.Record.Parent != stored[d.ID].Record.Parent {
			given[d.Record.Parent] = true
		}
	}
	return slices.DeleteFunc(implied, func(d Declaration) bool {
		s := stored[d.ID]
		if s.Exists && s.Manifest == m.Name || !s.Exists && given[d.ID.Entity] {
			return false
		}
		delete(stored, d.ID)
		return true
	})
}

// with is the manifest with further settings.
func (m *Manifest) with(more []Declaration) *Manifest {
	all := *m
	all.Settings = slices.Concat(m.Settings, more)
	return &all
}

// read is what is stored of all that the manifest says, and has set before.
func read(ctx context.Context, l *engine.Limiter, m *Manifest) (map[engine.SettingID]engine.Setting, error) {
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

// compare adds the change from what is stored to what shall be, if it is one.
func (p *Plan) compare(stored, wanted engine.Setting) {
	name := p.Manifest.Name
	c := Change{ID: wanted.ID, Path: pathOf(wanted.ID), change: engine.SettingChange{Before: stored, After: wanted}}
	same := stored.SameContent(&wanted)
	switch {
	case same && (stored.Manifest == name || !stored.Exists):
		p.Unchanged++
		return
	case same:
		c.Action = Adopt
	case !stored.Exists:
		c.Action = Add
	case !wanted.Exists:
		c.Action = Remove
	default:
		c.Action = Modify
	}
	if stored.Manifest != name {
		c.From = stored.Manifest
	}
	c.Fields = fields(&stored, &wanted)
	p.Changes = append(p.Changes, c)
}

// parents looks for parents that exist nowhere, and for circles and long paths, among the records that would change.
func (p *Plan) parents(ctx context.Context, l *engine.Limiter, problems *Problems) error {
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
	var above []engine.SettingID
	ask := func(id string) {
		if _, known := after[id]; id != "" && !known {
			after[id] = ""
			above = append(above, engine.SettingID{Kind: engine.SettingEntity, Entity: id})
		}
	}
	for _, c := range p.Changes {
		if d := records[c.ID.Entity]; c.ID.Kind == engine.SettingEntity && c.change.After.Exists && c.change.Before.Record.Parent != d.Record.Parent {
			moved[c.ID.Entity] = d
			ask(d.Record.Parent)
		}
	}
	exists := map[string]bool{}
	for len(above) > 0 {
		settings, err := l.Settings(ctx, above)
		if err != nil {
			return err
		}
		above = above[:0]
		for _, s := range settings {
			exists[s.ID.Entity], after[s.ID.Entity] = s.Exists, s.Record.Parent
			ask(s.Record.Parent)
		}
	}
	for _, d := range moved {
		if parent := d.Record.Parent; parent != "" && !declared[parent] && !exists[parent] && !p.options.AllowMissingParent {
			problems.add(d.ParentAt, d.Path+".parent", "there is no entity %s, here or in the store; add it to entities (%s: {}), correct the name, or pass --allow-missing", parent, parent)
		}
	}
	problems.paths(moved, func(id string) string { return after[id] })
	return nil
}

// Count is how many changes an action has.
func (p *Plan) Count(a Action) (n int) {
	for i := range p.Changes {
		if p.Changes[i].Action == a {
			n++
		}
	}
	return n
}

// Drift reports whether what is stored differs from what the manifest says, whoever manages it.
func (p *Plan) Drift() bool { return p.Count(Adopt) < len(p.Changes) }

// Apply makes the changes. progress, which may be nil, is called now and then with how many were made. See
// engine.Limiter.ApplyManifest for what an error or ctx's end leaves: another plan has the rest.
func (p *Plan) Apply(ctx context.Context, l *engine.Limiter, progress func(done int)) error {
	o := &engine.ManifestOptions{TakeOver: p.options.TakeOver, AllowMissingParent: p.options.AllowMissingParent, Progress: progress}
	return l.ApplyManifest(ctx, p.Manifest.Name, p.engine(), o)
}

func (p *Plan) engine() []engine.SettingChange {
	changes := make([]engine.SettingChange, len(p.Changes))
	for i := range p.Changes {
		changes[i] = p.Changes[i].change
	}
	return changes
}

// Stale reports whether an error of Apply tells that something was changed by others after the plan was made.
func Stale(err error) bool { return errors.Is(err, engine.ErrStale) }
