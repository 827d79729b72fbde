package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// SettingKind is the kind of a setting.
type SettingKind uint8

// The kinds of settings.
const (
	SettingSystem   SettingKind = iota + 1 // the system's limits and policy
	SettingResource                        // a resource's limits
	SettingEntity                          // an entity's record: name, parent, cascade, metadata
	SettingLimits                          // an entity's limits for a resource, or for all resources
)

// SettingID names one setting.
type SettingID struct {
	Kind     SettingKind
	Entity   string // of SettingEntity and SettingLimits
	Resource string // of SettingResource and SettingLimits; there "" means all resources
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

// Compare orders ids: first the system, then resources, then entities, each before its limits. It returns -1, 0 or 1.
func (id SettingID) Compare(o SettingID) int {
	return cmp.Or(
		cmp.Compare(min(id.Kind, SettingEntity), min(o.Kind, SettingEntity)), cmp.Compare(id.Entity, o.Entity),
		cmp.Compare(id.Kind, o.Kind), cmp.Compare(id.Resource, o.Resource))
}

// Setting is one part of the configuration, as it is stored or as it is wanted. A manifest can manage it.
type Setting struct {
	ID            SettingID
	Exists        bool    // it is stored; if false, all fields below are zero
	Manifest      string  // the manifest that manages it; "" if none does
	Limits        []Limit // by name when read; empty for SettingEntity, and for a system that has only a policy
	OnUnavailable Policy  // of SettingSystem
	Record        Entity  // of SettingEntity; CreatedAt is set when the entity is created

	ver int64 // of the record when it was read
}

// SameContent reports whether two settings are equal, apart from the order of their limits and the manifests that manage
// them.
func (s *Setting) SameContent(o *Setting) bool {
	a, b := &s.Record, &o.Record
	return s.Exists == o.Exists && s.OnUnavailable == o.OnUnavailable && slices.Equal(byName(s.Limits), byName(o.Limits)) &&
		a.Name == b.Name && a.Parent == b.Parent && a.Cascade == b.Cascade && maps.Equal(a.Metadata, b.Metadata)
}

func byName(limits []Limit) []Limit {
	return slices.SortedFunc(slices.Values(limits), func(a, b Limit) int { return cmp.Compare(a.Name, b.Name) })
}

// CheckManifest returns a *ValidationError unless name can be the name of a manifest: 1 to 64 bytes, letters, digits and
// _.-, beginning with a letter or digit.
func CheckManifest(name string) error { return manifestRule.check("Manifest", name) }

// CheckNamespace returns a *ValidationError unless name can be the name of a namespace, by the same rule.
func CheckNamespace(name string) error { return namespaceRule.check("Namespace", name) }

// Check returns a *ValidationError if the setting cannot be stored, and ErrCycle if an entity is its own parent. It does no
// I/O, so it does not know whether other parents exist or form a cycle.
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
		return checkEntityFields(&record)
	}
	if s.ID.Kind != SettingSystem && s.OnUnavailable != PolicyDefault {
		return &ValidationError{"OnUnavailable", s.OnUnavailable, "must be PolicyDefault; only the system has a policy"}
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

// record is the key of the setting's record, and its place in an index; nil if it is in none.
func (id SettingID) record(namespace string) (backend.Key, *backend.Place) {
	var key backend.Key
	var place backend.Place
	switch id.Kind {
	case SettingSystem:
		return schema.System(namespace), nil
	case SettingResource:
		key, place = schema.Resource(namespace, id.Resource)
	case SettingEntity:
		key, place = schema.Entity(namespace, id.Entity)
	default:
		key, place = schema.EntityLimits(namespace, id.Entity, id.Resource)
	}
	return key, &place
}

// versionSlot is where the setting's record has its version.
func (id SettingID) versionSlot() backend.Slot {
	if id.Kind == SettingEntity {
		return schema.EntityVer
	}
	return schema.ConfigVer
}

// affects reports whether the limits or the parent of an entity for a resource may come from the setting.
func (id SettingID) affects(entity, resource string) bool {
	return (id.Entity == "" || id.Entity == entity) && (id.Resource == "" || id.Resource == resource)
}

// settingOf decodes a setting's record. It returns ErrSchema if a newer program wrote it.
func settingOf(id SettingID, r *backend.Record) (s Setting, err error) {
	s = Setting{ID: id, Exists: r.Present()}
	switch {
	case !s.Exists:
		return s, nil
	case id.Kind == SettingEntity:
		s.Manifest, _ = r.Text(schema.EntityManifest)
		s.Record, err = entityOf(id.Entity, r)
	default:
		s.Manifest, _ = r.Text(schema.ConfigManifest)
		s.OnUnavailable = Policy(r.Int64(schema.ConfigUnavailable))
		s.Limits, err = limitsOf(r)
	}
	s.ver = r.Int64(id.versionSlot())
	return s, err
}

// limitsOf decodes the limits in a record, by name; nil if there are none.
func limitsOf(r *backend.Record) ([]Limit, error) {
	packed, ok := r.Text(schema.ConfigLimits)
	if !ok {
		return nil, nil
	}
	terms, err := schema.Unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	limits := make([]Limit, len(terms))
	for i := range terms {
		limits[i] = terms[i].Limit
	}
	return limits, nil
}

// settingAt is the setting whose record has a key; false if the key is of another kind.
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
