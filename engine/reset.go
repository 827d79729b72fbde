package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// ResetBucket makes a bucket full again: all limits of the entity for the resource, not those of its parents. What it has
// consumed stays counted; leases that are open give nothing back to it any more. Nothing happens where there is no bucket,
// which is full. It succeeds however fast the bucket is written; only other resets can delay it (ErrContention after 32
// of them in a row). *ValidationError. Audited as bucket_reset, with the bucket as it was read last before the reset.
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
		r, err := l.readOne(ctx, key)
		if err != nil || !r.Present() {
			return err
		}
		defer l.forget(SettingID{SettingLimits, entity, resource}.affects)
		e := event{action: actionBucketReset, entity: entity, resource: resource, before: l.bucketDocument(r, now)}
		w := resetWrite(key, r, now)
		if tries == 1 { // the event then tells exactly what the reset has ended; writers of a busy bucket cannot keep this up
			w.Conds = append(w.Conds, unchanged(r, schema.Ver))
		}
		return l.commitAudited(ctx, now, e, w)
	})
}

// resetWrite begins a new life of the bucket r, in which it is full; counters, limits and expiry stay.
//
// It demands only that the life of r has not ended, not that r is unchanged: nothing that it writes is computed from r.
// Every arrival time is unset, those of limits that a conversion added since too, and the version grows by one. So it
// is right whatever was written between reading r and this write, as if all of it had come before the reset was asked
// for: a charge or a refund is forgotten with the arrival times, its use stays counted, and the expiry is that of the
// last charge. A compare-and-set that is under way is refused, for the version and born are others then, and so are
// refunds of earlier charges. A condition on the version would only make the reset lose against every charge.
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

// bucketDocument is a bucket as it was before a reset; nil where its limits cannot be read, which a reset does not need.
func (l *Limiter) bucketDocument(r *backend.Record, now int64) any {
	packed, _ := r.Text(schema.L)
	p, err := l.plans.get(packed)
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
