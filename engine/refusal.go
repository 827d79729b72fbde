package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// interpretRefusal learns from the record in the refusal: it proves the denial, or shows how the next try must be written.
func (l *Limiter) interpretRefusal(ctx context.Context, a *attempt, c *bucketCharge) error {
	r := c.record()
	c.onlyConverts = false
	if !r.Present() { // gone since it was seen: full
		c.mode, c.active, c.creates, c.writesPath = guessing, 0, true, true
		c.remember(r, nil, false)
		switch {
		case c.shared != nil:
			return errRestart
		case c.reserved != nil:
			c.result = denied
		}
		return nil
	}
	l.checkClock(ctx, c, r)
	set, err := l.limitSetOfRecord(c, r)
	if err != nil {
		return err
	}
	if c.isMine(r) { // an earlier try was applied, its reply was lost
		if c.shared == nil && c.reserved == nil {
			c.assume(set, a.req.Consume)
		}
		c.result, c.recognized = applied, true
		c.remember(r, set, true)
		return nil
	}
	if c.shared != nil || c.reserved != nil {
		return c.interpretShared(r, set)
	}
	if set.Text != c.assumed.Text || c.mode == converting {
		return l.limitsDiffer(ctx, a, c, set)
	}
	if path := r.Int64(schema.Path); path > c.conf.version {
		return l.entityChanged(ctx, a, c, path)
	}
	c.observe()
	c.rememberOutcome(c.regimes(), false)
	c.judge()
	return nil
}

// interpretShared learns from the record that has refused a shared write or a reservation. The buyer or the line decides what
// comes next. If the record has
// other limits than assumed, or another version of the entity, its callers begin again.
func (c *bucketCharge) interpretShared(r *backend.Record, set *limitset.Set) error {
	if set.Text != c.assumed.Text || r.Int64(schema.Path) > c.conf.version {
		c.remember(r, set, false)
		return errRestart
	}
	c.observe()
	c.rememberOutcome(0, false)
	c.result = denied
	return nil
}

// judgeWith judges by the record, which has the limits of set.
func (c *bucketCharge) judgeWith(set *limitset.Set, consume Tokens) {
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
	c.writesPath = c.record().Int64(schema.Path) != c.conf.version
	if c.tries >= mostWrongGuesses && c.tries%2 == 1 {
		c.mode = swapping
	}
}

// buildNext builds the next write of a charge after a refusal.
func (l *Limiter) buildNext(a *attempt, c *bucketCharge) error {
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
		to, err := l.convert(r, from, c.required, c.stored, c.now)
		if err != nil {
			return err
		}
		c.onlyConverts = !c.buildConversion(r, from, to, a.req.Consume)
	}
	return nil
}

// checkClock reports a record whose writer's clock is far ahead.
func (l *Limiter) checkClock(ctx context.Context, c *bucketCharge, r *backend.Record) {
	if ahead := r.Int64(schema.At) - c.now; ahead > drift {
		l.reportAhead(ctx, c, ahead)
	}
}
