package changes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Kind is the kind of a setting.
type Kind uint8

// The kinds of settings.
const (
	KindSystem   Kind = iota + 1 // the system's limits and policy
	KindResource                 // a resource's limits
	KindEntity                   // an entity's record
	KindLimits                   // an entity's limits for a resource, or for all resources
)

// ID names one setting.
type ID struct {
	Kind     Kind
	Entity   string
	Resource string // of KindLimits "" means all resources
}

// String is the id in words.
func (id ID) String() string {
	switch {
	case id.Kind == KindSystem:
		return "the system"
	case id.Kind == KindResource:
		return "resource " + id.Resource
	case id.Kind == KindEntity:
		return "entity " + id.Entity
	case id.Resource == "":
		return "limits of " + id.Entity
	}
	return "limits of " + id.Entity + " on " + id.Resource
}

// Compare orders ids: first the system, then resources, then entities, each before its limits. It returns -1, 0 or 1.
func (id ID) Compare(o ID) int {
	return cmp.Or(
		cmp.Compare(min(id.Kind, KindEntity), min(o.Kind, KindEntity)), cmp.Compare(id.Entity, o.Entity),
		cmp.Compare(id.Kind, o.Kind), cmp.Compare(id.Resource, o.Resource))
}

// record is the key of the setting's record, and its place in an index; nil if it is in none.
func (id ID) record(namespace string) (backend.Key, *backend.Place) {
	var key backend.Key
	var place backend.Place
	switch id.Kind {
	case KindSystem:
		return schema.System(namespace), nil
	case KindResource:
		key, place = schema.Resource(namespace, id.Resource)
	case KindEntity:
		key, place = schema.Entity(namespace, id.Entity)
	default:
		key, place = schema.EntityLimits(namespace, id.Entity, id.Resource)
	}
	return key, &place
}

// idAt is the setting whose record has a key; false if the key is of another kind.
func idAt(k backend.Key) (id ID, ok bool) {
	entity, resource := schema.ConfiguredBy(k)
	switch schema.LayoutOf(k) {
	case schema.EntityLayout:
		id = ID{Kind: KindEntity, Entity: entity}
	case schema.ConfigLayout:
		id = ID{KindLimits, entity, resource}
		if entity == "" {
			id.Kind = KindResource
		}
		if entity == "" && resource == "" {
			id.Kind = KindSystem
		}
	}
	return id, id.Kind != 0
}

// versionSlot is where the setting's record has its version.
func (id ID) versionSlot() backend.Slot {
	if id.Kind == KindEntity {
		return schema.EntityVer
	}
	return schema.ConfigVer
}

// Affects reports whether the limits or the parent of an entity for a resource may come from the setting.
func (id ID) Affects(entity, resource string) bool {
	return (id.Entity == "" || id.Entity == entity) && (id.Resource == "" || id.Resource == resource)
}

// Policy is what is stored for the time in which the store cannot be reached.
type Policy uint8

// The policies, untyped so that package engine gives them its own type. Their values are stored: do not renumber.
const (
	PolicyDefault = iota // nothing is stored
	PolicyBlock
	PolicyAllow
	PolicyLocal
)

// String is the policy's name.
func (p Policy) String() string {
	switch p {
	case PolicyBlock:
		return "block"
	case PolicyAllow:
		return "allow"
	case PolicyLocal:
		return "local"
	case PolicyDefault:
		return "default"
	default:
		return fmt.Sprintf("Policy(%d)", uint8(p))
	}
}

// Entity is what an entity's record says.
type Entity struct {
	ID        string
	Name      string
	Parent    string
	Cascade   bool
	Metadata  map[string]string
	CreatedAt time.Time
}

// Setting is one part of the configuration, as it is stored or as it is wanted.
type Setting struct {
	ID            ID
	Exists        bool
	Manifest      string // that manages it; "" for none
	Limits        []bucket.Limit
	OnUnavailable Policy
	Record        Entity
	Version       int64 // of the record when it was read
}

// SameContent reports whether two settings are equal, apart from the order of their limits and the manifests that manage
// them.
func (s *Setting) SameContent(o *Setting) bool {
	a, b := &s.Record, &o.Record
	return s.Exists == o.Exists && s.OnUnavailable == o.OnUnavailable && slices.Equal(byName(s.Limits), byName(o.Limits)) &&
		a.Name == b.Name && a.Parent == b.Parent && a.Cascade == b.Cascade && maps.Equal(a.Metadata, b.Metadata)
}

// byName returns a sorted copy of limits.
func byName(limits []bucket.Limit) []bucket.Limit {
	return slices.SortedFunc(slices.Values(limits), func(a, b bucket.Limit) int { return cmp.Compare(a.Name, b.Name) })
}

// settingOf decodes a setting's record. It returns ErrSchema if a newer program wrote it.
func settingOf(id ID, r *backend.Record) (s Setting, err error) {
	s = Setting{ID: id, Exists: r.Present()}
	switch {
	case !s.Exists:
		return s, nil
	case id.Kind == KindEntity:
		s.Manifest, _ = r.Text(schema.EntityManifest)
		s.Record, err = EntityOf(id.Entity, r)
	default:
		s.Manifest, _ = r.Text(schema.ConfigManifest)
		s.OnUnavailable = Policy(r.Int64(schema.ConfigUnavailable))
		s.Limits, err = limitsOf(r)
	}
	s.Version = r.Int64(id.versionSlot())
	return s, err
}

// limitsOf decodes the limits in a record, by name; nil if there are none.
func limitsOf(r *backend.Record) ([]bucket.Limit, error) {
	packed, ok := r.Text(schema.ConfigLimits)
	if !ok {
		return nil, nil
	}
	terms, err := schema.Unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrSchema, err)
	}
	limits := make([]bucket.Limit, len(terms))
	for i := range terms {
		limits[i] = terms[i].Limit
	}
	return limits, nil
}

// EntityOf decodes the record of an entity. It returns ErrEntityNotFound if there is none.
func EntityOf(id string, r *backend.Record) (Entity, error) {
	if !r.Present() {
		return Entity{}, fmt.Errorf("%w: %q", ErrEntityNotFound, id)
	}
	e := Entity{ID: id, Cascade: r.Int64(schema.EntityCascade) == 1, CreatedAt: Instant(r.Int64(schema.EntityCreated))}
	e.Name, _ = r.Text(schema.EntityName)
	e.Parent, _ = r.Text(schema.EntityParent)
	if text, ok := r.Text(schema.EntityMetadata); ok {
		if err := json.Unmarshal([]byte(text), &e.Metadata); err != nil {
			return Entity{}, fmt.Errorf("%w: metadata of %q: %w", store.ErrSchema, id, err)
		}
	}
	return e, nil
}

// Instant is a time in ns since the Unix epoch, in UTC.
func Instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }
