package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// ResourcesWithEntityLimits lists the resources for which at least one entity has limits of its own, in the store's key order,
// whether or not the resource has limits. EntitiesWithLimits lists these entities. Limits of an entity for all resources do
// not count. It returns a *ValidationError for a bad page.
func (l *Limiter) ResourcesWithEntityLimits(ctx context.Context, p Page) (List[string], error) {
	if err := l.checkNamespace(ctx); err != nil {
		return List[string]{}, err
	}
	s := store.Listing{Query: backend.Query{Namespace: l.opts.Namespace, Partition: schema.LimitedPartition}, Keys: l.admin.LimitedKeys}
	return walk(ctx, l, p, s, func(it backend.Item, _ *backend.Record) (string, bool, error) {
		resource, _ := schema.LimitedResource(it.Sort)
		return resource, true, nil // also if this entity's limits were deleted since: another's may be there
	})
}
