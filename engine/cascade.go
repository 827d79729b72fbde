package engine

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/settle"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// chargeAll charges every bucket on a path of several, or none: one write each, all at the same time if the store does I/O. If one
// bucket denies, the others are refunded: nobody is ever over-admitted, but for some milliseconds others may see the
// tokens as taken. A transaction would cost twice the write units and four times the latency.
func (l *Limiter) chargeAll(ctx context.Context, a *attempt) (admitted bool, err error) {
	if l.charger.NoIO {
		err = l.chargeInTurn(ctx, a)
	} else {
		err = l.chargeAtOnce(ctx, a)
	}
	refused := false
	for i := range a.n {
		refused = refused || a.charges[i].Result == charge.Denied
	}
	if err == nil && !refused {
		return true, nil
	}
	l.refundOthers(ctx, a)
	switch {
	case err == nil:
		return false, l.readOthers(ctx, a)
	case refused && store.OutOfReach(ctx, err): // one bucket out of reach makes no admission of what another one denies
		a.useLastSeenOfOthers()
		return false, nil
	}
	return false, err
}

// chargeInTurn charges the buckets one after the other, and stops at the first one that does not admit the request.
func (l *Limiter) chargeInTurn(ctx context.Context, a *attempt) error {
	for i := range a.n {
		if err := l.charger.Charge(ctx, &a.charges[i]); err != nil || a.charges[i].Result != charge.Applied {
			return err
		}
	}
	return nil
}

func (l *Limiter) chargeAtOnce(ctx context.Context, a *attempt) error {
	var errs [mostPath]error
	var group sync.WaitGroup
	for i := range a.n {
		group.Go(func() {
			errs[i] = l.charger.Charge(ctx, &a.charges[i])
		})
	}
	group.Wait()
	// Whatever else happened: an acquire whose configuration changed under it begins again. And an outage of one bucket
	// must not hide what is wrong with another one, which no policy lets through.
	all := errs[:a.n]
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
func (l *Limiter) refundOthers(ctx context.Context, a *attempt) {
	var parts []*settle.Part
	for i := range a.n {
		if c := &a.charges[i]; c.Result == charge.Applied {
			p := new(settle.Part)
			p.Hold(c)
			p.RefundAll()
			if c.Acquire {
				p.Retract(1)
			}
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return
	}
	now, done := a.Now, make(chan struct{})
	refund := func(context.Context) {
		defer close(done)
		inner, cancel := l.store.Budget(store.Last(context.WithoutCancel(ctx)))
		defer cancel()
		_ = l.settler.EachPart(parts, func(p *settle.Part) error {
			err := l.settler.Settle(inner, p, now)
			if err != nil {
				l.settler.Lose(p, err)
			}
			return err
		})
	}
	if l.charger.NoIO {
		refund(ctx)
		return
	}
	l.work.Start(refund)
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// deniedByPockets reports whether what this process knows of the buckets of a path denies the request, before one of them is
// charged.
func (a *attempt) deniedByPockets() (denied bool) {
	for i := range a.n {
		denied = a.charges[i].DeniedByPocket() || denied
	}
	return denied
}
