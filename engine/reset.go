package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// ResetBucket fills the bucket of an entity and a resource: all of its limits become full. Buckets of parents stay as they
// are. The counters of used tokens stay, and leases that are open no longer refund to the bucket. If there is no bucket,
// nothing is written, because that means full. Writers of a busy bucket cannot prevent a reset; after 32 other resets in a
// row it returns ErrContention, and for bad input a *ValidationError. Audited as bucket_reset, with the bucket as last read.
func (l *Limiter) ResetBucket(ctx context.Context, entity, resource string) error {
	if err := checkBucket(entity, resource); err != nil {
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
		defer l.forgetBuckets(changes.ID{Kind: changes.KindLimits, Entity: entity, Resource: resource})
		e := changes.Event{Action: actionBucketReset, Entity: entity, Resource: resource, Before: l.bucketDocument(r, now)}
		w := changes.ResetWrite(key, r, charge.Random(), now)
		if tries == 1 { // then the event has exactly the state before the reset; later tries do without, so that a busy bucket can be reset
			w.Conds = append(w.Conds, changes.Unchanged(r, schema.Ver))
		}
		return l.admin.Commit(ctx, now, e, w)
	})
}

// stateDocument is one limit of a bucket in an audit event.
type stateDocument struct {
	changes.LimitDocument
	Available int64 `json:"available"`
	Used      int64 `json:"used"`
}

// bucketDocument is a bucket as it was before a reset; nil if its limits cannot be read, which a reset does not need.
func (l *Limiter) bucketDocument(r *backend.Record, now int64) any {
	packed, _ := r.Text(schema.L)
	s, err := l.charger.LimitSets.Get(packed)
	if err != nil {
		return nil
	}
	states := make([]stateDocument, len(s.Terms))
	for i := range s.Terms {
		rate := &s.Rates[i]
		states[i] = stateDocument{changes.DocumentOf(s.Terms[i].Limit), rate.Available(limitset.ArrivalOf(r, i), rate.Y(now)), r.Int64(schema.Used(i))}
	}
	return struct {
		Limits []stateDocument `json:"limits"`
	}{states}
}
