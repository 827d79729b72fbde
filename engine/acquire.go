package engine

import (
	"context"
	"errors"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
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

// decide admits the request or denies it. If it returns an error, the request was neither admitted nor denied. It calls
// these functions, in this order:
//
//	resolve          validates the request and makes a charge for each bucket on the path (path.go, resolve.go, charge.go)
//	denyBeyond       denies a request that is larger than a capacity (denial.go)
//	decideByReading  decides a request that takes no tokens, by reading the buckets (readings.go)
//	denyKnown        denies without a write if a last seen record suffices for that (denial.go)
//	charge           charges the bucket; or, if the path has several,
//	chargeAll        calls charge for each bucket, and refunds the others if one of them denies (cascade.go)
//
// The caller then makes a lease (newLease) or an error (exceeded). If the configuration changes during an acquire, the
// acquire begins again.
func (l *Limiter) decide(ctx context.Context, o *attempt, r *Request) (admitted bool, err error) {
	if l.store.Closed() {
		return false, ErrClosed
	}
	if o.now, err = l.now(); err != nil {
		return false, err
	}
	o.req = *r
	if !l.noIO {
		var cancel context.CancelFunc
		ctx, cancel = l.store.Budget(ctx)
		defer cancel()
	}
	for range mostRestarts {
		admitted, err = l.tryOnce(ctx, o)
		if err == nil || !errors.Is(err, errRestart) {
			if o.admitted = admitted; admitted {
				if o.writes += o.n; o.writes >= sweepBatch {
					l.countWrites(o)
				}
			}
			return admitted, err
		}
		if o.abandoned.Load() { // the store still has buffers of the charges
			return false, store.NotSent(ctx)
		}
	}
	return false, ErrContention
}

func (l *Limiter) tryOnce(ctx context.Context, o *attempt) (admitted bool, err error) {
	if err := l.resolve(ctx, o); err != nil {
		return false, err
	}
	switch {
	case o.beyond:
		return false, l.denyBeyond(ctx, o)
	case !o.takes:
		return l.decideByReading(ctx, o)
	case o.known:
		return false, l.denyKnown(ctx, o)
	case o.n == 1:
		c := &o.charges[0]
		err = l.charge(ctx, o, c)
		admitted = err == nil && c.result == applied
	default:
		admitted, err = l.chargeAll(ctx, o)
	}
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
			c.interpretApplied()
			return nil
		}
		if err := l.interpretRefusal(ctx, o, c); err != nil || c.result != pending {
			return err
		}
		if c.tries >= mostTries || c.tries > mostWrongGuesses && !l.store.GiveWay(ctx, c.tries-mostWrongGuesses) {
			return ErrContention
		}
		if err := l.buildNext(o, c); err != nil {
			return err
		}
	}
}

// interpretApplied notes that the last write took effect: an admission, or a conversion whose request is denied.
func (c *bucketCharge) interpretApplied() {
	c.result = applied
	if c.denies {
		c.result = denied
	}
	c.rememberOutcome(c.active, true)
}

// rememberOutcome makes the record of the last outcome the last seen record, and adds the regimes that held to the moving
// average.
func (c *bucketCharge) rememberOutcome(active uint16, mine bool) {
	b := c.h
	b.lock.Lock()
	if memo := c.writes[0].Memo; b.memo != memo {
		b.memo = memo
	}
	c.rememberLocked(c.record(), c.assumed, mine)
	if c.mode == guessing && !c.noRegimes && b.seen.shared > 0 {
		b.seen.average(c, active)
	}
	b.lock.Unlock()
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
	set, err := l.limitSetOfRecord(c, r)
	if err != nil {
		return err
	}
	if c.isMine(r) { // an earlier try was applied, its reply was lost
		c.assume(set, o.req.Consume)
		c.result = applied
		c.remember(r, set, true)
		return nil
	}
	if set.text != c.assumed.text || c.mode == converting {
		return l.limitsDiffer(ctx, o, c, set)
	}
	if path := r.Int64(schema.Path); path > c.conf.version {
		return l.entityChanged(ctx, o, c, path)
	}
	c.observe()
	c.rememberOutcome(c.regimes(), false)
	c.judge()
	return nil
}

// judgeWith judges by the record, which has the limits of set.
func (c *bucketCharge) judgeWith(set *limitSet, consume Tokens) {
	c.assume(set, consume)
	c.observe()
	c.judge()
}

// judge denies by what the charge has seen, or chooses how the next write is built: for the regimes that the record shows,
// or, if those have changed again and again, every other time by compare-and-set.
func (c *bucketCharge) judge() {
	if !c.admits() {
		c.result = denied
		return
	}
	c.active, c.mode, c.creates = c.regimes(), guessing, false
	c.path = c.record().Int64(schema.Path) != c.conf.version
	if c.tries >= mostWrongGuesses && c.tries%2 == 1 {
		c.mode = swapping
	}
}

// buildNext builds the next write of a charge after a refusal.
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
