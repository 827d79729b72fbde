package settle

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/local"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

const (
	// A process writes back one bucket at a time, with a pause after each: at most 200 a second. After an outage all processes
	// of a fleet do, and their callers come first.
	writeBackPause = 5 * time.Millisecond
	// writeBackRetry is the pause after a write-back that has failed. While the breaker is open, an attempt costs nothing.
	writeBackRetry = time.Second
)

// WriteBack writes back what local buckets owe to the store. Its exported fields do not change. Safe for concurrent use.
type WriteBack struct {
	*Settler
	Buckets *local.Buckets
	// Convert brings the bucket of an entity and resource to the limits that are stored for them now, or else to brought, if there is one
	// with others.
	Convert func(ctx context.Context, entity, resource string, brought *limitset.Set) error
	// Lost is told how many buckets owe for ever, because the limiter has closed.
	Lost func(ctx context.Context, buckets int64)
}

// Run writes back what local buckets owe to the store, until nothing is owed. When the limiter closes, the rest is
// written without pauses, and what the store does not take then is lost. The pauses are of the system's clock: a clock that
// stands must not keep usage back, and one that sleeping moves must not run on while the store is away.
func (w *WriteBack) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx) // its channel is of the synctest bubble in which this runs, if it does in one
	defer cancel()
	for {
		o := w.Buckets.Next(w.Now())
		if o == nil {
			return
		}
		wait := writeBackPause
		if err := w.try(ctx, o); err != nil {
			wait = writeBackRetry
		}
		if pause.For(ctx, wait) != nil {
			w.rest(ctx)
			return
		}
	}
}

// try makes one write-back, which is tried again later if it fails.
func (w *WriteBack) try(ctx context.Context, o *local.Owed) error {
	inner, cancel := w.Store.LastBudget(ctx)
	defer cancel()
	err := w.write(inner, o)
	now := w.Now()
	switch {
	case err == nil:
		w.Buckets.Done(now, o)
	case errors.Is(err, charge.ErrOutOfRange): // trying again would not help
		w.loseUsage(o, err)
	case o.Tag != nil && o.Tag.(*Part).unsure() != nil:
		w.Buckets.Again(now, o)
	default:
		w.Buckets.Undo(now, o)
	}
	return err
}

// rest is for a limiter that closes. The store gets one more chance, whatever the breaker says.
func (w *WriteBack) rest(ctx context.Context) {
	w.Store.CloseBreaker()
	inner, cancel := w.Store.LastBudget(ctx)
	defer cancel()
	var group sync.WaitGroup
	var lost atomic.Int64
	for range w.Store.ParallelCalls() {
		group.Go(func() {
			for o := w.Buckets.Next(w.Now()); o != nil; o = w.Buckets.Next(w.Now()) {
				if err := w.write(inner, o); err != nil {
					lost.Add(1)
					w.loseUsage(o, err)
				} else {
					w.Buckets.Done(w.Now(), o)
				}
			}
		})
	}
	group.Wait()
	if n := lost.Load(); n > 0 {
		w.Lost(ctx, n)
	}
}

// loseUsage gives up a write-back.
func (w *WriteBack) loseUsage(o *local.Owed, err error) {
	used, refunds := map[string]int64{}, map[string]int64{}
	for _, item := range o.Items {
		switch {
		case item.Used > 0:
			used[item.Name] = item.Used
		case item.Used < 0:
			refunds[item.Name] = -item.Used
		}
	}
	id, err := charge.ID{Entity: o.Entity, Resource: o.Resource}, store.Failure(context.Background(), err)
	w.ReportLost(charge.UsageLost, id, used, err)
	w.ReportLost(charge.RefundLost, id, refunds, err)
	w.Buckets.Drop(w.Now(), o)
}

// write makes one write: it counts the usage in full and charges the bucket what the local one still lacks, without the token
// check. If its outcome stays unknown, the next try sends it again under its nonce.
func (w *WriteBack) write(ctx context.Context, o *local.Owed) error {
	p, tried := o.Tag.(*Part)
	if !tried {
		b, err := w.StateAt(&charge.ID{Entity: o.Entity, Resource: o.Resource})
		if err != nil {
			return err
		}
		p = partOf(b, o)
		o.Tag = p
	}
	if p.unsure() == nil && !w.hasSeen(p) {
		if err := w.convert(ctx, o); err != nil {
			return err
		}
	}
	switch err := w.settleDirectly(ctx, p, w.Now()); {
	case errors.Is(err, errOtherLimits): // now the bucket can be converted
		return w.write(ctx, o)
	case err != nil:
		p.leaveOwed(o)
		return err
	}
	o.Born = p.born
	for i := range o.Items {
		o.Items[i].Held = p.amount(o.Items[i].Name).held
	}
	return nil
}

// leaveOwed is for a part that was not written: what it owes no more is reported as lost, and is not owed again.
func (p *Part) leaveOwed(o *local.Owed) {
	left := p.owed()
	if left == nil {
		left = &pocket.Owed{Used: make(pocket.Tokens, p.Size())}
	}
	o.Acquired = left.Acquired
	for i := range o.Items {
		o.Items[i].Used = left.Used[p.Index(o.Items[i].Name)]
	}
}

// partOf makes a part of what is owed.
func partOf(b *charge.State, o *local.Owed) *Part {
	p := newPart(b, o.Configured, o.Born)
	for _, item := range o.Items {
		if p.Index(item.Name) < 0 {
			p.add(item.Name)
		}
	}
	used := make(pocket.Tokens, p.Size())
	for _, item := range o.Items {
		i := p.Index(item.Name)
		p.at(i).held, p.at(i).pending, used[i] = item.Held, item.Due, item.Used
	}
	p.rarely().owed = &pocket.Owed{Used: used, Acquired: o.Acquired, Born: o.Born}
	p.rare.writeBack = true
	return p
}

// hasSeen reports whether the bucket's record, as it was last seen, has all limits that something is owed of.
func (w *WriteBack) hasSeen(p *Part) bool { return p.usedIn(w.Current(p.state).LastSet()) }

// convert brings the bucket to the limits that are stored for it, if some of those that are owed are, and then to those that requests
// have brought.
func (w *WriteBack) convert(ctx context.Context, o *local.Owed) error {
	var brought []schema.Term
	for _, t := range o.Configured.Terms {
		if t.Brought {
			brought = append(brought, t)
		}
	}
	if len(brought) < len(o.Configured.Terms) {
		if err := w.Convert(ctx, o.Entity, o.Resource, nil); err != nil || len(brought) == 0 {
			return err
		}
	}
	return w.Convert(ctx, o.Entity, o.Resource, limitset.New(brought))
}

// SettleLocal settles a part of a lease that was granted by a local bucket. It does no I/O.
func (w *WriteBack) SettleLocal(p *Part, now int64) error {
	delta := map[string]int64{}
	for i := range p.Size() {
		if n := p.due(i); n != 0 {
			delta[p.Name(i)] = n
		}
	}
	id := local.ID{Entity: p.state.ID.Entity, Resource: p.state.ID.Resource}
	beyond, start := w.Buckets.Settle(now, id, p.rare.local, p.Required, delta)
	if start {
		w.Start(w.Run)
	}
	if beyond != "" {
		return charge.OutOfDebt(beyond, delta[beyond])
	}
	p.done()
	return nil
}
