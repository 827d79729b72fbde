package aggregator

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// clean removes the usage of a bucket that was deleted at a version. What was counted late, when whoever deleted its entity
// had removed the usage already, goes that way too; what a bucket made anew consumed stays.
func (b *batch) clean(bucket backend.Key, ver int64) error {
	entity, resource, _ := schema.BucketOf(bucket)
	q := backend.Query{Namespace: bucket.Namespace, Partition: schema.UsagePartition(entity), Size: backend.MaxPage}
	for {
		page, err := b.a.store.List(b.ctx, q)
		if err != nil {
			return err
		}
		var writes []backend.Write
		for _, it := range page.Items {
			if _, of, _, _, ok := schema.UsageOf(it.Key); ok && of == resource {
				writes = append(writes, backend.Write{
					Key: it.Key, Layout: schema.UsageLayout, Remove: true,
					Conds: []backend.Cond{{Slot: schema.UsageVer, Op: backend.AtMost, A: backend.Int(ver)}},
				})
			}
		}
		if err := b.remove(writes); err != nil {
			return err
		}
		if !page.More {
			return nil
		}
		q.After = &page.Items[len(page.Items)-1]
	}
}

func (b *batch) remove(writes []backend.Write) error {
	if len(writes) == 0 {
		return nil
	}
	for try := 1; ; try++ {
		outs := make([]backend.Outcome, len(writes))
		err := b.a.store.Apply(b.ctx, writes, outs)
		for i := range outs {
			if outs[i].Err == nil && outs[i].Applied {
				b.removed++
			}
		}
		if err == nil || try == mostErrors || !worthAnotherTry(err) || b.pause(try) != nil {
			return err
		}
	}
}
