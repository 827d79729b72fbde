package engine

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/zeroae/zae-limiter-go/engine/internal/cascade"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/settle"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// sweepBatch is how many writes an attempt counts by itself, so that the shared counter is touched rarely. An attempt begins with any
// number: the pool drops attempts at any time, and what those have counted must not be missing on average.
const sweepBatch = 64

// attempt is one acquire: what was asked for, and a charge for each bucket on the path. Attempts are pooled; one whose store call
// was abandoned is not used again.
type attempt struct {
	cascade.Path
	onUnavailable Policy
	waitingSince  int64                  // since when its caller waits for the tokens, 0: it does not wait
	local         bool                   // decided by local buckets, without the store
	lastPolicy    Policy                 // the last one that a request may name
	unknown       []settle.UnknownCharge // of attempts within a lease that were not admitted
	writes        int                    // not yet counted by the sweeper
}

func (l *Limiter) newAttempt() *attempt {
	a := &attempt{writes: rand.IntN(sweepBatch), lastPolicy: l.opts.lastPolicy()}
	a.Check = a.check
	l.charger.Join(&a.Attempt, a.Charges[:])
	return a
}

// begin returns an attempt of the request, which is decided as of now. It must be released.
func (l *Limiter) begin(r *Request) *attempt {
	a := l.attempts.Get().(*attempt)
	a.ID, a.onUnavailable, a.waitingSince = charge.ID{Entity: r.Entity, Resource: r.Resource}, r.OnUnavailable, r.waitingSince
	a.Consume, a.Limits, a.Override = r.Consume, r.Limits, r.Override
	a.Now = l.clock.now()
	a.Plain = len(r.Consume) > 0 && r.OnUnavailable <= a.lastPolicy
	return a
}

// release counts the writes of an admission, for the sweeper, and gives the attempt back to the pool.
func (l *Limiter) release(a *attempt) {
	if a.Admitted && !a.local {
		a.writes += a.N
		if a.writes >= sweepBatch {
			l.sweeper.Count(int64(a.writes), a.Now)
			a.writes = 0
		}
	}
	if a.End() {
		a.local, a.unknown = false, nil
		l.attempts.Put(a)
	}
}

// Acquire takes the tokens of the request, all of them or none, without waiting for tokens. If the entity cascades, its
// parents are charged the same amounts. The lease must be ended by Commit or Rollback. A denial is an *ExceededError. For
// a bad request Acquire returns a *ValidationError, ErrUnknownLimit or ErrNoLimits. It returns ErrUnavailable if the store
// cannot be reached and the policy is PolicyBlock, or PolicyLocal and this process cannot decide by itself, and ErrContention if
// it loses to other writers again and again.
func (l *Limiter) Acquire(ctx context.Context, r Request) (*Lease, error) {
	a := l.begin(&r)
	r.leases = true
	admitted, err := l.decide(ctx, a, &r)
	var lease *Lease
	switch {
	case err != nil:
		lease, err = l.acquireByPolicy(ctx, &r, err)
	case admitted:
		lease = l.newLease(a, &r)
	default:
		err = l.exceeded(a)
	}
	l.release(a)
	return lease, err
}

// Allow is Acquire without a lease, for callers who will not adjust. A denial is not an error. The errors are those of Acquire.
func (l *Limiter) Allow(ctx context.Context, r Request) (d Decision, err error) {
	a := l.begin(&r)
	if d.Allowed, err = l.decide(ctx, a, &r); err == nil {
		d.RetryAfter, _, err = a.Fill(l.charger, &d.limits)
		if err != nil {
			d = Decision{Allowed: d.Allowed}
		}
	}
	if err != nil {
		d, err = l.allowByPolicy(ctx, &r, err)
	}
	l.release(a)
	return d, err
}

// decide admits the request or denies it. If it returns an error, the request was neither admitted nor denied. If the
// configuration changes during an acquire, the acquire begins again.
func (l *Limiter) decide(ctx context.Context, a *attempt, r *Request) (admitted bool, err error) {
	if l.store.Closed() {
		return false, ErrClosed
	}
	for range cascade.MostRestarts {
		admitted, err = l.tryOnce(ctx, a)
		if !errors.Is(err, charge.ErrRestart) {
			a.Admitted = admitted
			if err == nil && l.opts.Observer != nil && (admitted || a.denialIsFinal(ctx)) {
				l.observeDecision(a, r, admitted)
			}
			return admitted, err
		}
		if a.IsAbandoned() { // the store still has buffers of the charges
			return false, store.NotSent(a.Budget(ctx))
		}
	}
	return false, ErrContention
}

// tryOnce decides the request by what is configured now. The caller then makes a lease (newLease) or a denial (exceeded).
//
//	Resolve          validates the request, and finds the buckets on its path and the limits that count (internal/cascade)
//	Charge           charges the only bucket, by a write of its own or by one that callers share (internal/charge)
//	DenyBeyond       denies a request that is larger than a capacity (internal/cascade)
//	DecideByReading  decides a request that takes no tokens, by reading the buckets (internal/cascade)
//	DenyKnown        denies without a write if what this process has seen last suffices for that (internal/cascade)
//	ChargeAll        calls Charge for each of several buckets, and refunds the others if one denies (internal/cascade)
func (l *Limiter) tryOnce(ctx context.Context, a *attempt) (admitted bool, err error) {
	if err := a.Resolve(ctx, l.settler); err != nil {
		return false, err
	}
	one := a.N == 1 && a.Takes && !a.Beyond && !a.DenialKnown
	if !one { // Charge makes the budget itself, if it needs one
		ctx = a.Budget(ctx)
	}
	switch {
	case one:
		c := &a.Charges[0]
		err = l.charger.Charge(ctx, c)
		admitted = err == nil && c.Result == charge.Applied
	case a.Beyond:
		return false, a.DenyBeyond(ctx, l.settler)
	case !a.Takes:
		return a.DecideByReading(ctx, l.settler)
	case a.DenialKnown, l.charger.Prefetch && a.DeniedByPockets():
		return false, a.DenyKnown(ctx, l.settler)
	default:
		admitted, err = a.ChargeAll(ctx, l.settler)
	}
	if a.Within && !admitted {
		a.noteUnknown()
	}
	return admitted, err
}

// newLease holds what the attempt has charged.
func (l *Limiter) newLease(a *attempt, r *Request) *Lease {
	first := &a.Charges[0]
	lease := &Lease{l: l, chargedAt: a.Now, degraded: a.local, brought: first.Root && first.Required != first.Stored, override: len(r.Override) > 0}
	lease.held.Hold(l.charger, a.Root, a.Charges[:a.N])
	return lease
}
