package engine

import (
	"context"
	"errors"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// limitsDiffer is called if the record has other limits than assumed. If the charge can use them, it assumes them and is
// judged again. Otherwise the configuration is read again, and if the limits still do not fit, the next write converts the
// bucket.
func (k *charger) limitsDiffer(ctx context.Context, c *bucketCharge, set *limitset.Set) error {
	r := c.record()
	c.remember(r, set, false)
	c.partial = c.partial || !covers(set, c.of.consume, c.required)
	if c.mode == converting {
		c.lost++
		c.convertAlone()
	}
	// The path of the record is judged here, too: a compare-and-set has no condition on it.
	ver, _ := r.Num(schema.Ver)
	outdated := r.Int64(schema.Path) > c.conf.version
	if c.lost >= mostLostRaces && !outdated {
		return k.judgeByRecord(ctx, c, set)
	}
	if (outdated || !set.Fits(c.required, c.stored)) && ver != c.reread {
		if err := k.reconfigure(ctx, c); err != nil {
			return err
		}
		c.reread = ver
	}
	switch {
	case set.Fits(c.required, c.stored):
		c.judgeWith(set, c.of.consume)
	case c.lost >= mostLostRaces:
		return k.judgeByRecord(ctx, c, set)
	default:
		c.mode = converting
	}
	return nil
}

// judgeByRecord judges by the limits in the record, as everybody else does who does not know the change yet: others write
// the bucket too fast for it to be converted.
func (k *charger) judgeByRecord(ctx context.Context, c *bucketCharge, set *limitset.Set) error {
	if c.partial {
		return store.ErrContention
	}
	k.Report(ctx, report{Kind: reportContention, Bucket: c.state.id})
	c.judgeWith(set, c.of.consume)
	return nil
}

// covers reports whether set has every limit of required that the request takes tokens of.
func covers(set *limitset.Set, consume map[string]int64, required *limitset.Set) bool {
	for name, n := range consume {
		if n > 0 && required.Index(name) >= 0 && set.Index(name) < 0 {
			return false
		}
	}
	return true
}

// reconfigure reads the configuration again. It returns errRestart if the path has changed, or a limit that the request
// takes tokens of is gone.
func (k *charger) reconfigure(ctx context.Context, c *bucketCharge) error {
	conf, err := k.reload(ctx, c.state, c.now)
	if err != nil {
		return err
	}
	parent, required := c.conf.parent, c.required
	c.conf = conf
	if err := k.require(c); err != nil {
		return err
	}
	if c.required == nil || conf.parent != parent || !covers(c.required, c.of.consume, required) {
		return errRestart
	}
	return nil
}

// entityChanged is called if the bucket was written with a later version of its entity's record than is known here: it
// reads the configuration again and judges by it.
func (k *charger) entityChanged(ctx context.Context, c *bucketCharge, path int64) error {
	if err := k.reconfigure(ctx, c); err != nil {
		return err
	}
	if !c.assumed.Fits(c.required, c.stored) {
		c.mode = converting
		return nil
	}
	c.judgeWith(c.assumed, c.of.consume)
	if c.conf.version < path { // the entity was deleted since, and perhaps created again by a clock that is behind
		c.mode = swapping
	}
	return nil
}

// convert computes how a bucket looks after its conversion. See [limitset.Cache.Convert].
func (k *charger) convert(r *backend.Record, from, required, stored *limitset.Set, now int64) (*limitset.Conversion, error) {
	to, err := k.limitSets.Convert(r, from, required, stored, now)
	if tooMany, is := errors.AsType[*limitset.TooManyError](err); is {
		return nil, k.TooManyLimits(tooMany.N)
	}
	return to, err
}

// convertUntilDone converts the bucket if the record that was read has other limits than it should.
func (k *charger) convertUntilDone(ctx context.Context, c *bucketCharge) error {
	for c.tries = 1; c.tries <= mostTries; c.tries++ {
		r := c.record()
		set, err := k.limitSetOfRecord(c, r)
		if err != nil || set == nil || set.Fits(c.required, c.stored) {
			return err
		}
		// What the bucket has may be newer than what was read before it was seen.
		required, stored := c.required, c.stored
		if err := k.reconfigure(ctx, c); err != nil && !errors.Is(err, errRestart) {
			return err
		}
		if c.required == nil { // the limits are gone since: a denial is told by those that it was made with
			c.required, c.stored = required, stored
			return nil
		}
		if set.Fits(c.required, c.stored) {
			return nil
		}
		c.mode = converting
		if err := k.buildNext(c); err != nil {
			return err
		}
		if err := k.send(ctx, c); err != nil {
			return err
		}
		if c.outs[0].Applied {
			c.remember(c.record(), c.assumed, true)
			return nil
		}
	}
	return store.ErrContention
}
