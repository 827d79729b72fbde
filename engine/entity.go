package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Lengths of what an entity says of itself, in bytes.
const (
	mostName        = 256
	mostMetadata    = 64 << 10 // all of it, as JSON
	mostMetadataKey = 128
)

// Entity is who is limited: a user, an API key, a tenant. An id can be limited without there being an Entity; one is
// needed for a parent, for a name and for metadata.
type Entity struct {
	ID        string            // 1 to 256 bytes of valid UTF-8 without control characters
	Name      string            // for people, up to 256 bytes
	Parent    string            // id of another entity; "": none
	Cascade   bool              // acquires take from the parent's bucket too
	Metadata  map[string]string // the caller's own, up to 64 KiB as JSON, keys of 1 to 128 bytes
	CreatedAt time.Time         // set by CreateEntity
}

// EntityUpdate says what of an entity changes; nil keeps.
type EntityUpdate struct {
	Name     *string
	Parent   *string // "" removes
	Cascade  *bool
	Metadata map[string]string // replaces all of it; empty but not nil removes it
}

// EntityOptions tell how an entity is created or updated; nil is fine.
type EntityOptions struct {
	AllowMissingParent bool // the parent that is named need not exist
}

func (o *EntityOptions) allowMissing() bool { return o != nil && o.AllowMissingParent }

// CreateEntity stores a new entity; e.CreatedAt is not looked at. ErrEntityExists if there is one; a *MissingParentError,
// which is ErrEntityNotFound, if its parent does not exist, unless the options allow that; ErrCycle if its parents would
// lead back to it or be more than seven; *ValidationError. Audited as entity_created.
func (l *Limiter) CreateEntity(ctx context.Context, e Entity, o *EntityOptions) error {
	if err := checkWhole(&e); err != nil {
		return err
	}
	return l.changeSetting(ctx, SettingID{Kind: SettingEntity, Entity: e.ID}, true, func(c *change) error {
		if c.before.Exists {
			return fmt.Errorf("%w: %q", ErrEntityExists, e.ID)
		}
		c.after.Exists, c.after.Record, c.requiresParent = true, e, !o.allowMissing()
		return nil
	})
}

// UpdateEntity changes what u names and returns the entity as it is then. A changed parent moves the entity, with all
// below it; a path that becomes longer than 8 further down is rejected when it is used. ErrEntityNotFound; a
// *MissingParentError, which is one, if u names a parent that does not exist, unless the options allow that; ErrCycle;
// *ValidationError. Audited as entity_updated, unless nothing changed.
func (l *Limiter) UpdateEntity(ctx context.Context, id string, u EntityUpdate, o *EntityOptions) (Entity, error) {
	wanted := Entity{ID: id}
	u.apply(&wanted)
	if err := checkWhole(&wanted); err != nil {
		return Entity{}, err
	}
	var e Entity
	err := l.changeSetting(ctx, SettingID{Kind: SettingEntity, Entity: id}, false, func(c *change) error {
		if !c.before.Exists {
			return fmt.Errorf("%w: %q", ErrEntityNotFound, id)
		}
		u.apply(&c.after.Record)
		e, c.requiresParent = c.after.Record, u.Parent != nil && !o.allowMissing()
		return nil
	})
	if err != nil {
		return Entity{}, err
	}
	return e, nil
}

// Entity reads an entity. ErrEntityNotFound where there is none.
func (l *Limiter) Entity(ctx context.Context, id string) (Entity, error) {
	if err := checkEntity(id); err != nil {
		return Entity{}, err
	}
	s, err := l.setting(ctx, SettingID{Kind: SettingEntity, Entity: id})
	if err == nil && !s.Exists {
		err = fmt.Errorf("%w: %q", ErrEntityNotFound, id)
	}
	return s.Record, err
}

// Entities lists all entities by id. One that was created or deleted just now may be missing or be listed still.
func (l *Limiter) Entities(ctx context.Context, p Page) (List[Entity], error) {
	if err := l.checkNamespace(ctx); err != nil {
		return List[Entity]{}, err
	}
	s := listing{query: backend.Query{Namespace: l.opts.Namespace, Partition: schema.EntitiesIndex, Index: true}}
	return walk(ctx, l, p, s, func(it backend.Item, r *backend.Record) (Entity, bool, error) {
		e, err := entityOf(schema.EntityOf(it.Sort), r)
		if errors.Is(err, ErrEntityNotFound) {
			return e, false, nil
		}
		return e, true, err
	})
}

func (u *EntityUpdate) apply(e *Entity) {
	if u.Name != nil {
		e.Name = *u.Name
	}
	if u.Parent != nil {
		e.Parent = *u.Parent
	}
	if u.Cascade != nil {
		e.Cascade = *u.Cascade
	}
	if u.Metadata != nil {
		e.Metadata = u.Metadata
	}
}

// checkWhole refuses what cannot be stored.
func checkWhole(e *Entity) error {
	if err := checkEntity(e.ID); err != nil {
		return err
	}
	if len(e.Name) > mostName || !utf8.ValidString(e.Name) {
		return &ValidationError{"Name", e.Name, "must be UTF-8 of at most 256 bytes"}
	}
	if e.Parent != "" {
		if err := checkEntityID("Parent", e.Parent); err != nil {
			return err
		}
		if e.Parent == e.ID {
			return fmt.Errorf("%w: %q is its own parent", ErrCycle, e.ID)
		}
	}
	for k, v := range e.Metadata {
		if k == "" || len(k) > mostMetadataKey || !utf8.ValidString(k) || !utf8.ValidString(v) {
			return &ValidationError{"Metadata[" + k + "]", v, "must be UTF-8, with a key of 1 to 128 bytes"}
		}
	}
	text, err := encodeMetadata(e.Metadata)
	if len(text) > mostMetadata {
		return &ValidationError{"Metadata", len(text), "must be at most 65536 bytes as JSON"}
	}
	return err
}

// encodeMetadata is what is stored, "" for nothing.
func encodeMetadata(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "", nil
	}
	return document(m)
}
