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

// removeUsage removes those of the snapshots that have nothing of a life of their bucket after its deletion: each as it
// was read. A request that is carried out late, when a new life has been counted, perhaps by a clock that is behind,
// then removes nothing. A snapshot that has grown meanwhile is read again.
func (b *batch) removeUsage(keys []backend.Key, vers map[string]int64) error {
	for try := 1; len(keys) > 0; try++ {
		found := make([]backend.Record, len(keys))
		for i := range found {
			found[i].Reset(schema.UsageLayout)
		}
		var unreadable *backend.UnreadableError // it stays: its version cannot be judged
		if err := b.a.store.Read(b.ctx, keys, found); err != nil && !errors.As(err, &unreadable) {
			return err
		}
		var writes []backend.Write
		for i := range found {
			_, resource, _, _, _ := schema.UsageOf(keys[i])
			ver, there := found[i].Num(schema.UsageVer)
			if there && ver.LessEq(backend.Int(vers[resource])) {
				writes = append(writes, backend.Write{
					Key: keys[i], Layout: schema.UsageLayout, Remove: true,
					Conds: []backend.Cond{{Slot: schema.UsageVer, Op: backend.Equal, A: ver}},
				})
			}
		}
		refused, err := b.remove(writes)
		if err != nil {
			return err
		}
		if keys = refused; try == mostErrors && len(keys) > 0 {
			return backend.ErrContention
		}
	}
	return nil
}

// remove makes records go, each if its conditions hold; the keys of the others are returned.
func (b *batch) remove(writes []backend.Write) (refused []backend.Key, err error) {
	if len(writes) == 0 {
		return nil, nil
	}
	for try := 1; ; try++ {
		outs := make([]backend.Outcome, len(writes))
		_ = b.a.store.Apply(b.ctx, writes, outs) // its error is in the outcomes
		err, refused = nil, refused[:0]
		for i := range outs {
			switch {
			case outs[i].Err != nil:
			case outs[i].Applied:
				b.removed++
			default:
				refused = append(refused, writes[i].Key)
			}
			if outs[i].Err != nil && !errors.Is(outs[i].Err, backend.ErrInvalid) {
				err = outs[i].Err
			}
		}
		if err == nil || try == mostErrors || !worthAnotherTry(err) || b.pause(try) != nil {
			return refused, err
		}
	}
}
