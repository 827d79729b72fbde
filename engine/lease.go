package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Lease is what an acquire holds: it corrects, commits or refunds what was charged. Safe for concurrent use; calls
// that write to the store run one after the other. All methods of a nil or degraded lease do nothing. A process that
// dies keeps its charges: they refill.
type Lease struct {
	l        *Limiter
	mu       sync.Mutex
	state    atomic.Uint32 // changes under mu, but for what Commit makes of a fresh one
	degraded bool
	brought  bool  // the first part's limits are those of the request, which named that bucket
	override bool  // they beat what is stored
	charged  int64 // the acquire's now, ns since the Unix epoch
	first    part  // there always is one
	path     *path // nil: no other part, and the first one is the bucket's that the request named
}

// path is what leases of several buckets have.
type path struct {
	root *bucketState // of the bucket that the request named
	more []*part      // of parents
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
func (s *Lease) enter() bool {
	return s.state.CompareAndSwap(fresh, open) || s.state.Load() == open
}

// newLease holds what the attempt has charged.
func (l *Limiter) newLease(o *attempt, r *Request) *Lease {
	first := &o.charges[0]
	lease := &Lease{l: l, charged: o.now, brought: first.root && first.required != first.stored, override: len(r.Override) > 0}
	if o.n > 1 || first.h != o.root {
		lease.path = &path{root: o.root}
	}
	for i := range o.n {
		c, p := &o.charges[i], &lease.first
		if i > 0 {
			p = new(part)
			lease.path.more = append(lease.path.more, p)
		}
		if c.result == applied {
			p.hold(c)
		} else { // a request of zeros only: nothing was charged
			l.holdNothing(p, c)
		}
	}
	return lease
}

// holdNothing is hold for a charge that was decided by reading the bucket: no tokens were charged.
func (l *Limiter) holdNothing(p *part, c *bucketCharge) {
	all, tats, _, err := l.states(c)
	p.h, p.required = c.h, c.required
	p.born, _ = c.record().Num(schema.Born)
	for i := range c.required.terms {
		if i >= len(p.room) {
			p.rarely().rest = append(p.rarely().rest, amount{})
		}
		if j := all.index(c.required.terms[i].Name); err != nil || j < 0 {
			p.at(i).left = c.required.rates[i].Y(c.now)
		} else {
			p.at(i).left = c.required.leaves(i, &all.rates[j], tats[j], c.now)
		}
	}
}

// parts are all parts of the lease, the entity's first where it has any limits.
func (s *Lease) parts() []*part {
	return append([]*part{&s.first}, s.others()...)
}

func (s *Lease) others() []*part {
	if s.path == nil {
		return nil
	}
	return s.path.more
}

// part is what the lease holds of a bucket, nil if that is nothing.
func (s *Lease) part(h *bucketState) *part {
	for _, p := range s.parts() {
		if p.h.id == h.id {
			return p
		}
	}
	return nil
}

// root is the state of the bucket that the request named.
func (s *Lease) root() *bucketState {
	if s.path == nil {
		return s.first.h
	}
	return s.path.root
}

func (s *Lease) inert() bool { return s == nil || s.degraded }

// Adjust corrects what the lease holds, locally: Flush or Commit writes it. It may lead to debt. It accepts every limit
// configured on the path, named at the acquire or not. What was charged before the bucket was reset may be adjusted
// downwards, too, without effect. ErrUnknownLimit for other limits; a *ValidationError if the lease would hold less than
// nothing; ErrOutOfRange beyond 10^16 tokens; ErrLeaseClosed after Commit or Rollback. After an error nothing is changed.
func (s *Lease) Adjust(delta Tokens) error {
	if s.inert() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.enter() {
		return ErrLeaseClosed
	}
	if err := s.checkAdjust(delta); err != nil {
		return err
	}
	s.change(delta)
	return nil
}

func (s *Lease) checkAdjust(delta Tokens) error {
	for name, d := range delta {
		known := false
		for _, p := range s.parts() {
			i := p.index(name)
			if i < 0 {
				continue
			}
			known = true
			a, left := p.at(i), p.left(i)
			switch {
			case d < 0 && left+d < 0:
				return &ValidationError{"Adjust[" + name + "]", d, fmt.Sprintf("must not be below -%d: the lease holds no more", left)}
			case d > bucket.MaxDebt || left-a.void+d > bucket.MaxDebt || a.pending+d > bucket.MaxDebt:
				return outOfDebt(name, d)
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
	for _, p := range s.parts() {
		for i := range p.size() {
			known = append(known, p.name(i))
		}
	}
	return unknownLimits([]string{name}, known)
}

// change adds to what is pending.
func (s *Lease) change(tokens Tokens) {
	for _, p := range s.parts() {
		for name, n := range tokens {
			if a := p.amount(name); a != nil {
				a.pending += n
			}
		}
	}
}

// Flush writes the net of the adjustments, or nothing if it is zero. It does not matter whether ctx has ended: the write
// is bounded by Options.Timeout only, and not at all if that is negative. After an error what was not written stays
// pending. A charge whose outcome is unknown is sent again by the next call that writes, before anything else.
func (s *Lease) Flush(ctx context.Context) error {
	if s.inert() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.enter() {
		return ErrLeaseClosed
	}
	return s.settle(ctx)
}

// Commit writes the net of the adjustments as Flush does, in one write per bucket or none if it is zero, and ends the
// lease. After an error it may be called again; Rollback does nothing any more.
func (s *Lease) Commit(ctx context.Context) error {
	if s.inert() {
		return nil
	}
	if s.state.CompareAndSwap(fresh, committed) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if state := s.state.Load(); state != open && state != settling {
		return ErrLeaseClosed
	}
	s.state.Store(settling)
	if err := s.settle(ctx); err != nil {
		return err
	}
	s.state.Store(committed)
	return nil
}

// Rollback refunds all that the lease holds, flushed adjustments included, and ends it. It does nothing once Commit was
// called, whatever that returned, so it can be deferred. As with Flush, it does not matter whether ctx has ended. After an
// error it may be called again. If the outcome of an earlier charge is unknown, the bucket is read first: the charge is
// refunded if the record shows it, and else counted as lost (EventRefundLost).
func (s *Lease) Rollback(ctx context.Context) error {
	if s.inert() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.enter() {
		return nil
	}
	for _, p := range s.parts() {
		p.refundAll()
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	s.state.Store(rolledBack)
	return nil
}

// Consumed is what the lease accounts for in the entity's own bucket, in tokens: charged and not refunded, pending
// adjustments included.
func (s *Lease) Consumed() Tokens {
	tokens := Tokens{}
	if s.inert() {
		return tokens
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.parts() {
		for i := range p.size() {
			a := p.at(i)
			if n := a.held + a.gone + p.sent(i) + max(a.pending, -a.held-p.sent(i)); p.h.id == s.root().id && (n != 0 || a.asked != 0) {
				tokens[p.name(i)] = n
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
	for _, p := range s.parts() {
		for i := range p.required.terms {
			state := limitState{id: &p.h.id, set: p.required, at: p.at(i).left, requested: p.at(i).asked, i: uint8(i)}
			all = append(all, state.status(s.charged))
		}
	}
	return all
}
