package load

import (
	"context"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Clean removes the buckets that a run has made. Nobody else may use these entities: what is removed is full again.
func Clean(ctx context.Context, store backend.Backend, namespace, resource string, entities []string) error {
	writes := make([]backend.Write, len(entities))
	for i, entity := range entities {
		key, _ := schema.Bucket(namespace, entity, resource)
		writes[i] = backend.Write{Key: key, Layout: schema.BucketLayout, Remove: true}
	}
	for some := range slices.Chunk(writes, backend.MaxCommit) {
		if err := store.Apply(ctx, some, make([]backend.Outcome, len(some))); err != nil {
			return err
		}
	}
	return nil
}
