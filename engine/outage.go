package engine

import (
	"context"
	"errors"

	"github.com/zeroae/zae-limiter-go/engine/internal/cascade"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// acquireByPolicy decides an acquire that has failed with err, by policy if the store could not be reached. Other errors are
// returned.
func (l *Limiter) acquireByPolicy(ctx context.Context, r *Request, err error) (lease *Lease, _ error) {
	err = store.Failure(ctx, err)
	switch l.policyAfter(r, err) {
	case PolicyAllow:
		l.reportDegraded(ctx, r, err)
		return &Lease{degraded: true}, nil
	case PolicyLocal:
		a := l.begin(r) // another one: the store may still have buffers of the first
		defer l.release(a)
		admitted, err := l.decideLocally(ctx, a, r, err)
		switch {
		case err != nil:
			return nil, err
		case !admitted:
			return nil, l.exceeded(a)
		}
		return l.newLease(a, r), nil
	}
	return nil, err
}

// allowByPolicy is acquireByPolicy without a lease.
func (l *Limiter) allowByPolicy(ctx context.Context, r *Request, err error) (d Decision, _ error) {
	err = store.Failure(ctx, err)
	switch l.policyAfter(r, err) {
	case PolicyAllow:
		l.reportDegraded(ctx, r, err)
		return Decision{Allowed: true, Degraded: true}, nil
	case PolicyLocal:
		a := l.begin(r)
		defer l.release(a)
		admitted, err := l.decideLocally(ctx, a, r, err)
		if err != nil {
			return Decision{}, err
		}
		d.Allowed, d.Degraded = admitted, true
		d.RetryAfter, _, err = a.Fill(l.charger, &d.limits)
		return d, err
	}
	return d, err
}

// policyAfter is the policy that decides after err; PolicyBlock if it is no outage.
func (l *Limiter) policyAfter(r *Request, err error) Policy {
	if !errors.Is(err, ErrUnavailable) {
		return PolicyBlock
	}
	return l.policyFor(r)
}

// reportDegraded reports an acquire that was admitted without the store.
func (l *Limiter) reportDegraded(ctx context.Context, r *Request, err error) {
	l.observe(Event{Kind: EventDegraded, Entity: r.Entity, Resource: r.Resource, Err: err})
	l.warn(ctx, l.clock.now(), "limiter: admitted without the store, by policy", "error", err)
}

// decideLocally decides a request, which was checked, by the local buckets of its path. cause is why the store has not decided it;
// it is part of the error if they cannot decide either.
func (l *Limiter) decideLocally(ctx context.Context, a *attempt, r *Request, cause error) (admitted bool, err error) {
	if l.writeBack == nil {
		return false, cascade.Undecided(cause, errNoShare)
	}
	a.local = true
	admitted, err = a.DecideLocally(l.writeBack, cause)
	if err != nil {
		return false, err
	}
	if l.opts.Observer != nil && (admitted || l.localDenialIsFinal(ctx, a)) {
		l.observeDecision(a, r, admitted)
	}
	if admitted {
		l.reportDegraded(ctx, r, cause)
	}
	return admitted, nil
}

// localDenialIsFinal is denialIsFinal for a local bucket: a caller of Wait waits unless its context ends before the tokens are there.
func (l *Limiter) localDenialIsFinal(ctx context.Context, a *attempt) bool {
	if a.denialIsFinal(ctx) {
		return true
	}
	wait, _, err := a.Fill(l.charger, new(charge.Snapshot))
	return err != nil || pause.Left(ctx) < wait
}

// policyFor is the policy of one request.
func (l *Limiter) policyFor(r *Request) Policy {
	for _, p := range []Policy{r.OnUnavailable, l.opts.OnUnavailable, Policy(l.charger.Policy.Load())} {
		if p != PolicyDefault {
			return p
		}
	}
	return PolicyBlock
}

// convertOwed converts a bucket to which a local one owes. It is no error if there are no limits any more.
func (l *Limiter) convertOwed(ctx context.Context, entity, resource string, brought *limitset.Set) error {
	if err := l.convertLive(ctx, entity, resource, brought); !errors.Is(err, ErrNoLimits) {
		return err
	}
	return nil
}

// reportLostUsage tells the operator of usage that is lost because the limiter has closed.
func (l *Limiter) reportLostUsage(ctx context.Context, buckets int64) {
	l.opts.Logger.WarnContext(ctx, "limiter: closed before the usage of an outage was in the store; it is lost", "buckets", buckets)
}
