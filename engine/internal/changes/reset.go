package changes

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// ResetWrite begins a new life of the bucket r, in which it is full; counters, limits and expiry stay.
//
// It demands only that r is still in the same life (its Born), not that r is unchanged, because it computes nothing from r.
// It unsets every arrival time, also those of limits that a conversion added since, and increments the version. So the
// result is right whatever was written between reading r and this write, as if all of that had come before the call: the
// arrival times forget a charge or a refund, the counters keep its tokens, and the expiry is that of the last charge. A
// compare-and-set on its way fails, because version and Born are different, and so do refunds of earlier charges. With a
// condition on the version, a reset would lose against every charge.
func ResetWrite(key backend.Key, r *backend.Record, born backend.Num, now int64) backend.Write {
	w := backend.Write{
		Key: key, Layout: schema.BucketLayout,
		Conds: []backend.Cond{Unchanged(r, schema.Born)},
		Effects: []backend.Effect{
			{Slot: schema.Ver, Op: backend.Add, Num: backend.Int(1)},
			{Slot: schema.Born, Op: backend.Set, Num: born},
			setNum(schema.At, now),
			{Slot: schema.Nonce, Op: backend.Unset},
			{Slot: schema.Conv, Op: backend.Unset},
		},
	}
	for i := range schema.MaxLimits {
		w.Effects = append(w.Effects, backend.Effect{Slot: schema.Tat(i), Op: backend.Unset})
	}
	return w
}
