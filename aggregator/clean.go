package aggregator

import (
	"errors"
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// removals are the buckets of one entity that were deleted: by resource, at which version, and by which change.
type removals struct {
	vers map[string]int64
	at   map[backend.Key]int // index among the changes of the key
}

// clean removes the usage of buckets that were deleted. What was counted late, when whoever deleted the entity had removed
// the usage already, goes that way too; what a bucket made anew consumed stays. Of such buckets only the changes behind
// the last deletion are left in byKey: none where their usage could not be removed.
func (b *batch) clean(keys []backend.Key, byKey map[backend.Key][]int) {
	entities := map[backend.Key]*removals{} // by the partition of their usage
	for _, k := range keys {
		entity, resource, isBucket := schema.BucketOf(k)
		at := b.lastDeletion(byKey[k])
		if !isBucket || at < 0 {
			continue
		}
		of := backend.Key{Namespace: k.Namespace, Partition: schema.UsagePartition(entity)}
		if entities[of] == nil {
			entities[of] = &removals{map[string]int64{}, map[backend.Key]int{}}
		}
		entities[of].vers[resource] = b.changes[byKey[k][at]].Before.Int64(schema.Ver)
		entities[of].at[k] = at
	}
	for of, gone := range entities {
		err := b.cleanEntity(of, gone.vers)
		for k, at := range gone.at {
			if err != nil {
				b.giveUp(byKey[k][at:], fmt.Errorf("aggregator: usage of %v was not removed: %w", k, err))
				byKey[k] = nil
				continue
			}
			byKey[k] = byKey[k][at+1:]
		}
	}
}

// lastDeletion is the last of the changes by which a bucket went before its time, -1 where there is none.
func (b *batch) lastDeletion(indexes []int) int {
	for at, i := range slices.Backward(indexes) {
		if c := &b.changes[i]; c.Before.Present() && !c.After.Present() && !b.expired(c) {
			return at
		}
	}
	return -1
}

// expired reports whether a bucket that is gone had expired when it went. How far its change is behind does not matter
// if the store tells when that was.
func (b *batch) expired(c *backend.Change) bool {
	now := b.now.Unix()
	if c.At > 0 {
		now = min(now, c.At)
	}
	return c.Before.Expiry() != backend.NoExpiry && int64(c.Before.Expiry()) <= now
}

// cleanEntity removes an entity's snapshots of these resources, up to their versions.
func (b *batch) cleanEntity(of backend.Key, vers map[string]int64) error {
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

// removeUsage removes those of the snapshots that have nothing of a life of their bucket after its deletion: each at one
// version, first at that of the deletion, which most have, then at the one that the refusal shows. A request that is
// carried out late, when a new life has been counted, perhaps by a clock that is behind, then removes nothing. No snapshot
// has to be read, which the function's role does not allow.
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
		if try == mostErrors && len(writes) > 0 {
			return backend.ErrContention
		}
	}
	return nil
}

// remove makes snapshots go, each if it has the version of its write. Those that have another one are returned as writes
// at that version.
func (b *batch) remove(writes []backend.Write) (refused []backend.Write, err error) {
	for try := 1; ; try++ {
		outs := make([]backend.Outcome, len(writes))
		_ = b.a.store.Apply(b.ctx, writes, outs) // its error is in the outcomes
		err, refused = nil, nil
		for i := range outs {
			o := &outs[i]
			switch ver, there := o.Record.Num(schema.UsageVer); {
			case errors.Is(o.Err, backend.ErrInvalid): // it stays: its version cannot be judged
			case o.Err != nil:
				err = o.Err
			case o.Applied:
				b.removed++
			case there:
				w := writes[i]
				w.Conds = []backend.Cond{{Slot: schema.UsageVer, Op: backend.Equal, A: ver}}
				refused = append(refused, w)
			}
		}
		if err == nil || try == mostErrors || !worthAnotherTry(err) || b.pause(try) != nil {
			return refused, err
		}
	}
}
