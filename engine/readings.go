package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
)

// readUnseen fills in the records of charges whose state is not known: by reading them, or, with recall, from fresh last seen records.
func (l *Limiter) readUnseen(ctx context.Context, a *attempt, recall bool) error {
	var keys []backend.Key
	var unseen []*charge.Charge
	for i := range a.n {
		c := &a.charges[i]
		if c.Result == charge.Pending && !(recall && l.charger.UseLastSeen(c)) {
			keys, unseen = append(keys, l.charger.Key(c.State)), append(unseen, c)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	out, err := l.store.Read(ctx, keys)
	if err != nil {
		return err
	}
	for i, c := range unseen {
		if err := l.charger.Take(ctx, c, &out[i]); err != nil {
			return err
		}
	}
	return nil
}

// decideByReading judges the charges by reading their buckets. Nothing is written, unless the request is denied and a bucket has other
// limits than it should: then it is converted, as by any denial, else its old rate would live on.
func (l *Limiter) decideByReading(ctx context.Context, a *attempt) (admitted bool, err error) {
	if err := l.readUnseen(ctx, a, false); err != nil {
		return false, err
	}
	if admitted, err = l.recordsAdmit(a); admitted || err != nil {
		return admitted, err
	}
	for i := range a.n {
		c := &a.charges[i]
		c.Acquire = false
		if err := l.charger.ConvertUntilDone(ctx, c); err != nil { // the denial stands all the same
			if a.IsAbandoned() {
				return false, err
			}
			l.observe(Event{Kind: EventContention, Entity: c.State.ID.Entity, Resource: c.State.ID.Resource, Err: err})
		}
	}
	return false, nil
}

func (l *Limiter) recordsAdmit(a *attempt) (admitted bool, err error) {
	for i := range a.n {
		if admitted, err := l.charger.AdmitsByRecord(&a.charges[i]); !admitted || err != nil {
			return false, err
		}
	}
	return true, nil
}
