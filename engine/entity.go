package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	defer l.forgetEntity(e.ID)
	return l.admitted(ctx, func(now int64) error { return l.createEntity(ctx, e, o.allowMissing(), now) })
}

func (l *Limiter) createEntity(ctx context.Context, e Entity, allowMissing bool, now int64) error {
	key, place := schema.Entity(l.opts.Namespace, e.ID)
	guard := unmarked(l.opts.Namespace, e.ID)
	out, err := l.read(ctx, []backend.Key{key, guard.Key})
	if err != nil {
		return err
	}
	if out[0].Present() {
		return fmt.Errorf("%w: %q", ErrEntityExists, e.ID)
	}
	if out[1].Present() {
		if err := l.finishDeletion(ctx, e.ID, out[1].Int64(schema.MarkAt), now); err != nil {
			return err
		}
	}
	writes, err := l.adopt(ctx, e.ID, "", e.Parent, allowMissing, now)
	if err != nil {
		return err
	}
	e.CreatedAt = instant(now)
	w, err := entityWrite(key, &out[0], &e, now)
	if err != nil {
		return err
	}
	w.Index = &place
	return l.commitAudited(ctx, now, event{action: actionEntityCreated, entity: e.ID, after: e.document()}, append(writes, w, guard)...)
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
	err := l.admitted(ctx, func(now int64) (err error) {
		e, err = l.updateEntity(ctx, id, u.Parent == nil || o.allowMissing(), now, u.apply)
		return err
	})
	if err != nil {
		return Entity{}, err
	}
	return e, nil
}

// updateEntity changes what f changes in the entity.
func (l *Limiter) updateEntity(ctx context.Context, id string, allowMissing bool, now int64, f func(*Entity)) (Entity, error) {
	key, _ := schema.Entity(l.opts.Namespace, id)
	r, err := l.readOne(ctx, key)
	if err != nil {
		return Entity{}, err
	}
	before, err := entityOf(id, r)
	if err != nil {
		return Entity{}, err
	}
	after := before
	f(&after)
	var writes []backend.Write
	if after.Parent != before.Parent || !allowMissing { // who named the parent that it has is told, too, if that is missing
		if writes, err = l.adopt(ctx, id, before.Parent, after.Parent, allowMissing, now); err != nil {
			return Entity{}, err
		}
	}
	if after.equal(&before) {
		return after, nil
	}
	w, err := entityWrite(key, r, &after, now)
	if err != nil {
		return Entity{}, err
	}
	defer l.forgetEntity(id)
	e := event{action: actionEntityUpdated, entity: id, before: before.document(), after: after.document()}
	return after, l.commitAudited(ctx, now, e, append(writes, w)...)
}

// Entity reads an entity. ErrEntityNotFound where there is none.
func (l *Limiter) Entity(ctx context.Context, id string) (Entity, error) {
	if err := checkEntity(id); err != nil {
		return Entity{}, err
	}
	if err := l.admit(ctx); err != nil {
		return Entity{}, err
	}
	key, _ := schema.Entity(l.opts.Namespace, id)
	r, err := l.readOne(ctx, key)
	if err != nil {
		return Entity{}, err
	}
	return entityOf(id, r)
}

// Entities lists all entities by id. One that was created or deleted just now may be missing or be listed still.
func (l *Limiter) Entities(ctx context.Context, p Page) (List[Entity], error) {
	if err := l.admit(ctx); err != nil {
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

// forgetEntity makes the next acquires of the entity read its configuration and parent.
func (l *Limiter) forgetEntity(id string) {
	l.buckets.forget(func(h *handle) bool { return h.id.entity == id })
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

func (e *Entity) equal(o *Entity) bool {
	return e.ID == o.ID && e.Name == o.Name && e.Parent == o.Parent && e.Cascade == o.Cascade &&
		maps.Equal(e.Metadata, o.Metadata) && e.CreatedAt.Equal(o.CreatedAt)
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

// entityWrite stores e over r, the record as it was read.
func entityWrite(key backend.Key, r *backend.Record, e *Entity, now int64) (backend.Write, error) {
	metadata, err := encodeMetadata(e.Metadata)
	var cascade backend.Num
	if e.Cascade {
		cascade = one
	}
	return backend.Write{
		Key: key, Layout: schema.EntityLayout, Conds: []backend.Cond{unchanged(r, schema.EntityVer)},
		Effects: []backend.Effect{
			setNum(schema.EntityVer, following(now, r, schema.EntityVer)),
			setNum(schema.EntityCreated, e.CreatedAt.UnixNano()),
			{Slot: schema.EntityCascade, Op: backend.Set, Num: cascade},
			setText(schema.EntityName, e.Name), setText(schema.EntityParent, e.Parent), setText(schema.EntityMetadata, metadata),
		},
	}, err
}
