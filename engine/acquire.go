package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// mostRestarts is how often one acquire begins again, if its configuration changes under it.
const mostRestarts = 4

const mostPath = changes.MostPath // entities on a path

// attempt is one acquire: what was asked for, and a charge for each bucket on the path. Attempts are pooled; one whose store call
// was abandoned is not used again.
type attempt struct {
	common
	entity, resource string
	onUnavailable    Policy
	waits            int64 // since when its caller waits for the tokens, 0: it does not wait
	charges          [mostPath]bucketCharge
	n                int             // of charges in use, the entity's first
	takes            bool            // some charge takes tokens
	beyond           bool            // some charge is above a capacity
	denialKnown      bool            // some charge is denied by the last seen record
	local            bool            // decided by local buckets, without the store
	policies         Policy          // the last one that a request may name
	root             *bucketState    // of the bucket that the request names
	unknown          []unknownCharge // of attempts within a lease that were not admitted
	writes           int             // not yet counted by the sweeper
}

func (l *Limiter) newAttempt() *attempt {
	a := &attempt{writes: rand.IntN(sweepBatch), policies: l.opts.policies()}
	l.charger.join(&a.common, a.charges[:])
	return a
}

// ask makes r what the attempt asks for.
func (a *attempt) ask(r *Request) {
	a.entity, a.resource, a.onUnavailable, a.waits = r.Entity, r.Resource, r.OnUnavailable, r.waits
	a.consume, a.limits, a.override = r.Consume, r.Limits, r.Override
}

// release gives the attempt back to the pool.
func (l *Limiter) release(a *attempt) {
	if a.end() {
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
		d.RetryAfter, _, err = l.fillSnapshot(a, &d.limits)
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
//	resolve          validates the request and makes a charge for each bucket on the path (here, charge.go, resolve.go)
//	denyBeyond       denies a request that is larger than a capacity (denial.go)
//	decideByReading  decides a request that takes no tokens, by reading the buckets (readings.go)
//	denyKnown        denies without a write if a last seen record suffices for that (denial.go)
//	charge           charges the bucket, by a write of its own or by one that callers share (desk.go)
//	chargeAlone      builds the write, sends it, and interprets the outcome (here, guess.go, refusal.go)
//	chargeAll        if the path has several buckets: calls charge for each, and refunds the others if one denies (cascade.go)
//
// The caller then makes a lease (newLease) or an error (exceeded). If the configuration changes during an acquire, the
// acquire begins again.
func (l *Limiter) decide(ctx context.Context, a *attempt, r *Request) (admitted bool, err error) {
	if l.store.Closed() {
		return false, ErrClosed
	}
	if a.now, err = l.now(); err != nil {
		return false, err
	}
	a.ask(r)
	for range mostRestarts {
		admitted, err = l.tryOnce(ctx, a)
		if err == nil || !errors.Is(err, errRestart) {
			if a.admitted = admitted; admitted {
				if a.writes += a.n; a.writes >= sweepBatch {
					l.countWrites(a)
				}
			}
			if err == nil && l.opts.Observer != nil && (admitted || a.decides(ctx)) {
				l.observeDecision(a, r, admitted)
			}
			return admitted, err
		}
		if a.isAbandoned() { // the store still has buffers of the charges
			return false, store.NotSent(l.charger.budget(ctx, &a.common))
		}
	}
	return false, ErrContention
}

func (l *Limiter) tryOnce(ctx context.Context, a *attempt) (admitted bool, err error) {
	if err := l.resolve(ctx, a); err != nil {
		return false, err
	}
	one := a.n == 1 && a.takes && !a.beyond && !a.denialKnown
	if !one {
		ctx = l.charger.budget(ctx, &a.common)
	}
	switch {
	case one:
		c := &a.charges[0]
		err = l.charger.charge(ctx, c)
		admitted = err == nil && c.result == applied
	case a.beyond:
		return false, l.denyBeyond(ctx, a)
	case !a.takes:
		return l.decideByReading(ctx, a)
	case a.denialKnown, l.charger.Prefetch && a.deniedByPockets():
		return false, l.denyKnown(ctx, a)
	default:
		admitted, err = l.chargeAll(ctx, a)
	}
	if a.within && !admitted {
		a.noteUnknown()
	}
	return admitted, err
}

// resolve makes the charges: one for each entity on the path that has limits.
func (l *Limiter) resolve(ctx context.Context, a *attempt) (err error) {
	nonce := backend.Num{}
	if !l.charger.noIO { // without I/O no reply is ever lost
		nonce = random()
	}
	id, names, isPlain := bucketID{entity: a.entity, resource: a.resource}, 0, a.isPlain()
	a.n, a.root, a.takes, a.beyond, a.denialKnown = 0, nil, false, false, false
	for depth := 0; depth == 0 || id.entity != ""; depth++ {
		if depth == mostPath {
			return fmt.Errorf("%w: the path of %s has more than %d entities", ErrCycle, a.entity, mostPath)
		}
		b, conf := l.charger.cache.get(&id), (*config)(nil)
		if b != nil && isPlain && l.follow.Fresh(b.seq.Load(), a.now) {
			conf = b.conf.Load()
		}
		if conf == nil {
			if b, conf, err = l.stateOf(ctx, a, &id, b); err != nil {
				return err
			}
		}
		if depth == 0 {
			a.root = b
		}
		c := &a.charges[a.n]
		c.begin(b, conf, depth == 0, l.charger.noRegimes)
		c.nonce = nonce
		named, err := l.charger.prepare(c)
		if err != nil {
			return err
		}
		if c.required != nil {
			names = max(names, named)
			if c.illegal {
				return a.check()
			}
			a.n++
			a.takes, a.beyond, a.denialKnown = a.takes || c.asks != 0, a.beyond || c.beyond, a.denialKnown || c.denialKnown
		}
		id.entity = conf.parent
	}
	if a.n == 0 {
		return ErrNoLimits
	}
	if names < len(a.consume) {
		return a.checkNames()
	}
	return nil
}

// stateOf finds or makes the state of a bucket, and finds its configuration. The cache has given b, or nil. A bad request is
// refused before anything is done for it.
func (l *Limiter) stateOf(ctx context.Context, a *attempt, id *bucketID, b *bucketState) (*bucketState, *config, error) {
	if a.root == nil && (b == nil || b.conf.Load() == nil || !a.isPlain()) {
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
		conf, err := l.charger.knownConfig(b, a.now)
		if conf == nil {
			err = cmp.Or(err, refused)
		}
		return b, conf, err
	}
	conf, err := l.charger.configOf(l.charger.budget(ctx, &a.common), b, a.now)
	return b, conf, err
}

// isPlain reports whether a request for a known bucket needs no check beside those that are made in passing: its ids were
// checked when the bucket was seen first, its limits are when they change, and its amounts are compared with the capacity.
func (a *attempt) isPlain() bool { return len(a.consume) > 0 && a.onUnavailable <= a.policies }

// newLease holds what the attempt has charged.
func (l *Limiter) newLease(a *attempt, r *Request) *Lease {
	first := &a.charges[0]
	lease := &Lease{l: l, chargedAt: a.now, degraded: a.local, brought: first.root && first.required != first.stored, override: len(r.Override) > 0}
	if a.n > 1 || first.state != a.root {
		lease.path = &path{root: a.root}
	}
	for i := range a.n {
		c, p := &a.charges[i], &lease.first
		if i > 0 {
			p = new(part)
			lease.path.more = append(lease.path.more, p)
		}
		if c.result == applied {
			p.hold(c)
		} else { // a request of zeros only: nothing was charged
			p.holdNothing(l.charger, c)
		}
	}
	return lease
}
