package engine

import (
	"context"
	"fmt"

	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/names"
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
func (id SettingID) String() string { return id.internal().String() }

// Compare orders ids: first the system, then resources, then entities, each before its limits. It returns -1, 0 or 1.
func (id SettingID) Compare(o SettingID) int {
	return id.internal().Compare(o.internal())
}

// Setting is one part of the configuration, as it is stored or as it is wanted. A manifest can manage it.
type Setting struct {
	ID            SettingID
	Exists        bool    // it is stored; if false, all fields below are zero
	Manifest      string  // the manifest that manages it; "" if none does
	Limits        []Limit // by name when read; empty for SettingEntity, and for a system that has only a policy
	OnUnavailable Policy  // of SettingSystem
	Record        Entity  // of SettingEntity; CreatedAt is set when the entity is created

	version int64 // of the record when it was read
}

// SameContent reports whether two settings are equal, apart from the order of their limits and the manifests that manage
// them.
func (s *Setting) SameContent(o *Setting) bool {
	a, b := s.internal(), o.internal()
	return a.SameContent(&b)
}

// Settings reads any number of settings and returns them in the order of the ids; Exists is false for those that are not
// stored. They are not a snapshot: each is read at a moment of its own. It returns a *ValidationError for bad input.
func (l *Limiter) Settings(ctx context.Context, ids []SettingID) ([]Setting, error) {
	internal := make([]changes.ID, len(ids))
	for i, id := range ids {
		if err := id.check(); err != nil {
			return nil, err
		}
		internal[i] = id.internal()
	}
	if err := l.checkNamespace(ctx); err != nil {
		return nil, err
	}
	all, err := l.admin.ReadAll(ctx, internal)
	if err != nil {
		return nil, err
	}
	return converted(all, settingFrom), nil
}

// ManagedSettings reads the settings that a manifest manages, ordered by [SettingID.Compare], or returns a *ValidationError.
func (l *Limiter) ManagedSettings(ctx context.Context, manifest string) ([]Setting, error) {
	if err := CheckManifest(manifest); err != nil {
		return nil, err
	}
	if err := l.checkNamespace(ctx); err != nil {
		return nil, err
	}
	all, err := l.admin.Managed(ctx, manifest)
	return converted(all, settingFrom), err
}

// AllSettings reads every setting of the limiter's namespace, in the order of [SettingID.Compare]. It scans all records of
// the namespace, also buckets: on DynamoDB that reads the whole table. It returns a *ValidationError if the store cannot
// scan.
func (l *Limiter) AllSettings(ctx context.Context) ([]Setting, error) {
	if l.store.Capabilities().Scan == nil {
		return nil, &ValidationError{"store", fmt.Sprintf("%T", l.store.Backend), "cannot list a whole namespace, which reading all settings needs"}
	}
	if err := l.checkNamespace(ctx); err != nil {
		return nil, err
	}
	all, err := l.admin.Scan(ctx)
	return converted(all, settingFrom), err
}

// CheckManifest returns a *ValidationError unless name can be the name of a manifest: 1 to 64 bytes, letters, digits and
// _.-, beginning with a letter or digit.
func CheckManifest(name string) error { return checkName(names.Manifest, "Manifest", name) }

// CheckNamespace returns a *ValidationError unless name can be the name of a namespace, by the same rule.
func CheckNamespace(name string) error { return checkName(names.Namespace, "Namespace", name) }

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

// internal is the id as package changes has it.
func (id SettingID) internal() changes.ID {
	return changes.ID{Kind: changes.Kind(id.Kind), Entity: id.Entity, Resource: id.Resource}
}

// internal is the setting as package changes has it.
func (s *Setting) internal() changes.Setting {
	return changes.Setting{
		ID: s.ID.internal(), Exists: s.Exists, Manifest: s.Manifest, Limits: s.Limits,
		OnUnavailable: changes.Policy(s.OnUnavailable), Record: changes.Entity(s.Record), Version: s.version,
	}
}

// settingFrom is a setting of package changes.
func settingFrom(s changes.Setting) Setting {
	return Setting{
		ID: SettingID{SettingKind(s.ID.Kind), s.ID.Entity, s.ID.Resource}, Exists: s.Exists, Manifest: s.Manifest, Limits: s.Limits,
		OnUnavailable: Policy(s.OnUnavailable), Record: Entity(s.Record), version: s.Version,
	}
}
