package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Children lists the entities whose parent is id, by id. They may be there although the parent does not exist, see
// [EntityOptions].
func (l *Limiter) Children(ctx context.Context, id string, p Page) (List[Entity], error) {
	if err := checkEntity(id); err != nil {
		return List[Entity]{}, err
	}
	if err := l.checkNamespace(ctx); err != nil {
		return List[Entity]{}, err
	}
	return l.children(ctx, id, p)
}

func (l *Limiter) children(ctx context.Context, id string, p Page) (List[Entity], error) {
	ns := l.opts.Namespace
	s := store.Listing{Query: backend.Query{Namespace: ns, Partition: schema.EntityPartition(id)}}
	s.Query.From, s.Query.To = schema.ChildRange()
	s.Record = func(it backend.Item) backend.Key {
		key, _ := schema.Entity(ns, schema.ChildOf(it.Key))
		return key
	}
	return walk(ctx, l, p, s, func(it backend.Item, r *backend.Record) (Entity, bool, error) {
		if parent, _ := r.Text(schema.EntityParent); parent != id {
			return Entity{}, false, nil // it was deleted or moved since it was listed
		}
		e, err := entityOf(schema.ChildOf(it.Key), r)
		return e, true, err
	})
}

// entityOf decodes the record of an entity. It returns ErrEntityNotFound if there is none.
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

func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }
