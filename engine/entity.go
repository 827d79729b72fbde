package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// The longest texts of an entity, in bytes.
const (
	maxName        = 256
	maxMetadata    = 64 << 10 // all of it, as JSON
	maxMetadataKey = 128
)

// Entity is somebody whose use is limited, such as a user, an API key or a tenant. Limits work for any id; a stored Entity
// is needed only for a parent, a name or metadata.
type Entity struct {
	ID        string            // 1 to 256 bytes of valid UTF-8 without control characters
	Name      string            // for display, up to 256 bytes
	Parent    string            // id of another entity; "" for none
	Cascade   bool              // acquires also charge the parent's bucket
	Metadata  map[string]string // for the caller's use, up to 64 KiB as JSON, keys of 1 to 128 bytes
	CreatedAt time.Time         // set by CreateEntity
}

// EntityUpdate says which fields of an entity change; nil keeps a field.
type EntityUpdate struct {
	Name     *string
	Parent   *string // "" removes the parent
	Cascade  *bool
	Metadata map[string]string // replaces all metadata; empty but not nil removes it
}

// EntityOptions are options of CreateEntity and UpdateEntity; nil means their zero values.
type EntityOptions struct {
	AllowMissingParent bool // the named parent need not exist
}

func (o *EntityOptions) allowMissing() bool { return o != nil && o.AllowMissingParent }

// CreateEntity stores a new entity; e.CreatedAt is ignored. It returns ErrEntityExists if the entity exists, a
// *MissingParentError (an ErrEntityNotFound) if its parent does not exist and the options do not allow that, ErrCycle if
// the way up from it would lead back to it or over more than seven parents, and a *ValidationError for bad input. Audited
// as entity_created.
func (l *Limiter) CreateEntity(ctx context.Context, e Entity, o *EntityOptions) error {
	if err := checkEntityFields(&e); err != nil {
		return err
	}
	return l.change(ctx, SettingID{Kind: SettingEntity, Entity: e.ID}, true, func(c *changes.Change) error {
		if c.Before.Exists {
			return fmt.Errorf("%w: %q", ErrEntityExists, e.ID)
		}
		c.After.Exists, c.After.Record, c.RequiresParent = true, changes.Entity(e), !o.allowMissing()
		return nil
	})
}

// UpdateEntity changes the fields that u names and returns the entity as it is stored afterwards. A new parent moves the
// entity with all its descendants. If that makes the path of a descendant longer than 8, acquires of that descendant fail
// with ErrCycle. It returns ErrEntityNotFound if the entity does not exist, a *MissingParentError (an ErrEntityNotFound
// too) if u names a parent that does not exist and the options do not allow that, ErrCycle, and a *ValidationError for bad
// input. Audited as entity_updated, unless nothing changed.
func (l *Limiter) UpdateEntity(ctx context.Context, id string, u EntityUpdate, o *EntityOptions) (Entity, error) {
	wanted := Entity{ID: id}
	u.apply(&wanted)
	if err := checkEntityFields(&wanted); err != nil {
		return Entity{}, err
	}
	var e Entity
	err := l.change(ctx, SettingID{Kind: SettingEntity, Entity: id}, false, func(c *changes.Change) error {
		if !c.Before.Exists {
			return fmt.Errorf("%w: %q", ErrEntityNotFound, id)
		}
		e = Entity(c.Before.Record)
		u.apply(&e)
		c.After.Record, c.RequiresParent = changes.Entity(e), u.Parent != nil && !o.allowMissing()
		return nil
	})
	if err != nil {
		return Entity{}, err
	}
	return e, nil
}

// DeleteOptions are options of DeleteEntity; nil means their zero values.
type DeleteOptions struct {
	Force bool // children lose their parent instead of preventing the deletion
}

// DeleteEntity deletes an entity with its limits, its buckets and its usage. It returns ErrEntityNotFound if there is
// nothing of it, and ErrHasChildren if it is another's parent, unless forced. A deletion that was interrupted goes on when
// it is called again, and before the entity is created or configured again. Audited as entity_deleted, with a
// limits_deleted for each resource that it had limits for, and an entity_updated for each child.
func (l *Limiter) DeleteEntity(ctx context.Context, id string, o *DeleteOptions) error {
	if err := checkEntity(id); err != nil {
		return err
	}
	if err := l.checkNamespace(ctx); err != nil {
		return err
	}
	return l.admin.Delete(ctx, id, o != nil && o.Force)
}

// Entity reads an entity. It returns ErrEntityNotFound if the entity does not exist.
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

// Entities lists all entities by id. The index behind it lags: an entity that was created a moment ago may be missing, and
// one that was deleted a moment ago may still be listed.
func (l *Limiter) Entities(ctx context.Context, p Page) (List[Entity], error) {
	if err := l.checkNamespace(ctx); err != nil {
		return List[Entity]{}, err
	}
	s := store.Listing{Query: backend.Query{Namespace: l.opts.Namespace, Partition: schema.EntitiesIndex, Index: true}}
	return walk(ctx, l, p, s, func(it backend.Item, r *backend.Record) (Entity, bool, error) {
		e, err := changes.EntityOf(schema.EntityOf(it.Sort), r)
		if errors.Is(err, ErrEntityNotFound) {
			return Entity{}, false, nil
		}
		return Entity(e), true, err
	})
}

// Children lists the entities whose parent is id, by id. They may be there although the parent does not exist, see
// [EntityOptions].
func (l *Limiter) Children(ctx context.Context, id string, p Page) (List[Entity], error) {
	if err := checkEntity(id); err != nil {
		return List[Entity]{}, err
	}
	if err := l.checkNamespace(ctx); err != nil {
		return List[Entity]{}, err
	}
	return walk(ctx, l, p, l.admin.ChildrenOf(id), func(it backend.Item, r *backend.Record) (Entity, bool, error) {
		e, wanted, err := changes.Child(id, it, r)
		return Entity(e), wanted, err
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

// checkEntityFields returns an error unless the entity can be stored.
func checkEntityFields(e *Entity) error {
	if err := checkEntity(e.ID); err != nil {
		return err
	}
	if len(e.Name) > maxName || !utf8.ValidString(e.Name) {
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
		if k == "" || len(k) > maxMetadataKey || !utf8.ValidString(k) || !utf8.ValidString(v) {
			return &ValidationError{"Metadata[" + k + "]", v, "must be UTF-8, with a key of 1 to 128 bytes"}
		}
	}
	text, err := changes.EncodeMetadata(e.Metadata)
	if len(text) > maxMetadata {
		return &ValidationError{"Metadata", len(text), "must be at most 65536 bytes as JSON"}
	}
	return err
}
