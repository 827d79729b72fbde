package engine

import (
	"context"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// settle writes what is pending of all parts, whether or not ctx has ended.
func (lease *Lease) settle(ctx context.Context) error {
	return lease.eachPending(ctx, func(ctx context.Context, p *part, now int64) error {
		if err := lease.l.settleUnsure(ctx, p, now); err != nil {
			return err
		}
		p.trim()
		if now-lease.chargedAt > int64(lease.l.opts.MaxHold) {
			lease.l.lose(p, errTooLate)
		}
		if lease.degraded {
			return lease.l.settleLocally(p, now)
		}
		return lease.l.settle(ctx, p, now)
	})
}

// eachPending does f for all parts if anything is pending of one. Its context goes on when ctx has ended.
func (lease *Lease) eachPending(ctx context.Context, f func(ctx context.Context, p *part, now int64) error) error {
	if !lease.first.pending() && !slices.ContainsFunc(lease.others(), (*part).pending) {
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
	return store.Failure(ctx, lease.l.eachPart(lease.parts(), func(p *part) error { return f(inner, p, now) }))
}

// unsure is a charge whose outcome is unknown: it is neither held nor pending. A part has at most one, and it is settled
// before the lease writes anything else: that would overwrite the nonce by which the record shows whether it was made.
type unsure struct {
	nonce    backend.Num
	sent     Tokens
	unwanted bool          // if it was made, it is refunded: its Consume has failed, or the lease is rolled back
	shared   *sharedCharge // the charge that it is a share of; nil: it is the part's own
}

// unsure is the charge of unknown outcome, nil if there is none.
func (p *part) unsure() *unsure {
	if p.rare == nil {
		return nil
	}
	return p.rare.unsure
}

// markUnsure makes all charges that are pending one of unknown outcome, sent under nonce.
func (p *part) markUnsure(nonce backend.Num) {
	if p.unsure() != nil {
		return // it was that one which was sent again
	}
	sent := Tokens{}
	for i := range p.size() {
		if a := p.at(i); a.pending > 0 {
			sent[p.name(i)], a.pending = a.pending, 0
		}
	}
	p.rarely().unsure = &unsure{nonce: nonce, sent: sent}
}

// sent is how much of the i-th limit was charged with an unknown outcome, and is still wanted.
func (p *part) sent(i int) int64 {
	if u := p.unsure(); u != nil && !u.unwanted {
		return u.sent[p.name(i)]
	}
	return 0
}

// due is how much of the i-th limit the next write moves: of a charge of unknown outcome, which is written alone, or of
// what is pending.
func (p *part) due(i int) int64 {
	if u := p.unsure(); u != nil {
		return u.sent[p.name(i)]
	}
	return p.at(i).pending
}

// done notes that what was due was written.
func (p *part) done() {
	u := p.unsure()
	for i := range p.size() {
		a, n := p.at(i), p.due(i)
		if a.held += n; u == nil {
			a.pending = 0
		}
	}
	if u != nil {
		p.rare.unsure = nil
	}
	if p.rare != nil {
		p.rare.retracts = 0
	}
}

// settleUnsure settles a charge of unknown outcome. A wanted one is sent again under its nonce. An unwanted one becomes
// pending to be refunded if the record shows that it was made, and is counted as lost if not.
func (l *Limiter) settleUnsure(ctx context.Context, p *part, now int64) error {
	u, sent := p.unsure(), p
	if u == nil {
		return nil
	}
	if u.shared != nil {
		if err := u.shared.use(ctx); err != nil {
			return err
		}
		defer u.shared.release()
		sent = u.shared.sum
	}
	switch {
	case sent.unsure() == nil: // another lease has settled it
	case !u.unwanted:
		if err := l.settle(ctx, sent, now); err != nil {
			return err
		}
	default:
		made, err := l.wasMade(ctx, sent)
		if err != nil {
			return err
		}
		if !made {
			p.rare.unsure = nil
			l.reportUnrefunded(p.state, u.sent)
			return nil
		}
		sent.addLate(u)
		sent.done()
	}
	if sent != p {
		u.shared.share(p)
	}
	if u.unwanted {
		p.refundSent(u)
	}
	return nil
}

// addLate makes room for limits of a charge of unknown outcome that the part does not have.
func (p *part) addLate(u *unsure) {
	for name := range u.sent {
		if p.index(name) < 0 {
			p.add(name)
		}
	}
}

// refundSent makes a charge pending to be refunded, which was made.
func (p *part) refundSent(u *unsure) {
	for name, n := range u.sent {
		p.amount(name).pending -= n
	}
}

// wasMade reads the bucket, and reports whether it shows that the part's charge of unknown outcome was made.
func (l *Limiter) wasMade(ctx context.Context, p *part) (bool, error) {
	r, err := l.store.ReadOne(ctx, l.key(p.state))
	if err != nil {
		return false, err
	}
	if nonce, ok := r.Num(schema.Nonce); !ok || nonce != p.unsure().nonce {
		return false, nil
	}
	born, _ := r.Num(schema.Born)
	p.begin(born)
	return true, nil
}

// named are amounts by name, which are given by position in set. Zeros are left out.
func named(set *limitset.Set, amounts []int64) Tokens {
	tokens := Tokens{}
	for i, n := range amounts {
		if n != 0 {
			tokens[set.Terms[i].Name] = n
		}
	}
	return tokens
}

// reportUnrefunded counts a charge of unknown outcome that is not refunded. If it was made, the tokens refill.
func (l *Limiter) reportUnrefunded(b *bucketState, tokens Tokens) {
	l.observe(Event{
		Kind: EventRefundLost, Entity: b.id.entity, Resource: b.id.resource, Tokens: tokens, Err: backend.ErrOutcomeUnknown,
	})
}

// noteUnknown notes which charges of an attempt that was not admitted have an unknown outcome.
func (a *attempt) noteUnknown() {
	for i := range a.n {
		c := &a.charges[i]
		if !c.unsure || c.result != pending {
			continue
		}
		sent := named(c.assumed, c.need[:len(c.assumed.Terms)])
		a.unknown = append(a.unknown, unknownCharge{c.state, &unsure{nonce: c.nonce, sent: sent, unwanted: true}})
	}
}

// unknownCharge is a charge of unknown outcome, with its bucket.
type unknownCharge struct {
	state *bucketState
	*unsure
}

// keepUnknown makes the lease refund what a Consume that failed may have charged, when it is settled.
func (lease *Lease) keepUnknown(charges []unknownCharge) {
	for _, c := range charges {
		if p := lease.part(c.state); p != nil && p.unsure() == nil {
			p.rarely().unsure = c.unsure
		} else {
			lease.l.reportUnrefunded(c.state, c.sent)
		}
	}
}

// isMine reports whether a charge of this charge was the last to write r.
func (c *bucketCharge) isMine(r *backend.Record) bool {
	nonce, ok := r.Num(schema.Nonce)
	return ok && nonce == c.nonce
}

// lose gives up refunds whose outcome is not known, or that came too late.
func (l *Limiter) lose(p *part, err error) {
	lost := Tokens{}
	for i := range p.size() {
		if a := p.at(i); a.pending < 0 {
			lost[p.name(i)] = -a.pending
			p.drop(i)
		}
	}
	if len(lost) > 0 {
		l.observe(Event{Kind: EventRefundLost, Entity: p.state.id.entity, Resource: p.state.id.resource, Tokens: lost, Err: err})
	}
}
