package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/readable"
)

// drift is how far ahead of this clock a record's may be without being reported.
const drift = int64(10 * time.Second)

// denyKnown is for a request that the last records seen are enough to deny: arrival times only grow, but for refunds, so
// a denial by them stays true until its time, and DenialTTL bounds how long another process's refund may go
// unnoticed. Nothing is written.
func (l *Limiter) denyKnown(ctx context.Context, a *attempt) error {
	for i := range a.n {
		if c := &a.charges[i]; c.denialKnown {
			c.result = denied
		}
	}
	return l.readOthers(ctx, a)
}

// denyBeyond denies a request of which a charge is above a capacity. As the capacity may just have been raised, the
// configuration is first read again, unless it is new enough or the request has an override.
func (l *Limiter) denyBeyond(ctx context.Context, a *attempt) error {
	for i := range a.n {
		c := &a.charges[i]
		overridden := c.root && len(a.req.Override) > 0
		if !c.beyond || overridden || c.now-c.state.loaded.Load() <= l.configAge() && c.now >= c.state.loaded.Load() {
			continue
		}
		if err := l.reconfigure(ctx, a, c); err != nil {
			return err
		}
		c.denialKnown, c.fromLastSeen = false, false // c.tats are by position in the limits assumed before
		if c.assume(c.required, a.req.Consume); !c.beyond {
			return errRestart
		}
	}
	return l.denyKnown(ctx, a)
}

// throttledDenial is how long a bucket denies that is written more often than the store can.
const throttledDenial = time.Second

// throttled makes a denial of the error of a write that the store has throttled because its bucket is too hot: that is no
// outage, or whoever can heat a bucket could have a policy let everything through. Other errors stay as they are, and so do those
// of writes that serve several callers: who decides for these is told.
func (c *bucketCharge) throttled(err error) error {
	if c.shared != nil || c.reserved != nil || c.unsure || !errors.Is(err, backend.ErrThrottled) {
		return err
	}
	if c.creates { // the bucket was not seen before
		clear(c.tats[:])
	}
	c.result, c.fromLastSeen, c.pause = denied, true, throttledDenial
	return nil
}

// reportAhead tells the operator of a clock that is far ahead; the denial's text will, too.
func (l *Limiter) reportAhead(ctx context.Context, c *bucketCharge, ahead int64) {
	c.ahead = ahead
	l.observe(Event{Kind: EventClockAhead, Entity: c.state.id.entity, Resource: c.state.id.resource, Ahead: time.Duration(ahead)})
	l.warn(ctx, c.now, "limiter: a bucket was written by a clock that is ahead of this one; resetting it heals it",
		"entity", c.state.id.entity, "resource", c.state.id.resource, "ahead", time.Duration(ahead))
}

// states returns the limits and arrival times of the bucket by the record that the charge has seen. If the record does not
// have the limits that the charge requires, they are those after a conversion, which is then returned as to.
func (l *Limiter) states(c *bucketCharge) (_ *limitset.Set, _ *limitset.Arrivals, to *limitset.Conversion, err error) {
	if c.fromLastSeen {
		return c.assumed, &c.tats, nil, nil
	}
	r := c.record()
	if c.result == applied && c.assumed == c.required {
		c.observe()
		return c.assumed, &c.tats, nil, nil
	}
	set, err := l.limitSetOfRecord(c, r)
	if err != nil {
		return nil, nil, nil, err
	}
	if set == nil {
		return c.required, new(limitset.Arrivals), nil, nil
	}
	if set.Fits(c.required, c.stored) {
		tats := &c.tats
		if set != c.assumed { // c.tats are by position in c.assumed
			tats = new(limitset.Arrivals)
		}
		tats.Read(r, len(set.Terms))
		return set, tats, nil, nil
	}
	if to, err = l.convert(r, set, c.required, c.stored, c.now); err != nil {
		return nil, nil, nil, err
	}
	return to.Set, &to.Tats, to, nil
}

// limitSetOfRecord is the limit set of a record's L, nil where there is no record.
func (l *Limiter) limitSetOfRecord(c *bucketCharge, r *backend.Record) (*limitset.Set, error) {
	packed, present := r.Text(schema.L)
	switch {
	case !present:
		return nil, nil
	case c.assumed != nil && packed == c.assumed.Text:
		return c.assumed, nil
	}
	return l.limitSets.Get(packed)
}

// exceeded is the denial of an attempt as an error.
func (l *Limiter) exceeded(a *attempt) error {
	e := &ExceededError{at: a.now, entity: a.root.id.entity}
	wait, fits, err := l.fillSnapshot(a, &e.limits)
	if err != nil {
		return store.Failure(context.Background(), err)
	}
	e.RetryAfter, e.NeverFits = wait, !fits
	if e.local = a.local; a.local {
		e.note = " (this process decided by its share of the limits: the store cannot be reached)"
	}
	for i := range a.n {
		if ahead := a.charges[i].ahead; ahead > 0 {
			e.note = fmt.Sprintf(" (bucket of %s last written by a clock %s ahead; resetting it heals it)", a.charges[i].state.id.entity, readable.Wait(time.Duration(ahead)))
		}
	}
	return e
}

// readOthers reads the buckets whose state is not known, for the statuses of a denial. If they cannot be read the request
// is denied all the same, and the statuses show these buckets as they were last seen.
func (l *Limiter) readOthers(ctx context.Context, a *attempt) error {
	err := l.readUnseen(ctx, a, true)
	if errors.Is(err, ErrUnavailable) { // also where reading has used up the budget
		a.useLastSeenOfOthers()
		return nil
	}
	return err
}

// useLastSeenOfOthers takes what was seen last of buckets whose state is not known, or what is likely: that they are full.
func (a *attempt) useLastSeenOfOthers() {
	for i := range a.n {
		c := &a.charges[i]
		if c.result != pending || c.fromLastSeen {
			continue
		}
		clear(c.tats[:])
		c.fromLastSeen = true
		c.state.lock.Lock()
		if c.state.seen.set == c.assumed {
			c.state.seen.read(&c.tats)
		}
		c.state.lock.Unlock()
	}
}

// reportLarge reports buckets that cost more than one unit a write. They work all the same.
func (l *Limiter) reportLarge(b *bucketState, s *limitset.Set) {
	if l.opts.Observer == nil || s == nil {
		return
	}
	if bytes := s.Weight(l.key(b)); bytes > limitset.WriteUnit {
		l.observe(Event{Kind: EventLargeRecord, Entity: b.id.entity, Resource: b.id.resource, Bytes: bytes})
	}
}
