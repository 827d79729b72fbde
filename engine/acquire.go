package engine

import (
	"context"
	"errors"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

const (
	wrongGuesses = 3  // in a row, before compare-and-set takes turns with guessing
	lostRaces    = 3  // in converting a bucket, before it is judged by the limits in its record
	mostTries    = 32 // writes for one claim
	mostRestarts = 4  // of one acquire, when its configuration changes under it
)

// decide admits the request or denies it: in that order, all limits of the path are resolved, the request is held
// against what is known already, and one conditional write per bucket asks the store. An error is no decision.
func (l *Limiter) decide(ctx context.Context, o *op, r *Request) (admitted bool, err error) {
	if l.closed.Load() {
		return false, ErrClosed
	}
	if o.now, err = l.now(); err != nil {
		return false, err
	}
	o.req = *r
	if !l.noIO {
		var cancel context.CancelFunc
		ctx, cancel = l.budget(ctx)
		defer cancel()
	}
	for range mostRestarts {
		admitted, err = l.attempt(ctx, o)
		if err == nil || !errors.Is(err, errRestart) {
			if o.admitted = admitted; admitted {
				l.wrote(o)
			}
			return admitted, err
		}
	}
	return false, ErrContention
}

func (l *Limiter) attempt(ctx context.Context, o *op) (admitted bool, err error) {
	if err := l.resolve(ctx, o); err != nil {
		return false, err
	}
	if impossible, err := l.neverFits(ctx, o); impossible || err != nil {
		return false, err
	}
	if !o.any((*claim).takes) {
		return l.peek(ctx, o)
	}
	if o.any(func(c *claim) bool { return c.known }) {
		return false, l.deny(ctx, o)
	}
	admitted, err = l.chargeAll(ctx, o)
	if o.within && !admitted {
		o.noteUnknown()
	}
	return admitted, err
}

// charge writes one claim until the store has admitted or denied it. ctx bounds it.
func (l *Limiter) charge(ctx context.Context, o *op, c *claim) error {
	defer c.release()
	c.guess()
	for c.tries = 1; ; c.tries++ {
		if err := l.send(ctx, o, c); err != nil {
			return err
		}
		if c.outs[0].Applied {
			l.charged(c)
			return nil
		}
		if err := l.refused(ctx, o, c); err != nil || c.result != pending {
			return err
		}
		if c.tries >= mostTries || c.tries > wrongGuesses && !l.yield(ctx, c.tries-wrongGuesses) {
			return ErrContention
		}
		if err := l.again(o, c); err != nil {
			return err
		}
	}
}

// charged notes that the last write took effect: an admission, or a conversion whose request is denied.
func (l *Limiter) charged(c *claim) {
	c.result = applied
	if c.denies {
		c.result = denied
	}
	c.learn(c.record(), c.active, true)
}

// learn takes the record and the regimes that held into the handle's view.
func (c *claim) learn(r *backend.Record, active uint16, mine bool) {
	h := c.h
	h.lock.Lock()
	h.memo = c.writes[0].Memo
	c.seeLocked(r, c.shape, mine)
	if c.mode == guessing && !c.lifts && h.view.shared > 0 {
		h.view.average(c, active)
	}
	h.lock.Unlock()
}

// refused learns from the record in the refusal: it proves the denial, or shows how the next try must be written.
func (l *Limiter) refused(ctx context.Context, o *op, c *claim) error {
	r := c.record()
	c.denies = false
	if !r.Present() { // gone since it was seen: full
		c.mode, c.active, c.creates, c.path = guessing, 0, true, true
		c.see(r, nil, false)
		return nil
	}
	l.watchClock(ctx, c, r)
	plan, err := l.planOfRecord(c, r)
	if err != nil {
		return err
	}
	if c.isMine(r) { // an earlier try was applied, its reply was lost
		c.fit(plan, o.req.Consume)
		c.result = applied
		c.see(r, plan, true)
		return nil
	}
	if plan.text != c.shape.text || c.mode == converting {
		return l.mismatch(ctx, o, c, plan)
	}
	if path := r.Int64(schema.Path); path > c.conf.version {
		return l.newPath(ctx, o, c, path)
	}
	c.observe()
	c.learn(r, c.regimes(), false)
	c.judge(r)
	return nil
}

// judge denies, or chooses the next try: the regimes of the record, or by turns compare-and-set where those have
// changed again and again.
func (c *claim) judge(r *backend.Record) {
	c.observe()
	if !c.admits() {
		c.result = denied
		return
	}
	c.active, c.mode, c.creates = c.regimes(), guessing, false
	c.path = r.Int64(schema.Path) != c.conf.version
	if c.tries >= wrongGuesses && c.tries%2 == 1 {
		c.mode = swapping
	}
}

// mismatch is for a record with other limits than assumed. They may do; else the configuration is read again, after
// the refusal, and the bucket is converted.
func (l *Limiter) mismatch(ctx context.Context, o *op, c *claim, plan *plan) error {
	r := c.record()
	c.see(r, plan, false)
	c.partial = c.partial || !covers(plan, o.req.Consume, c.view)
	if c.mode == converting {
		c.lost++
		c.claimAlone()
	}
	if c.lost >= lostRaces {
		return l.settleFor(o, c, plan)
	}
	if ver, _ := r.Num(schema.Ver); !plan.fits(c.view, c.stored) && ver != c.reread {
		if err := l.reconfigure(ctx, o, c); err != nil {
			return err
		}
		c.reread = ver
	}
	if plan.fits(c.view, c.stored) {
		c.fit(plan, o.req.Consume)
		c.judge(r)
		return nil
	}
	c.mode = converting
	return nil
}

// settleFor judges by the limits in the record, as everybody else does who does not know the change yet: others write
// the bucket too fast for it to be converted.
func (l *Limiter) settleFor(o *op, c *claim, plan *plan) error {
	if c.partial {
		return ErrContention
	}
	l.observe(Event{Kind: EventContention, Entity: c.h.id.entity, Resource: c.h.id.resource})
	c.fit(plan, o.req.Consume)
	c.judge(c.record())
	return nil
}

// covers reports whether plan has every limit of view that the request takes tokens of.
func covers(plan *plan, consume Tokens, view *plan) bool {
	for name, n := range consume {
		if n > 0 && view.index(name) >= 0 && plan.index(name) < 0 {
			return false
		}
	}
	return true
}

// reconfigure reads the configuration again. An acquire whose path or names no longer hold begins again.
func (l *Limiter) reconfigure(ctx context.Context, o *op, c *claim) error {
	conf, err := l.reload(ctx, c.h, c.now)
	if err != nil {
		return err
	}
	parent, view := c.conf.parent, c.view
	c.conf, c.stored, c.view = conf, conf.stored, conf.stored
	if c.root {
		if err := l.require(o, c); err != nil {
			return err
		}
	}
	if c.view == nil || conf.parent != parent || !covers(c.view, o.req.Consume, view) {
		return errRestart
	}
	return nil
}

// newPath is for a bucket that was written with a later version of its entity than is known here.
func (l *Limiter) newPath(ctx context.Context, o *op, c *claim, path int64) error {
	if err := l.reconfigure(ctx, o, c); err != nil {
		return err
	}
	r := c.record()
	if !c.shape.fits(c.view, c.stored) {
		c.mode = converting
		return nil
	}
	c.fit(c.shape, o.req.Consume)
	c.judge(r)
	if c.conf.version < path { // the entity was deleted since, and perhaps made anew by a clock that is behind
		c.mode = swapping
	}
	return nil
}

// again writes the next try of a claim after a refusal.
func (l *Limiter) again(o *op, c *claim) error {
	r := c.record()
	switch c.mode {
	case guessing:
		c.guess()
	case swapping:
		c.swap(r)
	case converting:
		from, err := l.planOfRecord(c, r)
		if err != nil {
			return err
		}
		to, err := l.reconcile(r, from, c.view, c.stored, c.now)
		if err != nil {
			return err
		}
		c.denies = !c.convert(r, from, to, o.req.Consume)
	}
	return nil
}

// watchClock reports a record whose writer's clock is far ahead.
func (l *Limiter) watchClock(ctx context.Context, c *claim, r *backend.Record) {
	if ahead := r.Int64(schema.At) - c.now; ahead > drift {
		l.reportAhead(ctx, c, ahead)
	}
}
