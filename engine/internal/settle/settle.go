package settle

import (
	"context"
	"errors"
	"sync"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Settler settles parts of leases. Safe for concurrent use; a part is used by one caller at a time.
type Settler struct {
	*charge.Charger // with its options, such as Store, NoIO, Now and Start

	mu      sync.Mutex
	waiting map[*charge.State]*settlements // where a settlement is under way that others wait for
}

// New returns a settler of what a charger has charged, and settles what the charger's desks leave.
func New(k *charge.Charger) *Settler {
	s := &Settler{Charger: k, waiting: map[*charge.State]*settlements{}}
	k.SettleOwed = s.settleOwed
	return s
}

// Settle writes what is due of a part in one write: charges without the token check, which may lead to debt, and refunds,
// which only the life of the record that was charged takes. A refund is sent once: if its outcome is unknown, it counts as
// made, and is counted as lost. After an error what is still due may be settled again; a charge of unknown outcome comes
// first then.
func (s *Settler) Settle(ctx context.Context, p *Part, now int64) error {
	p.state = s.Current(p.state)
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
func (s *Settler) settleAtDesk(p *Part, now int64) (done bool, err error) {
	if p.unsure() != nil {
		return false, nil
	}
	d := p.state.OpenDesk()
	if d == nil {
		return false, nil
	}
	defer d.Unlock()
	set := d.Limits()
	if p.born.IsZero() || d.Born() != p.born || !p.dueIn(set) {
		return false, nil
	}
	delta, most := make(pocket.Tokens, len(set.Rates)), 0
	for i := range p.Size() {
		if n := p.due(i); n != 0 {
			delta[set.Index(p.Name(i))] = n
			most = i
		}
	}
	switch {
	case p.retracts() != 0:
		d.Retract(now, delta, p.born)
	case !d.Settle(now, delta, p.born):
		return true, charge.OutOfDebt(p.Name(most), p.due(most))
	}
	p.done()
	return true, nil
}

// settleDirectly is Settle by a write of its own.
func (s *Settler) settleDirectly(ctx context.Context, p *Part, now int64) error {
	one := s.NewSettlement(p.state, p.Required, p.nonce(), now)
	defer s.Release(one)
	c := &one.Charge[0]
	err := s.settleCharge(ctx, c, p)
	if err != nil && c.Unsure {
		p.markUnsure(c.Nonce)
	}
	return err
}

func (s *Settler) settleCharge(ctx context.Context, c *charge.Charge, p *Part) error {
	if !p.dueIn(c.Assumed) || !p.usedIn(c.Assumed) { // only what has nowhere to go now is void
		if err := s.ReadLimitsAgain(ctx, c, p.Required); err != nil {
			return err
		}
	}
	converted := p.rare != nil && p.rare.writeBack && p.usedIn(c.Assumed)
	for c.Tries = 1; c.Tries <= charge.MostTries; c.Tries++ {
		if converted && !p.usedIn(c.Assumed) { // not any more
			return errOtherLimits
		}
		s.ReportLost(charge.UsageLost, p.state.ID, p.usageBeyond(c.Assumed), errLimitGone)
		w := p.takeDue(c)
		if !w.Charges && !w.Refunds {
			p.done()
			return nil
		}
		if err := c.BuildSettlement(w); err != nil {
			return err
		}
		if done, err := s.sendPart(ctx, c, p, w); done || err != nil {
			return err
		}
		if !s.GiveWay(ctx, c) {
			break
		}
	}
	return store.ErrContention
}

// usedIn reports whether set has every limit of which usage is owed.
func (p *Part) usedIn(set *limitset.Set) bool {
	if o := p.owed(); o != nil {
		for i, n := range o.Used {
			if n != 0 && set.Index(p.Name(i)) < 0 {
				return false
			}
		}
	}
	return true
}

// takeDue puts the amounts that are due on the limits of the record. Those that it has no more are void.
func (p *Part) takeDue(c *charge.Charge) charge.Settlement {
	c.ClearAmounts()
	w := charge.Settlement{Born: p.born, Acquired: -p.retracts(), Refunds: p.retracts() != 0}
	for i := range p.Size() {
		n := p.due(i)
		if n == 0 {
			continue
		}
		j := c.Assumed.Index(p.Name(i))
		if j < 0 {
			p.drop(i)
			continue
		}
		c.SetAmount(j, n)
		w.Charges, w.Refunds = w.Charges || n > 0, w.Refunds || n < 0
	}
	if o := p.owed(); o != nil {
		w.Charges = true
		w.Acquired, w.Lowers = w.Acquired+o.Acquired, o.Acquired < 0
		for i, n := range o.Used {
			if j := c.Assumed.Index(p.Name(i)); j >= 0 {
				c.SetUsed(j, n)
				w.Lowers = w.Lowers || n < 0
			} else {
				o.Used[i] = 0
			}
		}
	}
	return w
}

// sendPart makes the write and learns from its outcome; done when nothing is left to try.
func (s *Settler) sendPart(ctx context.Context, c *charge.Charge, p *Part, w charge.Settlement) (done bool, err error) {
	err = s.SendSettlement(ctx, c, w)
	switch {
	case err == nil:
	case w.Once() && errors.Is(err, backend.ErrOutcomeUnknown):
		s.Lose(p, err)
		if !w.Charges {
			return true, nil
		}
		if c.IsAbandoned() {
			return false, err
		}
		return false, nil // the charge is sent again alone, under the same nonce
	default:
		return false, err
	}
	if born, yes := c.Settled(w); yes {
		p.begin(born)
		p.done()
		return true, nil
	}
	if w.Refunds {
		p.refuse(c.Record())
	}
	return false, s.Learn(c)
}

// refuse is for a record that has refused refunds. Those to a life of the record that is over are void.
func (p *Part) refuse(r *backend.Record) {
	born, present := r.Num(schema.Born)
	if present && born == p.born {
		return
	}
	for i := range p.Size() {
		if p.at(i).pending < 0 {
			p.drop(i)
		}
	}
	if o := p.owed(); o != nil && (o.Acquired < 0 || !p.rare.writeBack) { // what was counted in that life is over, too
		p.keepCounted()
	}
	if p.rare != nil {
		p.rare.retracts = 0
	}
}

// keepCounted ends what is owed to lower counters of the record. As a refund, that is sent once.
func (p *Part) keepCounted() {
	o := p.owed()
	if o == nil {
		return
	}
	owes := o.Acquired > 0
	o.Acquired = max(0, o.Acquired)
	for i, n := range o.Used {
		o.Used[i] = max(0, n)
		owes = owes || n > 0 || p.at(i).pending > 0 // which else would be counted as used
	}
	if !owes {
		p.rare.owed = nil
	}
}

// Lose gives up refunds whose outcome is not known, or that came too late.
func (s *Settler) Lose(p *Part, err error) {
	lost := map[string]int64{}
	for i := range p.Size() {
		if o := p.owed(); o != nil && o.Used[i] < 0 {
			lost[p.Name(i)] = -o.Used[i]
		}
		if a := p.at(i); a.pending < 0 {
			lost[p.Name(i)] = -a.pending
			p.drop(i)
		}
	}
	p.keepCounted()
	s.ReportLost(charge.RefundLost, p.state.ID, lost, err)
}

// EachPart calls f for all parts, concurrently if the store does I/O.
func (s *Settler) EachPart(parts []*Part, f func(*Part) error) error {
	errs := make([]error, len(parts))
	if len(parts) == 1 || s.NoIO {
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
