package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
)

// resolve makes the charges: one for each entity on the path that has limits.
func (l *Limiter) resolve(ctx context.Context, o *attempt) error {
	nonce := backend.Num{}
	if !l.noIO { // without I/O no reply is ever lost
		nonce = random()
	}
	id, names, depth := bucketID{o.req.Entity, o.req.Resource}, 0, 0
	o.n, o.takes, o.beyond, o.known = 0, false, false, false
	for ; id.entity != "" || depth == 0; depth++ {
		if depth == mostPath {
			return fmt.Errorf("%w: the path of %s has more than %d entities", ErrCycle, o.req.Entity, mostPath)
		}
		h, conf, err := l.stateOf(ctx, o, &id, depth == 0)
		if err != nil {
			return err
		}
		if depth == 0 {
			o.root = h
		}
		c := o.addCharge(h, conf, depth == 0, l.noRegimes)
		c.nonce = nonce
		known, err := l.prepare(o, c)
		if err != nil {
			return err
		}
		if c.required != nil {
			names = max(names, known)
			if c.illegal {
				return o.check()
			}
			o.n++
			o.takes, o.beyond, o.known = o.takes || c.asks != 0, o.beyond || c.beyond, o.known || c.known
		}
		id.entity = conf.parent
	}
	if o.n == 0 {
		return ErrNoLimits
	}
	if names < len(o.req.Consume) {
		return o.checkNames()
	}
	return nil
}

// stateOf finds the bucket's state and configuration. Bad input is refused before anything is done for it; where the
// bucket is known its ids have been checked, and the rest is checked in passing.
func (l *Limiter) stateOf(ctx context.Context, o *attempt, id *bucketID, root bool) (*bucketState, *config, error) {
	h := l.cache.get(id)
	if h != nil {
		if conf := h.conf.Load(); conf != nil && len(o.req.Consume) > 0 && o.req.OnUnavailable <= PolicyAllow {
			if age := o.now - h.loaded.Load(); age >= 0 && age < l.trust {
				return h, conf, nil
			}
			conf, err := l.config(ctx, h, o.now)
			return h, conf, err
		}
	}
	if root {
		if err := o.check(); err != nil {
			return nil, nil, err
		}
	}
	h, err := l.stateAt(id)
	if err != nil {
		return nil, nil, err
	}
	conf, err := l.config(ctx, h, o.now)
	return h, conf, err
}

func (o *attempt) check() error {
	if o.inspects && len(o.req.Consume) == 0 {
		return checkScope(&o.req)
	}
	return checkRequest(&o.req)
}

// checkNames refuses names that no level of the path has, and amounts that no level has looked at.
func (o *attempt) checkNames() error {
	if err := o.check(); err != nil {
		return err
	}
	var unknown, known []string
	for i := range o.n {
		for _, t := range o.charges[i].required.terms {
			if !slices.Contains(known, t.Name) {
				known = append(known, t.Name)
			}
		}
	}
	for name := range o.req.Consume {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return unknownLimits(unknown, known)
}

// send sends the charge's write, and sends it again after trouble that passes, also if the outcome is unknown: the nonce
// then shows whether an earlier try was applied. A refusal by the store is not an error; it is in c.outs.
func (l *Limiter) send(ctx context.Context, o *attempt, c *bucketCharge) error {
	if c.h.converting.Load() {
		l.waitForConversion(ctx, c)
	}
	return l.store.Retry(ctx, func() (final bool, err error) {
		return l.apply(ctx, o, c)
	})
}

// apply makes the charge's write once, and notes what is not known of it. After an abandoned call the store has the
// buffers of the charge: nothing of them may be touched.
func (l *Limiter) apply(ctx context.Context, o *attempt, c *bucketCharge) (abandoned bool, err error) {
	abandoned, err = l.store.Apply(ctx, c.writes[:], c.outs[:])
	if abandoned {
		o.abandoned.Store(true)
	}
	c.unsure = c.unsure || errors.Is(err, backend.ErrOutcomeUnknown)
	c.fromLastSeen = false // outs has what the store says
	return abandoned, err
}
