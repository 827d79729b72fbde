package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// Lease is what an acquire holds: it corrects, commits or gives back what was charged. Safe for concurrent use; calls
// that write to the store run one after the other. All methods of a nil or degraded lease do nothing. A process that
// dies keeps its charges: they refill.
type Lease struct {
	l        *Limiter
	mu       sync.Mutex
	state    leaseState
	degraded bool
	entity   string
	resource string
	charged  int64 // the acquire's now, ns since the Unix epoch
	brought  *plan // the limits that the request brought and was judged by, nil: none
	parts    []part
	first    [1]part // room for the usual number of parts
}

type leaseState uint8

const (
	open      leaseState = iota
	settling             // Commit was called and has failed
	committed            // Commit has returned nil
	rolledBack
)

// newLease holds what the op has charged.
func (l *Limiter) newLease(o *op) *Lease {
	lease := &Lease{l: l, entity: o.req.Entity, resource: o.req.Resource, charged: o.now}
	lease.parts = lease.first[:0]
	for i := range o.n {
		c := &o.claims[i]
		if c.root && c.view != c.stored {
			lease.brought = c.view
		}
		if c.result == pending { // a request of zeros only: nothing was charged
			c.fit(c.view, nil)
		}
		lease.parts = append(lease.parts, c.part())
	}
	return lease
}

func (s *Lease) inert() bool { return s == nil || s.degraded }

// Adjust corrects what the lease holds, locally: Flush or Commit writes it. It may lead to debt. It accepts every limit
// configured on the path, named at the acquire or not. ErrUnknownLimit for others; a *ValidationError where the lease
// would hold less than nothing; ErrOutOfRange beyond 10^16 tokens; ErrLeaseClosed after Commit or Rollback. After an
// error nothing is changed.
func (s *Lease) Adjust(delta Tokens) error {
	if s.inert() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != open {
		return ErrLeaseClosed
	}
	if err := s.checkAdjust(delta); err != nil {
		return err
	}
	s.change(delta, 1)
	return nil
}

func (s *Lease) checkAdjust(delta Tokens) error {
	for name, d := range delta {
		known := false
		for i := range s.parts {
			a := s.parts[i].amount(name)
			if a == nil {
				continue
			}
			known = true
			switch sum := a.held + a.pending + d; {
			case d > bucket.MaxDebt || d < -bucket.MaxDebt || sum > bucket.MaxDebt || a.pending+d > bucket.MaxDebt:
				return outOfDebt(name, d)
			case sum < 0:
				return &ValidationError{"Adjust[" + name + "]", d, fmt.Sprintf("must not be below -%d: the lease holds no more", a.held+a.pending)}
			}
		}
		if !known {
			return s.unknown(name)
		}
	}
	return nil
}

func (s *Lease) unknown(name string) error {
	var known []string
	for i := range s.parts {
		for _, a := range s.parts[i].amounts {
			known = append(known, a.name)
		}
	}
	return unknownLimits([]string{name}, known)
}

// change adds to what is pending.
func (s *Lease) change(tokens Tokens, sign int64) {
	for i := range s.parts {
		for name, n := range tokens {
			if a := s.parts[i].amount(name); a != nil {
				a.pending += sign * n
			}
		}
	}
}

// Consume takes more tokens, through the gate and at once: *ExceededError where they do not fit, and other errors as
// [Limiter.Acquire]. Where the store cannot be reached it fails, whatever the policy.
func (s *Lease) Consume(ctx context.Context, tokens Tokens) error {
	if s.inert() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != open {
		return ErrLeaseClosed
	}
	o := s.l.ops.Get().(*op)
	defer s.l.put(o)
	o.req = Request{Entity: s.entity, Resource: s.resource, Consume: tokens}
	o.within, o.pinned = true, s.brought
	admitted, err := s.l.decide(ctx, o)
	if err != nil {
		return failure(ctx, err)
	}
	s.l.observeDecision(o, admitted)
	if !admitted {
		return s.l.exceeded(o)
	}
	for i := range o.n {
		if c := &o.claims[i]; c.result == applied {
			s.merge(c.part())
		}
	}
	return nil
}

// merge adds what a further charge holds. What was charged to an earlier life of the bucket is gone.
func (s *Lease) merge(more part) {
	for i := range s.parts {
		p := &s.parts[i]
		if p.h.id != more.h.id {
			continue
		}
		if p.born != more.born {
			for j := range p.amounts {
				a := &p.amounts[j]
				a.gone, a.held = a.gone+a.held, 0
			}
			p.born = more.born
		}
		for _, m := range more.amounts {
			if a := p.amount(m.name); a != nil {
				a.held += m.held
			} else {
				p.amounts = append(p.amounts, m)
			}
		}
		return
	}
	s.parts = append(s.parts, more)
}

// Release gives tokens back, at once; no more than the lease holds. Errors as Adjust and Flush.
func (s *Lease) Release(ctx context.Context, tokens Tokens) error {
	if s.inert() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != open {
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
	s.change(back, 1)
	return s.settle(ctx)
}

// Flush writes the net of the adjustments; nothing where it is zero. After ErrUnavailable what was not written stays
// pending.
func (s *Lease) Flush(ctx context.Context) error {
	if s.inert() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != open {
		return ErrLeaseClosed
	}
	return s.settle(ctx)
}

// Commit writes the net of the adjustments, in one write per bucket or none where it is zero, and ends the lease. After
// an error it may be called again; Rollback does nothing any more.
func (s *Lease) Commit(ctx context.Context) error {
	if s.inert() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != open && s.state != settling {
		return ErrLeaseClosed
	}
	s.state = settling
	if err := s.settle(ctx); err != nil {
		return err
	}
	s.state = committed
	return nil
}

// Rollback gives back all that the lease holds, flushed adjustments included, and ends it. It does nothing once Commit
// was called, whatever that returned, so it can be deferred. It goes on when ctx has ended, within Options.Timeout. After an error
// it may be called again.
func (s *Lease) Rollback(ctx context.Context) error {
	if s.inert() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != open {
		return nil
	}
	for i := range s.parts {
		for j := range s.parts[i].amounts {
			a := &s.parts[i].amounts[j]
			a.pending = -a.held
		}
	}
	if err := s.settle(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	s.state = rolledBack
	return nil
}

// settle writes what is pending of all parts.
func (s *Lease) settle(ctx context.Context) error {
	busy := false
	for i := range s.parts {
		busy = busy || s.parts[i].pending()
	}
	if !busy {
		return nil
	}
	if s.l.closed.Load() {
		return ErrClosed
	}
	now, err := s.l.now()
	if err != nil {
		return err
	}
	inner, cancel := s.l.budget(ctx)
	defer cancel()
	late := now-s.charged > int64(s.l.opts.MaxHold)
	return failure(ctx, s.l.eachPart(s.parts, func(p *part) error {
		if late {
			s.l.lose(p, errTooLate)
		}
		return s.l.settle(inner, p, now)
	}))
}

// pending reports whether anything is to be written.
func (p *part) pending() bool {
	for i := range p.amounts {
		if p.amounts[i].pending != 0 {
			return true
		}
	}
	return false
}

// Consumed is what the lease accounts for in the entity's own bucket, in tokens: charged and not given back, pending
// adjustments included.
func (s *Lease) Consumed() Tokens {
	tokens := Tokens{}
	if s.inert() {
		return tokens
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.parts {
		if p := &s.parts[i]; p.h.id.entity == s.entity {
			for _, a := range p.amounts {
				if n := a.held + a.gone + a.pending; n != 0 || a.asked != 0 {
					tokens[a.name] = n
				}
			}
		}
	}
	return tokens
}

// Degraded reports whether the lease was granted by policy, without the store.
func (s *Lease) Degraded() bool { return s != nil && s.degraded }

// Statuses lists every limit on the path as it was right after the acquire.
func (s *Lease) Statuses() []LimitStatus {
	if s.inert() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []LimitStatus
	for i := range s.parts {
		p := &s.parts[i]
		for j := range p.view.terms {
			all = append(all, LimitStatus{
				Entity: p.h.id.entity, Resource: p.h.id.resource, Limit: p.view.terms[j].Limit,
				Available: p.amounts[j].was, Requested: p.amounts[j].asked,
			})
		}
	}
	return all
}
