package changes

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/follow"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// MostPath is how many entities a path may have, the first included.
const MostPath = 8

// Admin changes the settings of one namespace. All exported fields must be set. Safe for concurrent use.
type Admin struct {
	Store     *store.Store
	Follower  *follow.Follower // of the namespace: it gives the ids of events, and is told of those that are written
	Namespace string
	Principal string // who the events name; "" for nobody
	Now       func() (int64, error)

	// Forget is called after each try to change settings, whatever became of it.
	Forget func(...ID)
	// ForgetNamespace is called after each try to change a namespace, whatever became of it.
	ForgetNamespace func(name string)
	// SetPolicy is called when a policy of the system is stored.
	SetPolicy func(Policy)
	// MissingParent makes the error for an entity whose parent must exist and will not.
	MissingParent func(entity, parent string) error
	// Orphaned makes the error for an entity that is to be deleted and would still be the child's parent.
	Orphaned func(entity, child string) error
}

// Retry calls attempt, with the time, again as long as it meets conflicts. See [store.Store.RetryConflicts].
func (a *Admin) Retry(ctx context.Context, attempt func(now int64) error) error {
	return a.Store.RetryConflicts(ctx, func() error {
		now, err := a.Now()
		if err != nil {
			return err
		}
		return attempt(now)
	})
}

// Read reads a setting.
func (a *Admin) Read(ctx context.Context, id ID) (Setting, error) {
	key, _ := id.record(a.Namespace)
	r, err := a.Store.ReadOne(ctx, key)
	if err != nil {
		return Setting{}, err
	}
	return settingOf(id, r)
}

// ChildrenOf lists the entities whose parent is id, by id; Child decodes them.
func (a *Admin) ChildrenOf(id string) store.Listing {
	of := store.Listing{Query: backend.Query{Namespace: a.Namespace, Partition: schema.EntityPartition(id)}}
	of.Query.From, of.Query.To = schema.ChildRange()
	of.Record = func(it backend.Item) backend.Key {
		key, _ := schema.Entity(a.Namespace, schema.ChildOf(it.Key))
		return key
	}
	return of
}

// Child decodes an item of ChildrenOf; false if the entity was deleted or moved since it was listed.
func Child(of string, it backend.Item, r *backend.Record) (Entity, bool, error) {
	if parent, _ := r.Text(schema.EntityParent); parent != of {
		return Entity{}, false, nil
	}
	e, err := EntityOf(schema.ChildOf(it.Key), r)
	return e, true, err
}

func (a *Admin) children(ctx context.Context, id string, page store.Range) ([]Entity, string, error) {
	return store.Walk(ctx, a.Store, a.ChildrenOf(id), page, func(it backend.Item, r *backend.Record) (Entity, bool, error) {
		return Child(id, it, r)
	})
}

// LimitsOf lists the limits of an entity.
func (a *Admin) LimitsOf(entity string) store.Listing {
	of := store.Listing{Query: backend.Query{Namespace: a.Namespace, Partition: schema.EntityPartition(entity)}}
	of.Query.From, of.Query.To = schema.LimitsRange()
	return of
}

// BucketsOf lists the buckets of an entity.
func (a *Admin) BucketsOf(entity string) store.Listing {
	return store.Listing{Query: backend.Query{Namespace: a.Namespace, Partition: schema.EntityPartition(entity), Index: true}}
}

func (a *Admin) usageOf(entity string) store.Listing {
	return store.Listing{Query: backend.Query{Namespace: a.Namespace, Partition: schema.UsagePartition(entity)}}
}

// LimitedKeys lists one mark of each resource, with one request for each.
func (a *Admin) LimitedKeys(ctx context.Context, q backend.Query) (found backend.Keys, err error) {
	size := q.Size
	q.Size = 1
	if q.After != nil {
		_, q.From = schema.LimitedResource(q.After.Sort)
		q.After = nil
	}
	for found.More = true; found.More && len(found.Items) < size; {
		next, err := a.Store.Keys(ctx, q)
		if err != nil {
			return backend.Keys{}, err
		}
		found.Items, found.More = append(found.Items, next.Items...), next.More && len(next.Items) > 0
		if found.More {
			_, q.From = schema.LimitedResource(next.Items[0].Sort)
		}
	}
	return found, nil
}
