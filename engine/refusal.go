package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// interpretRefusal learns from the record in the refusal: it proves the denial, or shows how the next try must be written.
func (k *charger) interpretRefusal(ctx context.Context, c *bucketCharge) error {
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
	k.checkClock(ctx, c, r)
	set, err := k.limitSetOfRecord(c, r)
	if err != nil {
		return err
	}
	if c.isMine(r) { // an earlier try was applied, its reply was lost
		if c.shared == nil && c.reserved == nil {
			c.assume(set, c.of.consume)
		}
		c.result, c.recognized = applied, true
		c.remember(r, set, true)
		return nil
	}
	if c.shared != nil || c.reserved != nil {
		return c.interpretShared(r, set)
	}
	if set.Text != c.assumed.Text || c.mode == converting {
		return k.limitsDiffer(ctx, c, set)
	}
	if path := r.Int64(schema.Path); path > c.conf.version {
		return k.entityChanged(ctx, c, path)
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
func (c *bucketCharge) judgeWith(set *limitset.Set, consume map[string]int64) {
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
func (k *charger) buildNext(c *bucketCharge) error {
	r := c.record()
	switch c.mode {
	case guessing:
		c.buildGuess()
	case swapping:
		c.buildSwap(r)
	case converting:
		from, err := k.limitSetOfRecord(c, r)
		if err != nil {
			return err
		}
		to, err := k.convert(r, from, c.required, c.stored, c.now)
		if err != nil {
			return err
		}
		c.onlyConverts = !c.buildConversion(r, from, to, c.of.consume)
	}
	return nil
}

// isMine reports whether a charge of this charge was the last to write r.
func (c *bucketCharge) isMine(r *backend.Record) bool {
	nonce, ok := r.Num(schema.Nonce)
	return ok && nonce == c.nonce
}
