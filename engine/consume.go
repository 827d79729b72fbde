package engine

import (
	"context"
	"slices"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/settle"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// Consume takes more tokens at once, if the token check admits them. It returns an *ExceededError if it denies them; its other
// errors are those of [Limiter.Acquire]. If the store cannot be reached it fails, whatever the policy, unless PolicyLocal has
// granted the lease: then the process decides by itself, also when the store is back. What it may have charged when it fails is
// refunded when the lease is settled, or reported as lost (EventRefundLost).
func (lease *Lease) Consume(ctx context.Context, tokens Tokens) error {
	if lease.inert() {
		return nil
	}
	lease.mu.Lock()
	defer lease.mu.Unlock()
	if !lease.enter() {
		return ErrLeaseClosed
	}
	if err := lease.settleUnsure(ctx); err != nil {
		return err
	}
	r := Request{Entity: lease.held.Root().ID.Entity, Resource: lease.held.Root().ID.Resource, Consume: tokens}
	a := lease.l.begin(&r)
	defer lease.l.release(a)
	a.Within, a.PinnedOverrides = true, lease.override
	if lease.brought {
		a.Pinned = lease.held.First.Configured()
	}
	admitted, err := lease.decide(ctx, a, &r)
	for _, u := range a.unknown {
		lease.l.settler.KeepUnknown(lease.held.Parts(), u)
	}
	if err != nil {
		return store.Failure(ctx, err)
	}
	if !admitted {
		return lease.l.exceeded(a)
	}
	for i := range a.N {
		if c := &a.Charges[i]; c.Result == charge.Applied {
			lease.held.Merge(c, lease.chargedAt)
		}
	}
	return nil
}

// decide decides a further request of the lease: where its acquire was decided.
func (lease *Lease) decide(ctx context.Context, a *attempt, r *Request) (admitted bool, err error) {
	switch {
	case !lease.degraded:
		return lease.l.decide(ctx, a, r)
	case lease.l.store.Closed():
		return false, ErrClosed
	}
	if err := checkTokens("Consume", r.Consume, 0); err != nil {
		return false, err
	}
	return lease.l.decideLocally(ctx, a, r, ErrUnavailable)
}

// settleUnsure settles charges of unknown outcome, before anything else is charged.
func (lease *Lease) settleUnsure(ctx context.Context) error {
	if !slices.ContainsFunc(lease.held.Parts(), (*settle.Part).IsUnsure) {
		return nil
	}
	return lease.eachPending(ctx, lease.l.settler.SettleUnsure)
}

// Release refunds tokens at once, no more than the lease holds, whether or not ctx has ended. Its errors are those of Adjust and
// Flush. After an error of Flush, what was not written stays pending, so that Flush and not another Release tries again.
func (lease *Lease) Release(ctx context.Context, tokens Tokens) error {
	if lease.inert() {
		return nil
	}
	lease.mu.Lock()
	defer lease.mu.Unlock()
	if !lease.enter() {
		return ErrLeaseClosed
	}
	back := make(Tokens, len(tokens))
	for name, n := range tokens {
		if n < 0 || n > bucket.MaxDebt {
			return &ValidationError{"Release[" + name + "]", n, "must be 0 to 10^16 tokens"}
		}
		back[name] = -n
	}
	if err := lease.checkAdjust("Release", -1, back); err != nil {
		return err
	}
	lease.held.Adjust(back)
	return lease.settle(ctx)
}

// noteUnknown notes which charges of an attempt that was not admitted have an unknown outcome.
func (a *attempt) noteUnknown() {
	for i := range a.N {
		if c := &a.Charges[i]; c.Unsure && c.Result == charge.Pending {
			a.unknown = append(a.unknown, settle.UnknownOf(c))
		}
	}
}
