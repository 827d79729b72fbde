package charge

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
func (k *Charger) limitsDiffer(ctx context.Context, c *Charge, set *limitset.Set) error {
	r := c.Record()
	c.remember(r, set, false)
	c.partial = c.partial || !covers(set, c.attempt.Consume, c.Required)
	if c.mode == converting {
		c.lost++
		c.convertAlone()
	}
	// The path of the record is judged here, too: a compare-and-set has no condition on it.
	ver, _ := r.Num(schema.Ver)
	outdated := r.Int64(schema.Path) > c.Config.version
	if c.lost >= mostLostRaces && !outdated {
		return k.judgeByRecord(ctx, c, set)
	}
	if (outdated || !set.Fits(c.Required, c.Stored)) && ver != c.reread {
		if err := k.Reconfigure(ctx, c); err != nil {
			return err
		}
		c.reread = ver
	}
	switch {
	case set.Fits(c.Required, c.Stored):
		c.judgeWith(set, c.attempt.Consume)
	case c.lost >= mostLostRaces:
		return k.judgeByRecord(ctx, c, set)
	default:
		c.mode = converting
	}
	return nil
}

// judgeByRecord judges by the limits in the record, as everybody else does who does not know the change yet: others write
// the bucket too fast for it to be converted.
func (k *Charger) judgeByRecord(ctx context.Context, c *Charge, set *limitset.Set) error {
	if c.partial {
		return store.ErrContention
	}
	k.Report(ctx, Report{Kind: Contention, Bucket: c.State.ID})
	c.judgeWith(set, c.attempt.Consume)
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

// Reconfigure reads the configuration again. It returns ErrRestart if the path has changed, or a limit that the request
// takes tokens of is gone.
func (k *Charger) Reconfigure(ctx context.Context, c *Charge) error {
	conf, err := k.Reload(ctx, c.State, c.Now)
	if err != nil {
		return err
	}
	parent, required := c.Config.Parent, c.Required
	c.Config = conf
	if err := k.Require(c); err != nil {
		return err
	}
	if c.Required == nil || conf.Parent != parent || !covers(c.Required, c.attempt.Consume, required) {
		return ErrRestart
	}
	return nil
}

// entityChanged is called if the bucket was written with a later version of its entity's record than is known here: it
// reads the configuration again and judges by it.
func (k *Charger) entityChanged(ctx context.Context, c *Charge, path int64) error {
	if err := k.Reconfigure(ctx, c); err != nil {
		return err
	}
	if !c.Assumed.Fits(c.Required, c.Stored) {
		c.mode = converting
		return nil
	}
	c.judgeWith(c.Assumed, c.attempt.Consume)
	if c.Config.version < path { // the entity was deleted since, and perhaps created again by a clock that is behind
		c.mode = swapping
	}
	return nil
}

// convert computes how a bucket looks after its conversion. See [limitset.Cache.Convert].
func (k *Charger) convert(r *backend.Record, from, required, stored *limitset.Set, now int64) (*limitset.Conversion, error) {
	to, err := k.LimitSets.Convert(r, from, required, stored, now)
	if tooMany, is := errors.AsType[*limitset.TooManyError](err); is {
		return nil, k.TooManyLimits(tooMany.N)
	}
	return to, err
}

// ConvertUntilDone converts the bucket if the record that was read has other limits than it should.
func (k *Charger) ConvertUntilDone(ctx context.Context, c *Charge) error {
	for c.Tries = 1; c.Tries <= MostTries; c.Tries++ {
		r := c.Record()
		set, err := k.limitSetOfRecord(c, r)
		if err != nil || set == nil || set.Fits(c.Required, c.Stored) {
			return err
		}
		// What the bucket has may be newer than what was read before it was seen.
		required, stored := c.Required, c.Stored
		if err := k.Reconfigure(ctx, c); err != nil && !errors.Is(err, ErrRestart) {
			return err
		}
		if c.Required == nil { // the limits are gone since: a denial is told by those that it was made with
			c.Required, c.Stored = required, stored
			return nil
		}
		if set.Fits(c.Required, c.Stored) {
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
			c.remember(c.Record(), c.Assumed, true)
			return nil
		}
	}
	return store.ErrContention
}
