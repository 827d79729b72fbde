package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/local"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

const (
	// A process writes back one bucket at a time, with a pause after each: at most 200 a second. After an outage all processes
	// of a fleet do, and their callers come first.
	writeBackPause = 5 * time.Millisecond
	// writeBackRetry is the pause after a write-back that has failed. While the breaker is open, an attempt costs nothing.
	writeBackRetry = time.Second
)

// writeBackAll writes back what local buckets owe to the store, until nothing is owed. When the limiter closes, the rest is
// written without pauses, and what the store does not take then is lost. The pauses are of the system's clock: a clock that
// stands must not keep usage back, and one that sleeping moves must not run on while the store is away.
func (l *Limiter) writeBackAll(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx) // its channel is of the synctest bubble in which this runs, if it does in one
	defer cancel()
	for {
		o := l.local.Next(l.clock.now())
		if o == nil {
			return
		}
		wait := writeBackPause
		if err := l.tryWriteBack(ctx, o); err != nil {
			wait = writeBackRetry
		}
		if pause.For(ctx, wait) != nil {
			l.writeBackRest(ctx)
			return
		}
	}
}

// tryWriteBack makes one write-back, which is tried again later if it fails.
func (l *Limiter) tryWriteBack(ctx context.Context, o *local.Owed) error {
	inner, cancel := l.store.Budget(store.Last(context.WithoutCancel(ctx)))
	defer cancel()
	err := l.writeBack(inner, o)
	now := l.clock.now()
	switch {
	case err == nil:
		l.local.Done(now, o)
	case errors.Is(err, ErrOutOfRange): // trying again would not help
		l.loseUsage(o, err)
	case o.Tag != nil && o.Tag.(*part).unsure() != nil:
		l.local.Again(now, o)
	default:
		l.local.Undo(now, o)
	}
	return err
}

// writeBackRest is for a limiter that closes. The store gets one more chance, whatever the breaker says.
func (l *Limiter) writeBackRest(ctx context.Context) {
	l.store.CloseBreaker()
	inner, cancel := l.store.Budget(store.Last(context.WithoutCancel(ctx)))
	defer cancel()
	var group sync.WaitGroup
	var lost atomic.Int64
	for range l.store.ParallelCalls() {
		group.Go(func() {
			for o := l.local.Next(l.clock.now()); o != nil; o = l.local.Next(l.clock.now()) {
				if err := l.writeBack(inner, o); err != nil {
					lost.Add(1)
					l.loseUsage(o, err)
				} else {
					l.local.Done(l.clock.now(), o)
				}
			}
		})
	}
	group.Wait()
	if n := lost.Load(); n > 0 {
		l.opts.Logger.WarnContext(ctx, "limiter: closed before the usage of an outage was in the store; it is lost", "buckets", n)
	}
}

// loseUsage gives up a write-back.
func (l *Limiter) loseUsage(o *local.Owed, err error) {
	tokens := Tokens{}
	for _, item := range o.Items {
		tokens[item.Name] = item.Used
	}
	l.observe(Event{Kind: EventUsageLost, Entity: o.Entity, Resource: o.Resource, Tokens: tokens, Err: store.Failure(context.Background(), err)})
	l.local.Drop(l.clock.now(), o)
}

// writeBack makes one write: it counts the usage in full and charges the bucket what the local one still lacks, without the token
// check. If its outcome stays unknown, the next try sends it again under its nonce.
func (l *Limiter) writeBack(ctx context.Context, o *local.Owed) error {
	p, tried := o.Tag.(*part)
	if !tried {
		b, err := l.stateAt(&bucketID{o.Entity, o.Resource})
		if err != nil {
			return err
		}
		p = partOf(b, o)
		o.Tag = p
	}
	if p.unsure() == nil && !l.hasSeen(p) {
		if err := l.convertLive(ctx, o.Entity, o.Resource, broughtBy(o.Configured)); err != nil && !errors.Is(err, ErrNoLimits) {
			return err
		}
	}
	if err := l.settleDirectly(ctx, p, l.clock.now()); err != nil {
		return err
	}
	o.Born = p.born
	for i := range o.Items {
		o.Items[i].Held = p.amount(o.Items[i].Name).held
	}
	return nil
}

// partOf makes a part of what is owed.
func partOf(b *bucketState, o *local.Owed) *part {
	p := newPart(b, o.Configured, o.Born)
	for _, item := range o.Items {
		if p.index(item.Name) < 0 {
			p.add(item.Name)
		}
	}
	used := make(pocket.Tokens, p.size())
	for _, item := range o.Items {
		i := p.index(item.Name)
		p.at(i).held, p.at(i).pending, used[i] = item.Held, item.Due, item.Used
	}
	p.rarely().owed = &pocket.Owed{Used: used, Acquired: o.Acquired, Born: o.Born}
	return p
}

// hasSeen reports whether the bucket's record, as it was last seen, has all limits that something is owed of.
func (l *Limiter) hasSeen(p *part) bool {
	b := l.current(p.state)
	b.lock.Lock()
	defer b.lock.Unlock()
	for i, n := range p.owed().Used {
		if n != 0 && b.seen.set.Index(p.name(i)) < 0 {
			return false
		}
	}
	return true
}

// broughtBy returns the limits if requests bring them, nil if they are stored.
func broughtBy(set *limitset.Set) *limitset.Set {
	if len(set.Terms) > 0 && set.Terms[0].Brought {
		return set
	}
	return nil
}

// settleLocally settles a part of a lease that was granted by a local bucket. It does no I/O.
func (l *Limiter) settleLocally(p *part, now int64) error {
	delta := map[string]int64{}
	for i := range p.size() {
		if n := p.due(i); n != 0 {
			delta[p.name(i)] = n
		}
	}
	id := local.ID{Entity: p.state.id.entity, Resource: p.state.id.resource}
	beyond, start := l.local.Settle(now, id, p.rare.local, p.required, delta)
	if start {
		l.start(l.writeBackAll)
	}
	if beyond != "" {
		return outOfDebt(beyond, delta[beyond])
	}
	p.done()
	return nil
}
