package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// ResetBucket makes a bucket full again: all limits of the entity for the resource, not those of its parents. What it has
// consumed stays counted; leases that are open give nothing back to it any more. Nothing happens where there is no bucket,
// which is full. ErrContention on a bucket that is written too fast. *ValidationError. Audited as bucket_reset.
func (l *Limiter) ResetBucket(ctx context.Context, entity, resource string) error {
	if err := checkEntity(entity); err != nil {
		return err
	}
	if err := checkResource(resource); err != nil {
		return err
	}
	key, _ := schema.Bucket(l.opts.Namespace, entity, resource)
	return l.admitted(ctx, func(now int64) error {
		r, err := l.readOne(ctx, key)
		if err != nil || !r.Present() {
			return err
		}
		defer l.forgetView(bucketID{entity, resource})
		e := event{action: actionBucketReset, entity: entity, resource: resource, before: l.bucketDocument(r, now)}
		return l.commitAudited(ctx, now, e, resetWrite(key, r, now))
	})
}

// resetWrite begins a new life of the bucket r, in which it is full; counters, limits and expiry stay.
func resetWrite(key backend.Key, r *backend.Record, now int64) backend.Write {
	ver, _ := r.Num(schema.Ver)
	w := backend.Write{
		Key: key, Layout: schema.BucketLayout,
		Conds: []backend.Cond{unchanged(r, schema.Ver), unchanged(r, schema.Born)},
		Effects: []backend.Effect{
			{Slot: schema.Ver, Op: backend.Set, Num: ver.Add(one)},
			{Slot: schema.Born, Op: backend.Set, Num: random()},
			setNum(schema.At, now),
		},
	}
	unset := func(s backend.Slot) {
		if r.Has(s) {
			w.Effects = append(w.Effects, backend.Effect{Slot: s, Op: backend.Unset})
		}
	}
	unset(schema.Nonce)
	unset(schema.Conv)
	for i := range schema.MaxLimits {
		unset(schema.Tat(i))
	}
	return w
}

// forgetView drops what denials from memory rest on.
func (l *Limiter) forgetView(id bucketID) {
	if h := l.buckets.get(&id); h != nil {
		h.forget()
	}
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
