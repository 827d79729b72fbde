package engine

import (
	"context"
	"errors"
	"strconv"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// limitsDiffer is called if the record has other limits than assumed. If the charge can use them, it assumes them and is
// judged again. Otherwise the configuration is read again, and if the limits still do not fit, the next write converts the
// bucket.
func (l *Limiter) limitsDiffer(ctx context.Context, a *attempt, c *bucketCharge, set *limitset.Set) error {
	r := c.record()
	c.remember(r, set, false)
	c.partial = c.partial || !covers(set, a.req.Consume, c.required)
	if c.mode == converting {
		c.lost++
		c.convertAlone()
	}
	// The path of the record is judged here, too: a compare-and-set has no condition on it.
	ver, _ := r.Num(schema.Ver)
	outdated := r.Int64(schema.Path) > c.conf.version
	if c.lost >= mostLostRaces && !outdated {
		return l.judgeByRecord(a, c, set)
	}
	if (outdated || !set.Fits(c.required, c.stored)) && ver != c.reread {
		if err := l.reconfigure(ctx, a, c); err != nil {
			return err
		}
		c.reread = ver
	}
	switch {
	case set.Fits(c.required, c.stored):
		c.judgeWith(set, a.req.Consume)
	case c.lost >= mostLostRaces:
		return l.judgeByRecord(a, c, set)
	default:
		c.mode = converting
	}
	return nil
}

// judgeByRecord judges by the limits in the record, as everybody else does who does not know the change yet: others write
// the bucket too fast for it to be converted.
func (l *Limiter) judgeByRecord(a *attempt, c *bucketCharge, set *limitset.Set) error {
	if c.partial {
		return ErrContention
	}
	l.observe(Event{Kind: EventContention, Entity: c.state.id.entity, Resource: c.state.id.resource})
	c.judgeWith(set, a.req.Consume)
	return nil
}

// covers reports whether set has every limit of required that the request takes tokens of.
func covers(set *limitset.Set, consume Tokens, required *limitset.Set) bool {
	for name, n := range consume {
		if n > 0 && required.Index(name) >= 0 && set.Index(name) < 0 {
			return false
		}
	}
	return true
}

// reconfigure reads the configuration again. It returns errRestart if the path has changed, or a limit that the request
// takes tokens of is gone.
func (l *Limiter) reconfigure(ctx context.Context, a *attempt, c *bucketCharge) error {
	conf, err := l.reload(ctx, c.state, c.now)
	if err != nil {
		return err
	}
	parent, required := c.conf.parent, c.required
	c.conf = conf
	if err := l.require(a, c); err != nil {
		return err
	}
	if c.required == nil || conf.parent != parent || !covers(c.required, a.req.Consume, required) {
		return errRestart
	}
	return nil
}

// entityChanged is called if the bucket was written with a later version of its entity's record than is known here: it
// reads the configuration again and judges by it.
func (l *Limiter) entityChanged(ctx context.Context, a *attempt, c *bucketCharge, path int64) error {
	if err := l.reconfigure(ctx, a, c); err != nil {
		return err
	}
	if !c.assumed.Fits(c.required, c.stored) {
		c.mode = converting
		return nil
	}
	c.judgeWith(c.assumed, a.req.Consume)
	if c.conf.version < path { // the entity was deleted since, and perhaps created again by a clock that is behind
		c.mode = swapping
	}
	return nil
}

// convert computes how a bucket looks after its conversion. See [limitset.Cache.Convert].
func (l *Limiter) convert(r *backend.Record, from, required, stored *limitset.Set, now int64) (*limitset.Conversion, error) {
	to, err := l.limitSets.Convert(r, from, required, stored, now)
	if tooMany, is := errors.AsType[*limitset.TooManyError](err); is {
		return nil, &ValidationError{
			"Limits", tooMany.N,
			"would bring the bucket above " + strconv.Itoa(schema.MaxLimits) + " limits, together with those that other callers bring; use another resource",
		}
	}
	return to, err
}
