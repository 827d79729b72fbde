package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Children lists the entities whose parent is id, by id. A parent need not exist itself, if that was allowed.
func (l *Limiter) Children(ctx context.Context, id string, p Page) (List[Entity], error) {
	if err := checkEntity(id); err != nil {
		return List[Entity]{}, err
	}
	if err := l.admit(ctx); err != nil {
		return List[Entity]{}, err
	}
	return l.children(ctx, id, p)
}

func (l *Limiter) children(ctx context.Context, id string, p Page) (List[Entity], error) {
	ns := l.opts.Namespace
	s := listing{query: backend.Query{Namespace: ns, Partition: schema.EntityPartition(id)}}
	s.query.From, s.query.To = schema.ChildRange()
	s.of = func(it backend.Item) backend.Key {
		key, _ := schema.Entity(ns, schema.ChildOf(it.Key))
		return key
	}
	return walk(ctx, l, p, s, func(it backend.Item, r *backend.Record) (Entity, bool, error) {
		if parent, _ := r.Text(schema.EntityParent); parent != id {
			return Entity{}, false, nil // it went or moved since it was listed
		}
		e, err := entityOf(schema.ChildOf(it.Key), r)
		return e, true, err
	})
}

// adopt gives the writes that move an entity from one parent to another ("": none): the parents' marks of it, and the
// demand that no ancestor changes meanwhile. Two changes that would close a circle together cannot both be made then:
// each demands that the other's entity is as it was. Nor can the new parent be deleted meanwhile: either its deletion
// comes first, and the demand fails, or it finds that the parent has been given a child (see unadopted).
func (l *Limiter) adopt(ctx context.Context, id, from, to string, allowMissing bool, now int64) ([]backend.Write, error) {
	ns := l.opts.Namespace
	writes, exists, err := l.ancestors(ctx, id, to)
	if err != nil {
		return nil, err
	}
	if to != "" && !exists && !allowMissing {
		return nil, &MissingParentError{id, to}
	}
	if from == to {
		return writes, nil
	}
	if from != "" {
		writes = append(writes, backend.Write{Key: schema.Child(ns, from, id), Layout: schema.MarkLayout, Remove: true})
	}
	if to != "" {
		writes = append(writes, setMark(schema.Child(ns, to, id), now))
	}
	if exists {
		writes = append(writes, adopted(ns, to, now))
	}
	return writes, nil
}

// adopted lets the mark grow that an entity, which exists, was given a child.
func adopted(namespace, parent string, now int64) backend.Write {
	return backend.Write{
		Key: schema.Adoption(namespace, parent), Layout: schema.MarkLayout,
		Effects: []backend.Effect{{Slot: schema.MarkAt, Op: backend.Add, Num: one, Base: backend.Int(now - 1)}},
	}
}

// unadopted removes that mark of an entity that goes, and demands that it is as it was in r, read before its children
// were listed: an entity that was given a child since then does not go.
func unadopted(namespace, parent string, r *backend.Record) backend.Write {
	w := holds(schema.Adoption(namespace, parent), r, schema.MarkAt)
	w.Remove = true
	return w
}

// ancestors walks up from parent, and demands of each entity on the way, be it there or not, that it stays as it is.
// It tells whether the parent exists.
func (l *Limiter) ancestors(ctx context.Context, id, parent string) (writes []backend.Write, exists bool, err error) {
	for parent != "" {
		if parent == id || len(writes) == mostPath-1 {
			return nil, false, fmt.Errorf("%w: above %q", ErrCycle, id)
		}
		key, _ := schema.Entity(l.opts.Namespace, parent)
		r, err := l.readOne(ctx, key)
		if err != nil {
			return nil, false, err
		}
		exists = exists || len(writes) == 0 && r.Present()
		writes = append(writes, holds(key, r, schema.EntityVer))
		parent, _ = r.Text(schema.EntityParent)
	}
	return writes, exists, nil
}

// entityOf reads the record of an entity. ErrEntityNotFound where there is none.
func entityOf(id string, r *backend.Record) (Entity, error) {
	if !r.Present() {
		return Entity{}, fmt.Errorf("%w: %q", ErrEntityNotFound, id)
	}
	e := Entity{ID: id, Cascade: r.Int64(schema.EntityCascade) == 1, CreatedAt: instant(r.Int64(schema.EntityCreated))}
	e.Name, _ = r.Text(schema.EntityName)
	e.Parent, _ = r.Text(schema.EntityParent)
	if text, ok := r.Text(schema.EntityMetadata); ok {
		if err := json.Unmarshal([]byte(text), &e.Metadata); err != nil {
			return Entity{}, fmt.Errorf("%w: metadata of %q: %w", ErrSchema, id, err)
		}
	}
	return e, nil
}

// entityDocument is an entity in an audit event.
type entityDocument struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Parent    string            `json:"parent"`
	Cascade   bool              `json:"cascade"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
}

func (e *Entity) document() entityDocument {
	return entityDocument{e.ID, e.Name, e.Parent, e.Cascade, e.Metadata, e.CreatedAt}
}

func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }

func setNum(s backend.Slot, n int64) backend.Effect {
	return backend.Effect{Slot: s, Op: backend.Set, Num: backend.Int(n)}
}

// setText stores a text, or takes the field away where it is empty.
func setText(s backend.Slot, text string) backend.Effect {
	if text == "" {
		return backend.Effect{Slot: s, Op: backend.Unset}
	}
	return backend.Effect{Slot: s, Op: backend.Set, Text: text}
}

// setMark makes a record that says what it says by being there.
func setMark(key backend.Key, now int64) backend.Write {
	return backend.Write{Key: key, Layout: schema.MarkLayout, Effects: []backend.Effect{setNum(schema.MarkAt, now)}}
}
