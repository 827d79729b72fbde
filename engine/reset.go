package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// ResetBucket fills the bucket of an entity and a resource: all of its limits become full. Buckets of parents stay as they
// are. The counters of used tokens stay, and leases that are open no longer refund to the bucket. If there is no bucket,
// nothing is written, because that means full. Writers of a busy bucket cannot prevent a reset; after 32 other resets in a
// row it returns ErrContention. *ValidationError. Audited as bucket_reset, with the bucket as it was last read before.
func (l *Limiter) ResetBucket(ctx context.Context, entity, resource string) error {
	if err := checkEntity(entity); err != nil {
		return err
	}
	if err := checkResource(resource); err != nil {
		return err
	}
	key, _ := schema.Bucket(l.opts.Namespace, entity, resource)
	tries := 0
	return l.administer(ctx, func(now int64) error {
		tries++
		r, err := l.store.ReadOne(ctx, key)
		if err != nil || !r.Present() {
			return err
		}
		defer l.forget(SettingID{SettingLimits, entity, resource}.affects)
		e := event{action: actionBucketReset, entity: entity, resource: resource, before: l.bucketDocument(r, now)}
		w := resetWrite(key, r, now)
		if tries == 1 { // then the event has exactly the state before the reset; later tries do without, so that a busy bucket can be reset
			w.Conds = append(w.Conds, unchanged(r, schema.Ver))
		}
		return l.commitAudited(ctx, now, e, w)
	})
}

// resetWrite begins a new life of the bucket r, in which it is full; counters, limits and expiry stay.
//
// It demands only that r is still in the same life (its Born), not that r is unchanged, because it computes nothing from r.
// It unsets every arrival time, also those of limits that a conversion added since, and increments the version. So the
// result is right whatever was written between reading r and this write, as if all of that had come before the call: the
// arrival times forget a charge or a refund, the counters keep its tokens, and the expiry is that of the last charge. A
// compare-and-set on its way fails, because version and Born are different, and so do refunds of earlier charges. With a
// condition on the version, a reset would lose against every charge.
func resetWrite(key backend.Key, r *backend.Record, now int64) backend.Write {
	w := backend.Write{
		Key: key, Layout: schema.BucketLayout,
		Conds: []backend.Cond{unchanged(r, schema.Born)},
		Effects: []backend.Effect{
			{Slot: schema.Ver, Op: backend.Add, Num: one},
			{Slot: schema.Born, Op: backend.Set, Num: random()},
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

// stateDocument is one limit of a bucket in an audit event.
type stateDocument struct {
	limitDocument
	Available int64 `json:"available"`
	Used      int64 `json:"used"`
}

// bucketDocument is a bucket as it was before a reset; nil if its limits cannot be read, which a reset does not need.
func (l *Limiter) bucketDocument(r *backend.Record, now int64) any {
	packed, _ := r.Text(schema.L)
	p, err := l.limitSets.get(packed)
	if err != nil {
		return nil
	}
	states := make([]stateDocument, len(p.terms))
	for i := range p.terms {
		rate := &p.rates[i]
		states[i] = stateDocument{documentOf(p.terms[i].Limit), rate.Available(arrival(r, i), rate.Y(now)), r.Int64(schema.Used(i))}
	}
	return struct {
		Limits []stateDocument `json:"limits"`
	}{states}
}
