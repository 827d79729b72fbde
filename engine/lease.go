package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/settle"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// Lease is what an acquire holds: it corrects, commits or refunds what was charged. Safe for concurrent use; calls
// that write to the store run one after the other. The methods of a nil lease, and of a lease that PolicyAllow has granted, do
// nothing. A lease that PolicyLocal has granted is settled in this process without I/O, whether the store is back or not.
// A lease that is never settled, or whose process dies, stays charged until that has refilled, and loses its adjustments.
type Lease struct {
	l         *Limiter // nil: the lease does nothing
	mu        sync.Mutex
	state     atomic.Uint32 // changes under mu, but for what Commit makes of a fresh one
	degraded  bool          // granted without the store; if l is set, by local buckets
	brought   bool          // the first part's limits are those of the request, which named that bucket
	override  bool          // they beat what is stored
	observed  bool          // its end was
	chargedAt int64         // the acquire's now, ns since the Unix epoch
	held      settle.Holding
}

// The states of a lease.
const (
	fresh uint32 = iota // nothing was done to it, and there is nothing to write
	open
	settling  // Commit was called and has failed
	committed // Commit has returned nil
	rolledBack
)

// enter is for whoever may change the lease, who holds mu: it reports whether the lease is open.
func (lease *Lease) enter() bool {
	return lease.state.CompareAndSwap(fresh, open) || lease.state.Load() == open
}

func (lease *Lease) inert() bool { return lease == nil || lease.l == nil }

// Adjust corrects what the lease holds, locally: Flush or Commit writes it. It may lead to debt. It accepts every limit
// configured on the path, named at the acquire or not. What was charged before the bucket was reset may be adjusted
// downwards, too, without effect. It returns ErrUnknownLimit for other limits, a *ValidationError if the lease would hold less
// than nothing, ErrOutOfRange beyond 10^16 tokens, and ErrLeaseClosed after Commit or Rollback. An error changes nothing.
func (lease *Lease) Adjust(delta Tokens) error {
	if lease.inert() {
		return nil
	}
	lease.mu.Lock()
	defer lease.mu.Unlock()
	if !lease.enter() {
		return ErrLeaseClosed
	}
	if err := lease.checkAdjust("Adjust", 1, delta); err != nil {
		return err
	}
	lease.held.Adjust(delta)
	return nil
}

func (lease *Lease) checkAdjust(method string, sign int64, delta Tokens) error {
	for name, d := range delta {
		known := false
		for _, p := range lease.held.Parts() {
			i := p.Index(name)
			if i < 0 {
				continue
			}
			known = true
			left := p.Left(i)
			switch {
			case d < 0 && left+d < 0:
				return &ValidationError{method + "[" + name + "]", sign * d, fmt.Sprintf("must not refund more than the %d that the lease holds", left)} // as it was given
			case p.ExceedsDebt(i, d):
				return charge.OutOfDebt(name, d)
			}
		}
		if !known {
			return lease.held.Unknown(name)
		}
	}
	return nil
}

// Flush writes the net of the adjustments, or nothing if it is zero. It does not matter whether ctx has ended: the write
// is bounded by Options.Timeout only, and not at all if that is negative. After an error what was not written stays
// pending. A charge whose outcome is unknown is sent again by the next call that writes, before anything else.
func (lease *Lease) Flush(ctx context.Context) error {
	if lease.inert() {
		return nil
	}
	lease.mu.Lock()
	defer lease.mu.Unlock()
	if !lease.enter() {
		return ErrLeaseClosed
	}
	return lease.settle(ctx)
}

// Commit writes the net of the adjustments as Flush does, in one write per bucket or none if it is zero, and ends the
// lease. After an error it may be called again; Rollback does nothing any more.
func (lease *Lease) Commit(ctx context.Context) error {
	if lease.inert() {
		return nil
	}
	if lease.state.CompareAndSwap(fresh, committed) {
		lease.observeEnd(true)
		return nil
	}
	lease.mu.Lock()
	defer lease.mu.Unlock()
	if state := lease.state.Load(); state != open && state != settling {
		return ErrLeaseClosed
	}
	lease.state.Store(settling)
	err := lease.settle(ctx)
	lease.observeEnd(true)
	if err != nil {
		return err
	}
	lease.state.Store(committed)
	return nil
}

// Rollback refunds all that the lease holds, flushed adjustments included, and ends it. It does nothing once Commit was
// called, whatever that returned, so it can be deferred. As with Flush, it does not matter whether ctx has ended. After an
// error it may be called again. If the outcome of an earlier charge is unknown, the bucket is read first: the charge is
// refunded if the record shows it, and is otherwise reported as lost (EventRefundLost).
func (lease *Lease) Rollback(ctx context.Context) error {
	if lease.inert() {
		return nil
	}
	lease.mu.Lock()
	defer lease.mu.Unlock()
	if !lease.enter() {
		return nil
	}
	for _, p := range lease.held.Parts() {
		p.RefundAll()
	}
	err := lease.settle(ctx)
	lease.observeEnd(false)
	if err != nil {
		return err
	}
	lease.state.Store(rolledBack)
	return nil
}

// settle writes what is pending of all parts, whether or not ctx has ended.
func (lease *Lease) settle(ctx context.Context) error {
	return lease.eachPending(ctx, func(ctx context.Context, p *settle.Part, now int64) error {
		if err := lease.l.settler.SettleUnsure(ctx, p, now); err != nil {
			return err
		}
		p.Trim()
		if now-lease.chargedAt > int64(lease.l.opts.MaxHold) {
			lease.l.settler.Lose(p, errTooLate)
		}
		if lease.degraded {
			return lease.l.writeBack.SettleLocal(p, now)
		}
		return lease.l.settler.Settle(ctx, p, now)
	})
}

// eachPending calls f for all parts if anything is pending in one of them. The context of f does not end with ctx.
func (lease *Lease) eachPending(ctx context.Context, f func(ctx context.Context, p *settle.Part, now int64) error) error {
	if !lease.held.Pending() {
		return nil
	}
	if lease.l.store.Closed() {
		return ErrClosed
	}
	now, err := lease.l.now()
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	inner, cancel := lease.l.store.Budget(ctx)
	defer cancel()
	return store.Failure(ctx, lease.l.settler.EachPart(lease.held.Parts(), func(p *settle.Part) error { return f(inner, p, now) }))
}

// Consumed returns the tokens that were charged to the entity's own bucket and not refunded, pending adjustments included.
func (lease *Lease) Consumed() Tokens {
	tokens := Tokens{}
	if lease.inert() {
		return tokens
	}
	lease.mu.Lock()
	defer lease.mu.Unlock()
	p := lease.held.Of(lease.held.Root())
	if p == nil {
		return tokens
	}
	for i := range p.Size() {
		if n, known := p.Consumed(i); known {
			tokens[p.Name(i)] = n
		}
	}
	return tokens
}

// Degraded reports whether the lease was granted by policy, without the store.
func (lease *Lease) Degraded() bool { return lease != nil && lease.degraded }

// Statuses lists every limit on the path as it was right after the acquire.
func (lease *Lease) Statuses() []LimitStatus { return lease.AppendStatuses(nil) }

// AppendStatuses appends what Statuses lists to all, for callers who use the same memory again, and returns the longer slice.
func (lease *Lease) AppendStatuses(all []LimitStatus) []LimitStatus {
	if lease.inert() {
		return all
	}
	lease.mu.Lock()
	defer lease.mu.Unlock()
	for _, p := range lease.held.Parts() {
		for i := range p.Required.Terms {
			state := p.Limit(i)
			all = append(all, statusOf(&state, lease.chargedAt))
		}
	}
	return all
}
