package engine

import (
	"context"
	"slices"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// Consume takes more tokens, through the token check and at once: *ExceededError if they do not fit, and other errors as
// [Limiter.Acquire]. If the store cannot be reached it fails, whatever the policy. What it may have charged then is
// refunded when the lease is settled, or counted as lost (EventRefundLost).
func (s *Lease) Consume(ctx context.Context, tokens Tokens) error {
	if s.inert() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.enter() {
		return ErrLeaseClosed
	}
	if err := s.settleUnsure(ctx); err != nil {
		return err
	}
	o := s.l.attempts.Get().(*attempt)
	defer s.l.release(o)
	r := Request{Entity: s.root().id.entity, Resource: s.root().id.resource, Consume: tokens}
	o.within, o.overrides = true, s.override
	if s.brought {
		o.pinned = s.first.required
	}
	admitted, err := s.l.decide(ctx, o, &r)
	s.keepUnknown(o.unknown)
	if err != nil {
		return store.Failure(ctx, err)
	}
	s.l.observeDecision(o, &r, admitted)
	if !admitted {
		return s.l.exceeded(o)
	}
	for i := range o.n {
		if c := &o.charges[i]; c.result == applied {
			s.merge(c)
		}
	}
	return nil
}

// settleUnsure settles charges of unknown outcome, before anything else is charged.
func (s *Lease) settleUnsure(ctx context.Context) error {
	if !slices.ContainsFunc(s.parts(), func(p *part) bool { return p.unsure() != nil }) {
		return nil
	}
	return s.eachPending(ctx, s.l.settleUnsure)
}

// merge adds what a further charge holds. What was charged to an earlier life of the bucket is gone.
func (s *Lease) merge(c *bucketCharge) {
	if p := s.part(c.h); p != nil {
		var more part
		more.hold(c)
		p.begin(more.born)
		for i := range more.size() {
			a := p.amount(more.name(i))
			if a == nil {
				a = p.add(more.name(i))
			}
			a.held += more.at(i).held
		}
		return
	}
	p := new(part)
	p.hold(c)
	p.since(s.charged, c.now)
	if s.path == nil {
		s.path = &path{root: s.first.h}
	}
	s.path.more = append(s.path.more, p)
}

// Release refunds tokens at once, no more than the lease holds, whether or not ctx has ended. Errors as Adjust and Flush:
// after an error what was not written stays pending, so that Flush and not another Release tries again.
func (s *Lease) Release(ctx context.Context, tokens Tokens) error {
	if s.inert() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.enter() {
		return ErrLeaseClosed
	}
	back := make(Tokens, len(tokens))
	for name, n := range tokens {
		if n < 0 || n > bucket.MaxDebt {
			return &ValidationError{"Release[" + name + "]", n, "must be 0 to 10^16 tokens"}
		}
		back[name] = -n
	}
	if err := s.checkAdjust(back); err != nil {
		return err
	}
	s.change(back)
	return s.settle(ctx)
}
