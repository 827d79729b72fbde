package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
)

// resolve makes the claims: one for each entity on the path that has limits.
func (l *Limiter) resolve(ctx context.Context, o *op) error {
	nonce := backend.Num{}
	if !l.noIO { // without I/O no reply is ever lost
		nonce = random()
	}
	id, names, depth := bucketID{o.req.Entity, o.req.Resource}, 0, 0
	for o.n = 0; id.entity != "" || depth == 0; depth++ {
		if depth == mostPath {
			return fmt.Errorf("%w: %s has more than %d", ErrCycle, o.req.Entity, mostPath)
		}
		h, conf, err := l.lookUp(ctx, o, &id, depth == 0)
		if err != nil {
			return err
		}
		if depth == 0 {
			o.root = h
		}
		c := o.begin(h, conf, depth == 0, l.lifts)
		c.nonce = nonce
		known, err := l.consult(o, c)
		if err != nil {
			return err
		}
		if c.view != nil {
			names = max(names, known)
			if c.illegal {
				return o.check()
			}
			o.n++
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

// lookUp finds the bucket's handle and configuration. Bad input is refused before anything is done for it; where the
// bucket is known its ids have been checked, and the rest is checked in passing.
func (l *Limiter) lookUp(ctx context.Context, o *op, id *bucketID, root bool) (*handle, *config, error) {
	h := l.buckets.get(id)
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
	h, err := l.handle(id)
	if err != nil {
		return nil, nil, err
	}
	conf, err := l.config(ctx, h, o.now)
	return h, conf, err
}

func (o *op) check() error {
	if o.inspects && len(o.req.Consume) == 0 {
		return checkScope(&o.req)
	}
	return checkRequest(&o.req)
}

// checkNames refuses names that no level of the path has, and amounts that no level has looked at.
func (o *op) checkNames() error {
	if err := o.check(); err != nil {
		return err
	}
	var unknown, known []string
	for name := range o.req.Consume {
		has := func(c *claim) bool { return c.view.index(name) >= 0 }
		if !o.any(has) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	for i := range o.n {
		for _, t := range o.claims[i].view.terms {
			if !slices.Contains(known, t.Name) {
				known = append(known, t.Name)
			}
		}
	}
	return unknownLimits(unknown, known)
}

func (o *op) any(f func(*claim) bool) bool {
	for i := range o.n {
		if f(&o.claims[i]) {
			return true
		}
	}
	return false
}

// send makes one write, again where its outcome is unknown or it certainly was not applied: its nonce tells whether an
// earlier try was. An error is none of the store's answers.
func (l *Limiter) send(ctx context.Context, o *op, c *claim) error {
	l.letConvert(ctx, c)
	for try := 1; ; try++ {
		abandoned, err := l.apply(ctx, c)
		if abandoned {
			o.abandoned.Store(true)
		}
		if err == nil {
			return nil
		}
		c.unsure = c.unsure || errors.Is(err, backend.ErrOutcomeUnknown)
		if abandoned || !l.resend(ctx, err, try) {
			return err
		}
	}
}

// apply makes the claim's write once. After an abandoned call nothing of the claim may be touched.
func (l *Limiter) apply(ctx context.Context, c *claim) (abandoned bool, err error) {
	if l.noIO {
		err = l.store.Apply(ctx, c.writes[:], c.outs[:])
	} else {
		abandoned, err = l.call(ctx, "apply", func(ctx context.Context) error {
			return l.store.Apply(ctx, c.writes[:], c.outs[:])
		})
	}
	c.recalled = false // outs has what the store says
	return abandoned, err
}

// worthResending tells trouble that passes.
func worthResending(err error) bool {
	var bug *panicError
	return (unreachable(err) || errors.Is(err, backend.ErrContention)) && !errors.As(err, &bug)
}

// yield lets others go first: by sleeping a little, or, where a store without I/O makes them quick, by giving way.
func (l *Limiter) yield(ctx context.Context, n int) bool {
	if l.noIO {
		runtime.Gosched()
		return ctx.Err() == nil
	}
	return l.pause(ctx, n)
}
