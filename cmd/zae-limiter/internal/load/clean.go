package load

import (
	"context"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Clean removes the buckets that a run has created. A removal that takes effect late does not remove a bucket that was created later
// under the same name. A removed bucket is full.
func Clean(ctx context.Context, store backend.Backend, namespace, resource string, entities []string) error {
	for page := range slices.Chunk(entities, backend.MaxCommit) {
		if err := clean(ctx, store, namespace, resource, page); err != nil {
			return err
		}
	}
	return nil
}

func clean(ctx context.Context, store backend.Backend, namespace, resource string, entities []string) error {
	keys, found := make([]backend.Key, len(entities)), make([]backend.Record, len(entities))
	for i, entity := range entities {
		keys[i], _ = schema.Bucket(namespace, entity, resource)
		found[i].Reset(schema.BucketLayout)
	}
	if err := store.Read(ctx, keys, found); err != nil {
		return err
	}
	var writes []backend.Write
	for i := range found {
		if born, exists := found[i].Num(schema.Born); exists {
			writes = append(writes, backend.Write{
				Key: keys[i], Layout: schema.BucketLayout, Remove: true,
				Conds: []backend.Cond{{Slot: schema.Born, Op: backend.Equal, A: born}},
			})
		}
	}
	if len(writes) == 0 {
		return nil
	}
	return store.Apply(ctx, writes, make([]backend.Outcome, len(writes)))
}
