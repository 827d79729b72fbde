package cascade

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/settle"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// The most that a path may have, and an acquire may do.
const (
	MostPath     = changes.MostPath // entities on a path
	MostRestarts = 4                // of one acquire, if its configuration changes under it
)

// Path has the charges of a path: of the buckets of an entity and its parents, which an acquire charges together.
type Path struct {
	charge.Attempt
	ID charge.ID // of the bucket that the request names
	// Plain says that Check is needless if the bucket is known: its names were checked when it was seen first, Require checks limits
	// that have changed, and assume checks the amounts.
	Plain bool
	Check func() error // returns what is wrong with the request; does not change

	// Charges and what follows are set by Resolve, or by DecideLocally.
	Charges     [MostPath]charge.Charge
	N           int           // of charges in use, the entity's first
	Root        *charge.State // of the bucket that the request names
	Takes       bool          // some charge takes tokens
	Beyond      bool          // some charge is above a capacity
	DenialKnown bool          // some charge is denied by the last seen record
}

// ChargeAll charges every bucket on a path of several, or none: one write each, all at the same time if the store does I/O. If one
// bucket denies, the others are refunded: nobody is ever over-admitted, but for some milliseconds others may see the
// tokens as taken. A transaction would cost twice the write units and four times the latency.
func (p *Path) ChargeAll(ctx context.Context, s *settle.Settler) (admitted bool, err error) {
	if s.NoIO {
		err = p.chargeInTurn(ctx, s)
	} else {
		err = p.chargeAtOnce(ctx, s)
	}
	refused := false
	for i := range p.N {
		refused = refused || p.Charges[i].Result == charge.Denied
	}
	if err == nil && !refused {
		return true, nil
	}
	p.refundOthers(ctx, s)
	switch {
	case err == nil:
		return false, p.readOthers(ctx, s)
	case refused && store.OutOfReach(ctx, err): // one bucket out of reach makes no admission of what another one denies
		p.useLastSeenOfOthers()
		return false, nil
	}
	return false, err
}

// chargeInTurn charges the buckets one after the other, and stops at the first one that does not admit the request.
func (p *Path) chargeInTurn(ctx context.Context, s *settle.Settler) error {
	for i := range p.N {
		if err := s.Charge(ctx, &p.Charges[i]); err != nil || p.Charges[i].Result != charge.Applied {
			return err
		}
	}
	return nil
}

func (p *Path) chargeAtOnce(ctx context.Context, s *settle.Settler) error {
	var errs [MostPath]error
	var group sync.WaitGroup
	for i := range p.N {
		group.Go(func() {
			errs[i] = s.Charge(ctx, &p.Charges[i])
		})
	}
	group.Wait()
	// Whatever else happened: an acquire whose configuration changed under it begins again. And an outage of one bucket
	// must not hide what is wrong with another one, which no policy admits.
	all := errs[:p.N]
	for _, first := range []func(error) bool{isRestart, store.IsWrong} {
		if i := slices.IndexFunc(all, first); i >= 0 {
			return all[i]
		}
	}
	return errors.Join(all...)
}

func isRestart(err error) bool { return errors.Is(err, charge.ErrRestart) }

// refundOthers refunds what the charges of an acquire that is not admitted have charged, which then no longer count as
// an acquire. A charge whose outcome is unknown is left to refill, and so is what cannot be refunded: the acquire is denied all the
// same. The refund has a budget of its own, and is made also while the limiter closes; a caller whose budget has run out does not
// wait for it.
func (p *Path) refundOthers(ctx context.Context, s *settle.Settler) {
	var parts []*settle.Part
	for i := range p.N {
		if c := &p.Charges[i]; c.Result == charge.Applied {
			part := new(settle.Part)
			part.Hold(c)
			part.RefundAll()
			if c.Acquire {
				part.Retract(1)
			}
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return
	}
	now, done := p.Now, make(chan struct{})
	refund := func(context.Context) {
		defer close(done)
		inner, cancel := s.Store.LastBudget(ctx)
		defer cancel()
		_ = s.EachPart(parts, func(part *settle.Part) error {
			err := s.Settle(inner, part, now)
			if err != nil {
				s.Lose(part, err)
			}
			return err
		})
	}
	if s.NoIO {
		refund(ctx)
		return
	}
	s.Start(refund)
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// DeniedByPockets reports whether what this process knows of the buckets of a path denies the request, before one of them is
// charged.
func (p *Path) DeniedByPockets() (denied bool) {
	for i := range p.N {
		denied = p.Charges[i].DeniedByPocket() || denied
	}
	return denied
}
