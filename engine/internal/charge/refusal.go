package charge

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// interpretRefusal uses the record in the refusal: it proves the denial, or shows how the next try must be written.
func (k *Charger) interpretRefusal(ctx context.Context, c *Charge) error {
	r := c.Record()
	c.onlyConverts = false
	if !r.Present() { // gone since it was seen: full
		c.mode, c.active, c.Creates, c.writesPath = guessing, 0, true, true
		c.remember(r, nil, false)
		switch {
		case c.shared != nil:
			return ErrRestart
		case c.Reserved != nil:
			c.Result = Denied
		}
		return nil
	}
	k.checkClock(ctx, c, r)
	set, err := k.limitSetOfRecord(c, r)
	if err != nil {
		return err
	}
	if c.isMine(r) { // an earlier try was applied, its reply was lost
		if !c.servesSeveral() {
			c.assume(set, c.attempt.Consume)
		}
		c.Result, c.recognized = Applied, true
		c.remember(r, set, true)
		return nil
	}
	if c.servesSeveral() {
		return k.interpretShared(ctx, c, r, set)
	}
	if set.Text != c.Assumed.Text || c.mode == converting {
		return k.limitsDiffer(ctx, c, set)
	}
	if path := r.Int64(schema.Path); path > c.Config.version {
		return k.entityChanged(ctx, c, path)
	}
	c.observe()
	c.rememberOutcome(c.regimes(), false)
	c.judge()
	return nil
}

// interpretShared is for a record that has refused a shared write or a reservation. The buyer or the line decides what comes next.
// If the record has other limits than assumed, or a later version of the entity, the callers begin again.
func (k *Charger) interpretShared(ctx context.Context, c *Charge, r *backend.Record, set *limitset.Set) error {
	path := r.Int64(schema.Path)
	switch {
	case set.Text == c.Assumed.Text && path <= max(c.Config.version, c.outlived):
	case set.Text == c.Assumed.Text && c.Reserved != nil && !c.Reserved.Refund && k.outlives(ctx, c, path):
		return nil
	default:
		c.remember(r, set, false)
		return ErrRestart
	}
	c.observe()
	c.rememberOutcome(0, false)
	c.Result = Denied
	return nil
}

// outlives reports whether the record has a later version of its entity than there is: the entity was deleted since, and perhaps
// created again by a clock that is behind. To begin again would not help, as an acquire that is denied leaves that version in the
// record. So the reservation is written again, in its place.
func (k *Charger) outlives(ctx context.Context, c *Charge, path int64) bool {
	conf, err := k.reload(ctx, c.State, c.Now, false)
	if err != nil || *conf != *c.Config {
		return false
	}
	c.outlived, c.writesPath = path, true
	return true
}

// judgeWith judges by the record, which has the limits of set.
func (c *Charge) judgeWith(set *limitset.Set, consume map[string]int64) {
	c.assume(set, consume)
	c.observe()
	c.judge()
}

// judge denies by what the charge has seen, or chooses how the next write is built: for the regimes that the record shows,
// or, if those have changed again and again, every other time by compare-and-set.
func (c *Charge) judge() {
	if !c.admits() {
		c.Result = Denied
		return
	}
	c.active, c.mode, c.Creates = c.regimes(), guessing, false
	c.writesPath = c.Record().Int64(schema.Path) != c.Config.version
	if c.Tries >= mostWrongGuesses && c.Tries%2 == 1 {
		c.mode = swapping
	}
}

// buildNext builds the next write of a charge after a refusal.
func (k *Charger) buildNext(c *Charge) error {
	r := c.Record()
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
		to, err := k.convert(r, from, c.Required, c.Stored, c.Now)
		if err != nil {
			return err
		}
		c.onlyConverts = !c.buildConversion(r, from, to, c.attempt.Consume)
	}
	return nil
}

// isMine reports whether a try of this charge was the last to write r.
func (c *Charge) isMine(r *backend.Record) bool {
	nonce, ok := r.Num(schema.Nonce)
	return ok && nonce == c.Nonce
}
