package aggregator

import (
	"errors"
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// deletedBuckets are the deleted buckets of one entity: their versions by resource, and the changes that deleted them.
type deletedBuckets struct {
	versions map[string]int64
	at       map[backend.Key]int // index of the deletion among the changes of the key
}

// removeDeleted removes the usage of deleted buckets, including usage that was counted after the deletion of the entity had
// removed the rest. Usage of a bucket that was created again is kept. For deleted buckets, it leaves only the changes after the
// last deletion in byKey, and none if removing the usage failed.
func (b *batch) removeDeleted(keys []backend.Key, byKey map[backend.Key][]int) {
	entities := map[backend.Key]*deletedBuckets{} // by the partition of their usage
	for _, k := range keys {
		entity, resource, isBucket := schema.BucketOf(k)
		at := b.lastDeletion(byKey[k])
		if !isBucket || at < 0 {
			continue
		}
		of := backend.Key{Namespace: k.Namespace, Partition: schema.UsagePartition(entity)}
		if entities[of] == nil {
			entities[of] = &deletedBuckets{map[string]int64{}, map[backend.Key]int{}}
		}
		entities[of].versions[resource] = b.changes[byKey[k][at]].Before.Int64(schema.Ver)
		entities[of].at[k] = at
	}
	for of, deleted := range entities {
		err := b.removeEntityUsage(of, deleted.versions)
		for k, at := range deleted.at {
			if err != nil {
				b.failFrom(byKey[k][at:], fmt.Errorf("aggregator: remove the usage of %v: %w", k, err))
				byKey[k] = nil
				continue
			}
			byKey[k] = byKey[k][at+1:]
		}
	}
}

// lastDeletion returns the index of the last change that removed a bucket before it expired, -1 if there is none.
func (b *batch) lastDeletion(indexes []int) int {
	for at, i := range slices.Backward(indexes) {
		if c := &b.changes[i]; c.Before.Present() && !c.After.Present() && !b.expired(c) {
			return at
		}
	}
	return -1
}

// expired reports whether a removed record had expired when it was removed. If the store reports the time of the change, it does
// not matter how late the change is processed.
func (b *batch) expired(c *backend.Change) bool {
	now := b.now.Unix()
	if c.At > 0 {
		now = min(now, c.At)
	}
	return c.Before.Expiry() != backend.NoExpiry && int64(c.Before.Expiry()) <= now
}

// removeEntityUsage removes an entity's snapshots of these resources, up to their versions.
func (b *batch) removeEntityUsage(of backend.Key, vers map[string]int64) error {
	q := backend.Query{Namespace: of.Namespace, Partition: of.Partition, Size: backend.MaxPage}
	for {
		page, err := b.a.store.List(b.ctx, q)
		if err != nil {
			return err
		}
		var keys []backend.Key
		for _, it := range page.Items {
			_, resource, _, _, ok := schema.UsageOf(it.Key)
			if _, deleted := vers[resource]; ok && deleted && it.Key.Validate() == nil {
				keys = append(keys, it.Key)
			}
		}
		if err := b.removeUsage(keys, vers); err != nil {
			return err
		}
		if !page.More {
			return nil
		}
		q.After = &page.Items[len(page.Items)-1]
	}
}

// removeUsage removes the snapshots that include nothing after the deletion of their bucket. Each removal has a version as its
// condition: first the version of the deletion, which most snapshots have, then the one that the refused write returned. So a
// request that takes effect late, after usage of a new bucket was counted, removes nothing. Snapshots need not be read, which
// the function's role does not allow.
func (b *batch) removeUsage(keys []backend.Key, vers map[string]int64) error {
	deleted := func(k backend.Key) backend.Num {
		_, resource, _, _, _ := schema.UsageOf(k)
		return backend.Int(vers[resource])
	}
	writes := make([]backend.Write, len(keys))
	for i, k := range keys {
		writes[i] = backend.Write{
			Key: k, Layout: schema.UsageLayout, Remove: true,
			Conds: []backend.Cond{{Slot: schema.UsageVer, Op: backend.Equal, A: deleted(k)}},
		}
	}
	for try := 1; len(writes) > 0; try++ {
		refused, err := b.remove(writes)
		if err != nil {
			return err
		}
		writes = slices.DeleteFunc(refused, func(w backend.Write) bool { return deleted(w.Key).Less(w.Conds[0].A) })
		if try == maxErrors && len(writes) > 0 {
			return backend.ErrContention
		}
	}
	return nil
}

// remove removes each snapshot that has the version of its write. For those with another version, it returns writes with that
// version.
func (b *batch) remove(writes []backend.Write) (refused []backend.Write, err error) {
	for try := 1; ; try++ {
		outs := make([]backend.Outcome, len(writes))
		_ = b.a.store.Apply(b.ctx, writes, outs) // the outcomes have the errors
		err, refused = nil, nil
		for i := range outs {
			o := &outs[i]
			switch ver, found := o.Record.Num(schema.UsageVer); {
			case errors.Is(o.Err, backend.ErrInvalid): // kept: its version is unreadable
			case o.Err != nil:
				err = o.Err
			case o.Applied:
				b.removed++
			case found:
				w := writes[i]
				w.Conds = []backend.Cond{{Slot: schema.UsageVer, Op: backend.Equal, A: ver}}
				refused = append(refused, w)
			}
		}
		if err == nil || try == maxErrors || !isRetryable(err) || b.pause(try) != nil {
			return refused, err
		}
	}
}
