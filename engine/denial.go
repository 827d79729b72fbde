package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/internal/readable"
)

// denyKnown is for a request that the last records seen are enough to deny: arrival times only grow, but for refunds, so
// a denial by them stays true until its time, and DenialTTL bounds how long another process's refund may go
// unnoticed. Nothing is written.
func (l *Limiter) denyKnown(ctx context.Context, a *attempt) error {
	for i := range a.n {
		if c := &a.charges[i]; c.DenialKnown {
			c.Result = charge.Denied
		}
	}
	return l.readOthers(ctx, a)
}

// denyBeyond denies a request of which a charge is above a capacity. As the capacity may just have been raised, the
// configuration is first read again, unless it is new enough or the request has an override.
func (l *Limiter) denyBeyond(ctx context.Context, a *attempt) error {
	for i := range a.n {
		c := &a.charges[i]
		overridden := c.Root && len(a.Override) > 0
		if !c.Beyond || overridden || c.ConfigIsYoung(l.configAge()) {
			continue
		}
		if err := l.charger.Reconfigure(ctx, c); err != nil {
			return err
		}
		if !c.AssumeRequired() {
			return charge.ErrRestart
		}
	}
	return l.denyKnown(ctx, a)
}

// exceeded is the denial of an attempt as an error.
func (l *Limiter) exceeded(a *attempt) error {
	e := &ExceededError{at: a.Now, entity: a.root.ID.Entity}
	wait, fits, err := l.fillSnapshot(a, &e.limits)
	if err != nil {
		return store.Failure(context.Background(), err)
	}
	e.RetryAfter, e.NeverFits = wait, !fits
	if e.local = a.local; a.local {
		e.note = " (this process decided by its share of the limits: the store cannot be reached)"
	}
	for i := range a.n {
		if ahead := a.charges[i].Ahead; ahead > 0 {
			e.note = fmt.Sprintf(" (bucket of %s last written by a clock %s ahead; resetting it heals it)", a.charges[i].State.ID.Entity, readable.Wait(time.Duration(ahead)))
		}
	}
	return e
}

// readOthers reads the buckets whose state is not known, for the statuses of a denial. If they cannot be read the request
// is denied all the same, and the statuses show these buckets as they were last seen.
func (l *Limiter) readOthers(ctx context.Context, a *attempt) error {
	err := l.readUnseen(ctx, a, true)
	if errors.Is(err, ErrUnavailable) { // also where reading has used up the budget
		a.useLastSeenOfOthers()
		return nil
	}
	return err
}

// useLastSeenOfOthers takes what was seen last of buckets whose state is not known, or what is likely: that they are full.
func (a *attempt) useLastSeenOfOthers() {
	for i := range a.n {
		if c := &a.charges[i]; c.Result == charge.Pending && !c.FromLastSeen {
			c.RecallOrFull()
		}
	}
}

// configAge is how old a config may be if a decision for ever (never fits) rests on it.
func (l *Limiter) configAge() int64 { return int64(min(l.opts.DenialTTL, time.Second)) }

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
