package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/cascade"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/settle"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// mostRestarts is how often one acquire begins again, if its configuration changes under it.
const mostRestarts = 4

// sweepBatch is how many writes an attempt counts by itself, so that the shared counter is touched rarely. An attempt begins with any
// number: the pool drops attempts at any time, and what those have counted must not be missing on average.
const sweepBatch = 64

// attempt is one acquire: what was asked for, and a charge for each bucket on the path. Attempts are pooled; one whose store call
// was abandoned is not used again.
type attempt struct {
	cascade.Path
	entity, resource string
	onUnavailable    Policy
	waits            int64                  // since when its caller waits for the tokens, 0: it does not wait
	local            bool                   // decided by local buckets, without the store
	policies         Policy                 // the last one that a request may name
	root             *charge.State          // of the bucket that the request names
	unknown          []settle.UnknownCharge // of attempts within a lease that were not admitted
	writes           int                    // not yet counted by the sweeper
}

func (l *Limiter) newAttempt() *attempt {
	a := &attempt{writes: rand.IntN(sweepBatch), policies: l.opts.policies()}
	l.charger.Join(&a.Attempt, a.Charges[:])
	return a
}

// release gives the attempt back to the pool.
func (l *Limiter) release(a *attempt) {
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
	a := l.attempts.Get().(*attempt)
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

// Allow is Acquire without a lease, for callers who will not adjust. A denial is no error; errors as Acquire.
func (l *Limiter) Allow(ctx context.Context, r Request) (d Decision, err error) {
	a := l.attempts.Get().(*attempt)
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

// decide admits the request or denies it. If it returns an error, the request was neither admitted nor denied. It calls
// these functions, in this order:
//
//	resolve          validates the request and makes a charge for each bucket on the path
//	DenyBeyond       denies a request that is larger than a capacity (internal/cascade)
//	DecideByReading  decides a request that takes no tokens, by reading the buckets (internal/cascade)
//	DenyKnown        denies without a write if a last seen record suffices for that (internal/cascade)
//	Charge           charges the bucket, by a write of its own or by one that callers share (internal/charge)
//	ChargeAll        if the path has several buckets: calls Charge for each, and refunds the others if one denies (internal/cascade)
//
// The caller then makes a lease (newLease) or an error (exceeded). If the configuration changes during an acquire, the
// acquire begins again.
func (l *Limiter) decide(ctx context.Context, a *attempt, r *Request) (admitted bool, err error) {
	if l.store.Closed() {
		return false, ErrClosed
	}
	if a.Now, err = l.now(); err != nil {
		return false, err
	}
	for range mostRestarts {
		admitted, err = l.tryOnce(ctx, a, r)
		if err == nil || !errors.Is(err, charge.ErrRestart) {
			if a.Admitted = admitted; admitted {
				if a.writes += a.N; a.writes >= sweepBatch {
					l.sweeper.Count(int64(a.writes), a.Now)
					a.writes = 0
				}
			}
			if err == nil && l.opts.Observer != nil && (admitted || a.decides(ctx)) {
				l.observeDecision(a, r, admitted)
			}
			return admitted, err
		}
		if a.IsAbandoned() { // the store still has buffers of the charges
			return false, store.NotSent(l.charger.Budget(ctx, &a.Attempt))
		}
	}
	return false, ErrContention
}

func (l *Limiter) tryOnce(ctx context.Context, a *attempt, r *Request) (admitted bool, err error) {
	if err := l.resolve(ctx, a, r); err != nil {
		return false, err
	}
	one := a.N == 1 && a.Takes && !a.Beyond && !a.DenialKnown
	if !one {
		ctx = l.charger.Budget(ctx, &a.Attempt)
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

// resolve makes the charges: one for each entity on the path that has limits.
func (l *Limiter) resolve(ctx context.Context, a *attempt, r *Request) (err error) {
	nonce := backend.Num{}
	if !l.charger.NoIO { // without I/O no reply is ever lost
		nonce = charge.Random()
	}
	a.entity, a.resource, a.onUnavailable, a.waits = r.Entity, r.Resource, r.OnUnavailable, r.waits
	a.Consume, a.Limits, a.Override = r.Consume, r.Limits, r.Override
	// A plain request for a known bucket needs no check beside those that are made in passing: its ids were checked when the bucket
	// was seen first, its limits are when they change, and its amounts are compared with the capacity.
	isPlain := len(r.Consume) > 0 && r.OnUnavailable <= a.policies
	id, names := charge.ID{Entity: r.Entity, Resource: r.Resource}, 0
	a.N, a.root, a.Takes, a.Beyond, a.DenialKnown = 0, nil, false, false, false
	for depth := 0; depth == 0 || id.Entity != ""; depth++ {
		if depth == cascade.MostPath {
			return fmt.Errorf("%w: the path of %s has more than %d entities", ErrCycle, a.entity, cascade.MostPath)
		}
		b, conf := l.charger.States.Get(&id), (*charge.Config)(nil)
		if b != nil && isPlain && l.follow.Fresh(b.Seq.Load(), a.Now) {
			conf = b.Config.Load()
		}
		if conf == nil {
			if b, conf, err = l.stateOf(ctx, a, &id, b, isPlain); err != nil {
				return err
			}
		}
		if depth == 0 {
			a.root = b
		}
		c := &a.Charges[a.N]
		c.Begin(b, conf, depth == 0, l.charger.NoRegimes)
		c.Nonce = nonce
		named, err := l.charger.Prepare(c)
		if err != nil {
			return err
		}
		if c.Required != nil {
			names = max(names, named)
			if c.Illegal {
				return a.check()
			}
			a.N++
			a.Takes, a.Beyond, a.DenialKnown = a.Takes || c.Asks != 0, a.Beyond || c.Beyond, a.DenialKnown || c.DenialKnown
		}
		id.Entity = conf.Parent
	}
	if a.N == 0 {
		return ErrNoLimits
	}
	if names < len(a.Consume) {
		return a.checkNames()
	}
	return nil
}

// stateOf finds or makes the state of a bucket, and finds its configuration. The cache has given b, or nil. A bad request is
// refused before anything is done for it.
func (l *Limiter) stateOf(ctx context.Context, a *attempt, id *charge.ID, b *charge.State, isPlain bool) (*charge.State, *charge.Config, error) {
	if a.root == nil && (b == nil || b.Config.Load() == nil || !isPlain) {
		if err := a.check(); err != nil {
			return nil, nil, err
		}
	}
	if b == nil {
		var err error
		if b, err = l.stateAt(id); err != nil {
			return nil, nil, err
		}
	}
	if refused := l.store.Refused(ctx); refused != nil {
		conf, err := l.charger.KnownConfig(b, a.Now)
		if conf == nil {
			err = cmp.Or(err, refused)
		}
		return b, conf, err
	}
	conf, err := l.charger.ConfigOf(l.charger.Budget(ctx, &a.Attempt), b, a.Now)
	return b, conf, err
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

// newLease holds what the attempt has charged.
func (l *Limiter) newLease(a *attempt, r *Request) *Lease {
	first := &a.Charges[0]
	lease := &Lease{l: l, chargedAt: a.Now, degraded: a.local, brought: first.Root && first.Required != first.Stored, override: len(r.Override) > 0}
	if a.N > 1 || first.State != a.root {
		lease.path = &path{root: a.root}
	}
	for i := range a.N {
		c, p := &a.Charges[i], &lease.first
		if i > 0 {
			p = new(settle.Part)
			lease.path.more = append(lease.path.more, p)
		}
		if c.Result == charge.Applied {
			p.Hold(c)
		} else { // a request of zeros only: nothing was charged
			p.HoldNothing(l.charger, c)
		}
	}
	return lease
}
