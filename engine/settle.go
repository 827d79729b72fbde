package engine

import (
	"context"
	"errors"
	"sync"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// settler settles parts of leases. Safe for concurrent use; a part is used by one caller at a time.
type settler struct {
	*charger

	mu      sync.Mutex
	waiting map[*bucketState]*settlements // where a settlement is under way that others wait for
}

// newSettler returns a settler of what a charger has charged, and settles what the charger's desks leave.
func newSettler(k *charger) *settler {
	s := &settler{charger: k, waiting: map[*bucketState]*settlements{}}
	k.settleOwed = s.settleOwed
	return s
}

// settle writes what is due of a part in one write: charges without the token check, which may lead to debt, and refunds,
// which only the life of the record that was charged takes. A refund is sent once: if its outcome is unknown, it counts as
// made, and is counted as lost. After an error what is still due may be settled again; a charge of unknown outcome comes
// first then.
func (s *settler) settle(ctx context.Context, p *part, now int64) error {
	p.state = s.current(p.state)
	if s.Prefetch {
		if done, err := s.settleAtDesk(p, now); done {
			return err
		}
	}
	return s.settleTogether(ctx, p, now)
}

// settleAtDesk lets what is due of a part wait for the next write of its bucket. It returns false, and does nothing, if this
// process does not prefetch the bucket, or the lease is of another life of its record, or of one that is not known yet: a write of
// its own finds that out, so that what it charges can be refunded.
func (s *settler) settleAtDesk(p *part, now int64) (done bool, err error) {
	if p.unsure() != nil {
		return false, nil
	}
	d := p.state.openDesk()
	if d == nil {
		return false, nil
	}
	defer d.unlock()
	set := d.limits()
	if p.born.IsZero() || d.born() != p.born || !p.dueIn(set) {
		return false, nil
	}
	delta, most := make(pocket.Tokens, len(set.Rates)), 0
	for i := range p.size() {
		if n := p.due(i); n != 0 {
			delta[set.Index(p.name(i))] = n
			most = i
		}
	}
	switch {
	case p.retracts() != 0:
		d.retract(now, delta, p.born)
	case !d.settle(now, delta, p.born):
		return true, outOfDebt(p.name(most), p.due(most))
	}
	p.done()
	return true, nil
}

// settleOwed settles what a desk has left when it ended: its pocket, what callers that have left had been charged, and usage that
// was not written yet.
func (s *settler) settleOwed(b *bucketState, set *limitset.Set, owed pocket.Owed) {
	p := newPart(b, set, owed.Born)
	used := owed.Acquired != 0
	for i := range p.required.Terms {
		a := p.at(i)
		a.held, a.pending = owed.Refund[i], owed.Charge[i]-owed.Refund[i]
		used = used || owed.Used[i] != a.pending
	}
	if used {
		p.rarely().owed = &owed
	}
	if !p.pending() {
		return
	}
	s.Start(func(ctx context.Context) { s.settleAside(ctx, p) })
}

// settleAside settles a part that belongs to no lease, also while the limiter closes. What cannot be settled is lost.
func (s *settler) settleAside(ctx context.Context, p *part) {
	inner, cancel := s.Store.Budget(store.Last(context.WithoutCancel(ctx)))
	defer cancel()
	if err := s.settleDirectly(inner, p, s.Now()); err != nil {
		s.lose(p, err)
	}
}

// settleDirectly is settle by a write of its own.
func (s *settler) settleDirectly(ctx context.Context, p *part, now int64) error {
	one := s.singleSettlement(p.state, p.required, p.nonce(), now)
	defer s.release(one)
	c := &one.charge[0]
	err := s.settleCharge(ctx, c, p)
	if err != nil && c.unsure {
		p.markUnsure(c.nonce)
	}
	return err
}

func (s *settler) settleCharge(ctx context.Context, c *bucketCharge, p *part) error {
	if !p.dueIn(c.assumed) { // only what has nowhere to go now is void
		if err := s.readLimitsAgain(ctx, c, p.required); err != nil {
			return err
		}
	}
	for c.tries = 1; c.tries <= mostTries; c.tries++ {
		w := p.takeDue(c)
		if !w.ups && !w.downs {
			p.done()
			return nil
		}
		if err := c.buildSettlement(w); err != nil {
			return err
		}
		if done, err := s.sendPart(ctx, c, p, w); done || err != nil {
			return err
		}
		if !s.giveWay(ctx, c) {
			break
		}
	}
	return store.ErrContention
}

// takeDue puts the amounts that are due on the limits of the record. Those that it has no more are void.
func (p *part) takeDue(c *bucketCharge) settlementWrite {
	c.forgetAmounts()
	w := settlementWrite{born: p.born, acquired: -p.retracts(), downs: p.retracts() != 0}
	for i := range p.size() {
		n := p.due(i)
		if n == 0 {
			continue
		}
		j := c.assumed.Index(p.name(i))
		if j < 0 {
			p.drop(i)
			continue
		}
		c.settles(j, n)
		w.ups, w.downs = w.ups || n > 0, w.downs || n < 0
	}
	if o := p.owed(); o != nil {
		w.ups = true
		w.acquired += o.Acquired
		for i, n := range o.Used {
			if j := c.assumed.Index(p.name(i)); j >= 0 {
				c.counts(j, n)
			}
		}
	}
	return w
}

// sendPart makes the write and learns from its outcome; done when nothing is left to try.
func (s *settler) sendPart(ctx context.Context, c *bucketCharge, p *part, w settlementWrite) (done bool, err error) {
	err = s.sendSettlement(ctx, c, w)
	switch {
	case err == nil:
	case w.downs && errors.Is(err, backend.ErrOutcomeUnknown):
		s.lose(p, err)
		if !w.ups {
			return true, nil
		}
		if c.isAbandoned() {
			return false, err
		}
		return false, nil // the charge is sent again alone, under the same nonce
	default:
		return false, err
	}
	if born, yes := c.settled(w); yes {
		p.begin(born)
		p.done()
		return true, nil
	}
	if w.downs {
		p.refuse(c.record())
	}
	return false, s.learn(c)
}

// refuse is for a record that has refused refunds. Those to a life of the record that is over are void.
func (p *part) refuse(r *backend.Record) {
	born, present := r.Num(schema.Born)
	if present && born == p.born {
		return
	}
	for i := range p.size() {
		if p.at(i).pending < 0 {
			p.drop(i)
		}
	}
	if o := p.owed(); o != nil && o.Acquired < 0 { // what a reservation has counted is over, too
		p.rare.owed = nil
	}
	if p.rare != nil {
		p.rare.retracts = 0
	}
}

// lose gives up refunds whose outcome is not known, or that came too late.
func (s *settler) lose(p *part, err error) {
	lost := map[string]int64{}
	for i := range p.size() {
		if a := p.at(i); a.pending < 0 {
			lost[p.name(i)] = -a.pending
			p.drop(i)
		}
	}
	if len(lost) > 0 {
		s.Report(context.Background(), report{Kind: reportRefundLost, Bucket: p.state.id, Tokens: lost, Err: err})
	}
}

// eachPart calls f for all parts, concurrently if the store does I/O.
func (s *settler) eachPart(parts []*part, f func(*part) error) error {
	errs := make([]error, len(parts))
	if len(parts) == 1 || s.noIO {
		for i := range parts {
			errs[i] = f(parts[i])
		}
		return errors.Join(errs...)
	}
	var group sync.WaitGroup
	for i := range parts {
		group.Go(func() { errs[i] = f(parts[i]) })
	}
	group.Wait()
	return errors.Join(errs...)
}
