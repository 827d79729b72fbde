package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/readable"
)

// drift is how far ahead of this clock a record's may be without being reported.
const drift = int64(10 * time.Second)

// deny is for a request that the last records seen are enough to deny: arrival times only grow, but for give-backs, so
// a denial by them stays true until its time, and DenialTTL bounds how long another process's give-back may go
// unnoticed. Nothing is written.
func (l *Limiter) deny(ctx context.Context, o *op) error {
	for i := range o.n {
		if c := &o.claims[i]; c.known {
			c.result = denied
		}
	}
	return l.peekOthers(ctx, o)
}

// fresh reports whether the view shows the claim's limits, and not too long ago. The caller holds the handle's lock.
func (l *Limiter) fresh(c *claim) bool {
	v := &c.h.view
	if v.seen == 0 || v.plan != c.shape {
		return false
	}
	age := c.now - v.seen
	ttl := int64(l.opts.DenialTTL)
	return ttl > 0 && -ttl <= age && age <= ttl
}

// neverFits reports whether some claim is above a capacity. It may just have been raised: unless it was brought by the
// request, the configuration is read once more before that is said.
func (l *Limiter) neverFits(ctx context.Context, o *op) (bool, error) {
	if !o.any((*claim).neverFits) {
		return false, nil
	}
	for i := range o.n {
		c := &o.claims[i]
		overridden := c.root && len(o.req.Override) > 0
		if !c.neverFits() || overridden || c.now-c.h.loaded.Load() <= l.configAge() && c.now >= c.h.loaded.Load() {
			continue
		}
		if err := l.reconfigure(ctx, o, c); err != nil {
			return false, err
		}
		c.known, c.recalled = false, false // what the claim has seen was in the positions of another shape
		if c.fit(c.view, o.req.Consume); !c.neverFits() {
			return false, errRestart
		}
	}
	return true, l.deny(ctx, o)
}

// reportAhead tells the operator of a clock that is far ahead; the denial's text will, too.
func (l *Limiter) reportAhead(ctx context.Context, c *claim, ahead int64) {
	c.ahead = ahead
	l.observe(Event{Kind: EventClockAhead, Entity: c.h.id.entity, Resource: c.h.id.resource, Ahead: time.Duration(ahead)})
	l.warn(ctx, c.now, "limiter: a bucket was written by a clock that is ahead of this one; resetting it heals it",
		"entity", c.h.id.entity, "resource", c.h.id.resource, "ahead", time.Duration(ahead))
}

// states are the arrivals of the claim's limits by the record it has seen, as if it had been converted to what the
// claim requires; to is that conversion, nil if none is needed.
func (l *Limiter) states(c *claim) (_ *plan, _ *arrivals, to *converted, err error) {
	if c.recalled {
		return c.shape, &c.tats, nil, nil
	}
	r := c.record()
	plan, err := l.planOfRecord(c, r)
	if err != nil {
		return nil, nil, nil, err
	}
	if plan == nil {
		return c.view, new(arrivals), nil, nil
	}
	if plan == c.shape && plan.fits(c.view, c.stored) {
		c.observe()
		return plan, &c.tats, nil, nil
	}
	if plan.fits(c.view, c.stored) {
		tats := new(arrivals)
		for i := range plan.terms {
			tats[i] = arrival(r, i)
		}
		return plan, tats, nil, nil
	}
	if to, err = l.reconcile(r, plan, c.view, c.stored, c.now); err != nil {
		return nil, nil, nil, err
	}
	return to.plan, &to.tats, to, nil
}

// planOfRecord is the plan of a record's L, nil where there is no record.
func (l *Limiter) planOfRecord(c *claim, r *backend.Record) (*plan, error) {
	packed, present := r.Text(schema.L)
	switch {
	case !present:
		return nil, nil
	case c.shape != nil && packed == c.shape.text:
		return c.shape, nil
	}
	return l.plans.get(packed)
}

// exceeded is the denial of an op as an error.
func (l *Limiter) exceeded(o *op) error {
	s, wait, fits, err := l.snapshot(o)
	if err != nil {
		return failure(context.Background(), err)
	}
	e := &ExceededError{RetryAfter: wait, NeverFits: !fits, entity: o.root.id.entity, limits: s}
	for i := range o.n {
		if ahead := o.claims[i].ahead; ahead > 0 {
			e.note = fmt.Sprintf(" (bucket of %s last written by a clock %s ahead; resetting it heals it)", o.claims[i].h.id.entity, readable.Wait(time.Duration(ahead)))
		}
	}
	return e
}

// peekOthers reads the buckets of claims whose state is not known, for the statuses of a denial. That is one also where
// they cannot be read: then they are listed as they were seen last.
func (l *Limiter) peekOthers(ctx context.Context, o *op) error {
	err := l.look(ctx, o, true)
	if errors.Is(err, ErrUnavailable) { // also where reading has used up the budget
		o.recallOthers()
		return nil
	}
	return err
}

// recallOthers takes what was seen last of buckets whose state is not known, or what is likely: that they are full.
func (o *op) recallOthers() {
	for i := range o.n {
		c := &o.claims[i]
		if c.result != pending || c.recalled {
			continue
		}
		clear(c.tats[:])
		c.recalled = true
		c.h.lock.Lock()
		if c.h.view.plan == c.shape {
			c.recallLocked()
		}
		c.h.lock.Unlock()
	}
}
