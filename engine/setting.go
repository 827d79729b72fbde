package engine

import (
	"cmp"
	"maps"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// SettingKind is what a setting is of.
type SettingKind uint8

// The kinds of settings.
const (
	SettingSystem   SettingKind = iota + 1 // the system's limits and policy
	SettingResource                        // a resource's limits
	SettingEntity                          // an entity's record: name, parent, cascade, metadata
	SettingLimits                          // an entity's limits for a resource, or for all
)

// SettingID names one thing that a manifest can manage.
type SettingID struct {
	Kind     SettingKind
	Entity   string // of SettingEntity and SettingLimits
	Resource string // of SettingResource and SettingLimits, there "" for the entity's default
}

// String is the id in words: "the system", "resource gpt-4", "limits of user-1 on gpt-4".
func (id SettingID) String() string {
	switch id.Kind {
	case SettingSystem:
		return "the system"
	case SettingResource:
		return "resource " + id.Resource
	case SettingEntity:
		return "entity " + id.Entity
	}
	if id.Resource == "" {
		return "limits of " + id.Entity
	}
	return "limits of " + id.Entity + " on " + id.Resource
}

// Compare orders ids: the system, resources, then each entity with its limits behind it.
func (id SettingID) Compare(o SettingID) int {
	return cmp.Or(
		cmp.Compare(min(id.Kind, SettingEntity), min(o.Kind, SettingEntity)), cmp.Compare(id.Entity, o.Entity),
		cmp.Compare(id.Kind, o.Kind), cmp.Compare(id.Resource, o.Resource))
}

// Setting is one thing that a manifest can manage, as it is stored or shall be.
type Setting struct {
	ID            SettingID
	Exists        bool    // something is stored; false with nothing in the other fields
	Manifest      string  // the manifest that manages it; "": none
	Limits        []Limit // of all kinds but SettingEntity, where they are read by name; nil for the system: only a policy
	OnUnavailable Policy  // of SettingSystem
	Record        Entity  // of SettingEntity; CreatedAt is set by whoever stores it first

	ver int64 // of the record when it was read
}

// SameContent reports whether two settings say the same, whatever the order of their limits and whoever manages them.
func (s *Setting) SameContent(o *Setting) bool {
	a, b := &s.Record, &o.Record
	return s.Exists == o.Exists && s.OnUnavailable == o.OnUnavailable && slices.Equal(byName(s.Limits), byName(o.Limits)) &&
		a.Name == b.Name && a.Parent == b.Parent && a.Cascade == b.Cascade && maps.Equal(a.Metadata, b.Metadata)
}

func byName(limits []Limit) []Limit {
	return slices.SortedFunc(slices.Values(limits), func(a, b Limit) int { return cmp.Compare(a.Name, b.Name) })
}

// CheckManifest refuses what cannot be the name of a manifest: 1 to 64 bytes, letters, digits and _.-, beginning with a
// letter or digit. *ValidationError.
func CheckManifest(name string) error { return manifestRule.check("Manifest", name) }

// CheckNamespace refuses what cannot be the name of a namespace, by the same rule. *ValidationError.
func CheckNamespace(name string) error { return namespaceRule.check("Namespace", name) }

// Check refuses a setting that could not be stored, by a *ValidationError or ErrCycle. That parents exist, and lead nowhere
// they must not, is not looked at.
func (s *Setting) Check() error {
	if err := s.ID.check(); err != nil {
		return err
	}
	switch {
	case !s.Exists:
		return nil
	case s.ID.Kind == SettingEntity:
		record := s.Record
		record.ID = s.ID.Entity
		return checkWhole(&record)
	}
	if s.ID.Kind != SettingSystem && s.OnUnavailable != PolicyDefault {
		return &ValidationError{"OnUnavailable", s.OnUnavailable, "is the system's alone"}
	}
	if err := checkPolicy("OnUnavailable", s.OnUnavailable); err != nil {
		return err
	}
	if s.ID.Kind == SettingSystem && s.OnUnavailable != PolicyDefault && len(s.Limits) == 0 {
		return nil
	}
	return checkLimits("Limits", s.Limits)
}

func (id SettingID) check() error {
	switch id.Kind {
	case SettingSystem:
		return nil
	case SettingResource:
		return checkResource(id.Resource)
	case SettingEntity:
		return checkEntity(id.Entity)
	case SettingLimits:
		return checkTarget(id.Entity, id.Resource)
	}
	return &ValidationError{"Kind", id.Kind, "must be SettingSystem, SettingResource, SettingEntity or SettingLimits"}
}

// site is where the setting's limits are stored; not for SettingEntity.
func (l *Limiter) site(id SettingID) site {
	switch id.Kind {
	case SettingSystem:
		return l.systemSite()
	case SettingResource:
		return l.resourceSite(id.Resource)
	}
	return l.entitySite(id.Entity, id.Resource)
}

// settingKey is where the setting is stored.
func (l *Limiter) settingKey(id SettingID) backend.Key {
	if id.Kind == SettingEntity {
		key, _ := schema.Entity(l.opts.Namespace, id.Entity)
		return key
	}
	return l.site(id).key
}

// settingOf reads a setting's record.
func (l *Limiter) settingOf(id SettingID, r *backend.Record) (Setting, error) {
	s := Setting{ID: id, Exists: r.Present()}
	if !s.Exists {
		return s, nil
	}
	var err error
	if id.Kind == SettingEntity {
		s.ver = r.Int64(schema.EntityVer)
		s.Manifest, _ = r.Text(schema.EntityManifest)
		s.Record, err = entityOf(id.Entity, r)
		return s, err
	}
	s.ver = r.Int64(schema.ConfigVer)
	s.Manifest, _ = r.Text(schema.ConfigManifest)
	c, err := l.configOf(r)
	s.Limits, s.OnUnavailable = c.Limits, c.OnUnavailable
	return s, err
}

// settingAt is the setting that stands at a key; false for keys of other kinds.
func settingAt(k backend.Key) (id SettingID, ok bool) {
	entity, resource := schema.ConfiguredBy(k)
	switch schema.LayoutOf(k) {
	case schema.EntityLayout:
		id = SettingID{Kind: SettingEntity, Entity: entity}
	case schema.ConfigLayout:
		id = SettingID{SettingLimits, entity, resource}
		if entity == "" {
			id.Kind = SettingResource
		}
		if entity == "" && resource == "" {
			id.Kind = SettingSystem
		}
	}
	return id, id.Kind != 0
}
