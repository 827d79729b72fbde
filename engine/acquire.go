package engine

import (
	"context"
	"errors"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

const (
	// After so many wrong guesses in a row, compare-and-set and guesses alternate. If others write faster than a round
	// trip, compare-and-set nearly always loses, while a guess is right about half the time.
	mostWrongGuesses = 3
	mostLostRaces    = 3  // in converting a bucket, before it is judged by the limits in its record
	mostTries        = 32 // writes for one charge
	mostRestarts     = 4  // of one acquire, if its configuration changes under it
)

// decide admits the request or denies it. An error is no decision. The path of an acquire is
//
//	resolve       validate the request, and find the limits of each bucket on the path (path.go, resolve.go)
//	known denial  if the last seen record denies the request, nothing is written (denial.go)
//	chargeAll     one conditional write per bucket (cascade.go); charge retries one bucket
//	finish        a lease (lease.go), or a denial (denial.go), for which the other buckets are refunded
//
// An acquire whose configuration changes under it begins again.
func (l *Limiter) decide(ctx context.Context, o *attempt, r *Request) (admitted bool, err error) {
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
		admitted, err = l.tryOnce(ctx, o)
		if err == nil || !errors.Is(err, errRestart) {
			if o.admitted = admitted; admitted {
				l.countWrites(o)
			}
			return admitted, err
		}
	}
	return false, ErrContention
}

func (l *Limiter) tryOnce(ctx context.Context, o *attempt) (admitted bool, err error) {
	if err := l.resolve(ctx, o); err != nil {
		return false, err
	}
	if impossible, err := l.neverFits(ctx, o); impossible || err != nil {
		return false, err
	}
	if !o.any((*bucketCharge).takes) {
		return l.decideByReading(ctx, o)
	}
	if o.any(func(c *bucketCharge) bool { return c.known }) {
		return false, l.denyKnown(ctx, o)
	}
	admitted, err = l.chargeAll(ctx, o)
	if o.within && !admitted {
		o.noteUnknown()
	}
	return admitted, err
}

// charge charges one bucket: it builds the write, sends it, and interprets its outcome, until the store has admitted or
// denied it. ctx bounds it.
func (l *Limiter) charge(ctx context.Context, o *attempt, c *bucketCharge) error {
	defer c.endConvertAlone()
	c.buildGuess()
	for c.tries = 1; ; c.tries++ {
		if err := l.send(ctx, o, c); err != nil {
			return err
		}
		if c.outs[0].Applied {
			l.interpretApplied(c)
			return nil
		}
		if err := l.interpretRefusal(ctx, o, c); err != nil || c.result != pending {
			return err
		}
		if c.tries >= mostTries || c.tries > mostWrongGuesses && !l.giveWay(ctx, c.tries-mostWrongGuesses) {
			return ErrContention
		}
		if err := l.buildNext(o, c); err != nil {
			return err
		}
	}
}

// interpretApplied notes that the last write took effect: an admission, or a conversion whose request is denied.
func (l *Limiter) interpretApplied(c *bucketCharge) {
	c.result = applied
	if c.denies {
		c.result = denied
	}
	c.rememberOutcome(c.record(), c.active, true)
}

// rememberOutcome takes the record and the regimes that held into the last seen record.
func (c *bucketCharge) rememberOutcome(r *backend.Record, active uint16, mine bool) {
	h := c.h
	h.lock.Lock()
	h.memo = c.writes[0].Memo
	c.rememberLocked(r, c.assumed, mine)
	if c.mode == guessing && !c.noRegimes && h.seen.shared > 0 {
		h.seen.average(c, active)
	}
	h.lock.Unlock()
}

// interpretRefusal learns from the record in the refusal: it proves the denial, or shows how the next try must be written.
func (l *Limiter) interpretRefusal(ctx context.Context, o *attempt, c *bucketCharge) error {
	r := c.record()
	c.denies = false
	if !r.Present() { // gone since it was seen: full
		c.mode, c.active, c.creates, c.path = guessing, 0, true, true
		c.remember(r, nil, false)
		return nil
	}
	l.checkClock(ctx, c, r)
	plan, err := l.limitSetOfRecord(c, r)
	if err != nil {
		return err
	}
	if c.isMine(r) { // an earlier try was applied, its reply was lost
		c.assume(plan, o.req.Consume)
		c.result = applied
		c.remember(r, plan, true)
		return nil
	}
	if plan.text != c.assumed.text || c.mode == converting {
		return l.limitsDiffer(ctx, o, c, plan)
	}
	if path := r.Int64(schema.Path); path > c.conf.version {
		return l.entityChanged(ctx, o, c, path)
	}
	c.observe()
	c.rememberOutcome(r, c.regimes(), false)
	c.judge(r)
	return nil
}

// judge denies, or chooses how the next write is built: for the regimes that the record shows, or, if those have changed
// again and again, every other time by compare-and-set.
func (c *bucketCharge) judge(r *backend.Record) {
	c.observe()
	if !c.admits() {
		c.result = denied
		return
	}
	c.active, c.mode, c.creates = c.regimes(), guessing, false
	c.path = r.Int64(schema.Path) != c.conf.version
	if c.tries >= mostWrongGuesses && c.tries%2 == 1 {
		c.mode = swapping
	}
}

// limitsDiffer is for a record with other limits than assumed. They may do; else the configuration is read again, after
// the refusal, and the bucket is converted.
func (l *Limiter) limitsDiffer(ctx context.Context, o *attempt, c *bucketCharge, plan *limitSet) error {
	r := c.record()
	c.remember(r, plan, false)
	c.partial = c.partial || !covers(plan, o.req.Consume, c.required)
	if c.mode == converting {
		c.lost++
		c.convertAlone()
	}
	if c.lost >= mostLostRaces {
		return l.judgeByRecord(o, c, plan)
	}
	if ver, _ := r.Num(schema.Ver); !plan.fits(c.required, c.stored) && ver != c.reread {
		if err := l.reconfigure(ctx, o, c); err != nil {
			return err
		}
		c.reread = ver
	}
	if plan.fits(c.required, c.stored) {
		c.assume(plan, o.req.Consume)
		c.judge(r)
		return nil
	}
	c.mode = converting
	return nil
}

// judgeByRecord judges by the limits in the record, as everybody else does who does not know the change yet: others write
// the bucket too fast for it to be converted.
func (l *Limiter) judgeByRecord(o *attempt, c *bucketCharge, plan *limitSet) error {
	if c.partial {
		return ErrContention
	}
	l.observe(Event{Kind: EventContention, Entity: c.h.id.entity, Resource: c.h.id.resource})
	c.assume(plan, o.req.Consume)
	c.judge(c.record())
	return nil
}

// covers reports whether limit set has every required limit that the request takes tokens of.
func covers(plan *limitSet, consume Tokens, view *limitSet) bool {
	for name, n := range consume {
		if n > 0 && view.index(name) >= 0 && plan.index(name) < 0 {
			return false
		}
	}
	return true
}

// reconfigure reads the configuration again. An acquire whose path or names no longer hold begins again.
func (l *Limiter) reconfigure(ctx context.Context, o *attempt, c *bucketCharge) error {
	conf, err := l.reload(ctx, c.h, c.now)
	if err != nil {
		return err
	}
	parent, view := c.conf.parent, c.required
	c.conf, c.stored, c.required = conf, conf.stored, conf.stored
	if c.root {
		if err := l.require(o, c); err != nil {
			return err
		}
	}
	if c.required == nil || conf.parent != parent || !covers(c.required, o.req.Consume, view) {
		return errRestart
	}
	return nil
}

// entityChanged is for a bucket that was written with a later version of its entity than is known here.
func (l *Limiter) entityChanged(ctx context.Context, o *attempt, c *bucketCharge, path int64) error {
	if err := l.reconfigure(ctx, o, c); err != nil {
		return err
	}
	r := c.record()
	if !c.assumed.fits(c.required, c.stored) {
		c.mode = converting
		return nil
	}
	c.assume(c.assumed, o.req.Consume)
	c.judge(r)
	if c.conf.version < path { // the entity was deleted since, and perhaps created again by a clock that is behind
		c.mode = swapping
	}
	return nil
}

// buildNext writes the next try of a charge after a refusal.
func (l *Limiter) buildNext(o *attempt, c *bucketCharge) error {
	r := c.record()
	switch c.mode {
	case guessing:
		c.buildGuess()
	case swapping:
		c.buildSwap(r)
	case converting:
		from, err := l.limitSetOfRecord(c, r)
		if err != nil {
			return err
		}
		to, err := l.reconcile(r, from, c.required, c.stored, c.now)
		if err != nil {
			return err
		}
		c.denies = !c.buildConversion(r, from, to, o.req.Consume)
	}
	return nil
}

// checkClock reports a record whose writer's clock is far ahead.
func (l *Limiter) checkClock(ctx context.Context, c *bucketCharge, r *backend.Record) {
	if ahead := r.Int64(schema.At) - c.now; ahead > drift {
		l.reportAhead(ctx, c, ahead)
	}
}
