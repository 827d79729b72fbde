package load

import (
	"context"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Clean removes the buckets that a run has made, as they were when the run had ended: a request that is carried out late
// does not remove what somebody has made under the same name since. What is removed is full again.
func Clean(ctx context.Context, store backend.Backend, namespace, resource string, entities []string) error {
	for some := range slices.Chunk(entities, backend.MaxCommit) {
		if err := clean(ctx, store, namespace, resource, some); err != nil {
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
		if born, there := found[i].Num(schema.Born); there {
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
