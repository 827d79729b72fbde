package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/readable"
)

// drift is how far ahead of this clock a record's may be without being reported.
const drift = int64(10 * time.Second)

// denyKnown is for a request that the last records seen are enough to deny: arrival times only grow, but for refunds, so
// a denial by them stays true until its time, and DenialTTL bounds how long another process's refund may go
// unnoticed. Nothing is written.
func (l *Limiter) denyKnown(ctx context.Context, o *attempt) error {
	for i := range o.n {
		if c := &o.charges[i]; c.known {
			c.result = denied
		}
	}
	return l.readOthers(ctx, o)
}

// fresh reports whether a record that was seen at the given time is young enough to deny by it. If that is 0, it is not.
func (l *Limiter) fresh(seenAt, now int64) bool {
	age, ttl := now-seenAt, int64(l.opts.DenialTTL)
	return seenAt != 0 && ttl > 0 && -ttl <= age && age <= ttl
}

// denyBeyond denies a request of which a charge is above a capacity. As the capacity may just have been raised, the
// configuration is first read again, unless it is new enough or the request has an override.
func (l *Limiter) denyBeyond(ctx context.Context, o *attempt) error {
	for i := range o.n {
		c := &o.charges[i]
		overridden := c.root && len(o.req.Override) > 0
		if !c.beyond || overridden || c.now-c.h.loaded.Load() <= l.configAge() && c.now >= c.h.loaded.Load() {
			continue
		}
		if err := l.reconfigure(ctx, o, c); err != nil {
			return err
		}
		c.known, c.fromLastSeen = false, false // c.tats are by position in the limits assumed before
		if c.assume(c.required, o.req.Consume); !c.beyond {
			return errRestart
		}
	}
	return l.denyKnown(ctx, o)
}

// reportAhead tells the operator of a clock that is far ahead; the denial's text will, too.
func (l *Limiter) reportAhead(ctx context.Context, c *bucketCharge, ahead int64) {
	c.ahead = ahead
	l.observe(Event{Kind: EventClockAhead, Entity: c.h.id.entity, Resource: c.h.id.resource, Ahead: time.Duration(ahead)})
	l.warn(ctx, c.now, "limiter: a bucket was written by a clock that is ahead of this one; resetting it heals it",
		"entity", c.h.id.entity, "resource", c.h.id.resource, "ahead", time.Duration(ahead))
}

// states returns the limits and arrival times of the bucket by the record that the charge has seen. If the record does not
// have the limits that the charge requires, they are those after a conversion, which is then returned as to.
func (l *Limiter) states(c *bucketCharge) (_ *limitSet, _ *arrivals, to *converted, err error) {
	if c.fromLastSeen {
		return c.assumed, &c.tats, nil, nil
	}
	r := c.record()
	set, err := l.limitSetOfRecord(c, r)
	if err != nil {
		return nil, nil, nil, err
	}
	if set == nil {
		return c.required, new(arrivals), nil, nil
	}
	if set.fits(c.required, c.stored) {
		tats := &c.tats
		if set != c.assumed { // c.tats are by position in c.assumed
			tats = new(arrivals)
		}
		tats.read(r, len(set.terms))
		return set, tats, nil, nil
	}
	if to, err = l.reconcile(r, set, c.required, c.stored, c.now); err != nil {
		return nil, nil, nil, err
	}
	return to.set, &to.tats, to, nil
}

// limitSetOfRecord is the limit set of a record's L, nil where there is no record.
func (l *Limiter) limitSetOfRecord(c *bucketCharge, r *backend.Record) (*limitSet, error) {
	packed, present := r.Text(schema.L)
	switch {
	case !present:
		return nil, nil
	case c.assumed != nil && packed == c.assumed.text:
		return c.assumed, nil
	}
	return l.limitSets.get(packed)
}

// exceeded is the denial of an attempt as an error.
func (l *Limiter) exceeded(o *attempt) error {
	e := &ExceededError{entity: o.root.id.entity}
	wait, fits, err := l.snapshot(o, &e.limits)
	if err != nil {
		return store.Failure(context.Background(), err)
	}
	e.RetryAfter, e.NeverFits = wait, !fits
	for i := range o.n {
		if ahead := o.charges[i].ahead; ahead > 0 {
			e.note = fmt.Sprintf(" (bucket of %s last written by a clock %s ahead; resetting it heals it)", o.charges[i].h.id.entity, readable.Wait(time.Duration(ahead)))
		}
	}
	return e
}

// readOthers reads the buckets whose state is not known, for the statuses of a denial. If they cannot be read the request
// is denied all the same, and the statuses show these buckets as they were last seen.
func (l *Limiter) readOthers(ctx context.Context, o *attempt) error {
	err := l.readUnseen(ctx, o, true)
	if errors.Is(err, ErrUnavailable) { // also where reading has used up the budget
		o.useLastSeenOfOthers()
		return nil
	}
	return err
}

// useLastSeenOfOthers takes what was seen last of buckets whose state is not known, or what is likely: that they are full.
func (o *attempt) useLastSeenOfOthers() {
	for i := range o.n {
		c := &o.charges[i]
		if c.result != pending || c.fromLastSeen {
			continue
		}
		clear(c.tats[:])
		c.fromLastSeen = true
		c.h.lock.Lock()
		if c.h.seen.set == c.assumed {
			c.h.seen.read(&c.tats)
		}
		c.h.lock.Unlock()
	}
}
