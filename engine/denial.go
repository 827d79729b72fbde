package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/internal/readable"
)

// exceeded is the denial of an attempt as an error.
func (l *Limiter) exceeded(a *attempt) error {
	e := &ExceededError{at: a.Now, entity: a.root.ID.Entity}
	wait, fits, err := a.Fill(l.charger, &e.limits)
	if err != nil {
		return store.Failure(context.Background(), err)
	}
	e.RetryAfter, e.NeverFits = wait, !fits
	if e.local = a.local; a.local {
		e.note = " (this process decided by its share of the limits: the store cannot be reached)"
	}
	for i := range a.N {
		if ahead := a.Charges[i].Ahead; ahead > 0 {
			e.note = fmt.Sprintf(" (bucket of %s last written by a clock %s ahead; resetting it heals it)", a.Charges[i].State.ID.Entity, readable.Wait(time.Duration(ahead)))
		}
	}
	return e
}

// stateAt finds or makes the state of a bucket; the ids of a new one are checked.
func (l *Limiter) stateAt(id *charge.ID) (*charge.State, error) {
	if b := l.charger.States.Get(id); b != nil {
		return b, nil
	}
	if err := checkEntity(id.Entity); err != nil {
		return nil, err
	}
	if err := checkResource(id.Resource); err != nil {
		return nil, err
	}
	return l.charger.StateAt(id), nil
}
