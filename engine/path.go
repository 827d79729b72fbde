package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/internal/int128"
)

// resolve makes the claims: one for each entity on the path that has limits.
func (l *Limiter) resolve(ctx context.Context, o *op) error {
	if err := l.vet(o); err != nil {
		return err
	}
	nonce := int128.FromParts(rand.Int64()>>1, rand.Uint64())
	entity, names, depth := o.req.Entity, 0, 0
	for o.n = 0; entity != ""; depth++ {
		if depth == mostPath {
			return fmt.Errorf("%w: %s has more than %d", ErrCycle, o.req.Entity, mostPath)
		}
		h, err := l.handle(entity, o.req.Resource)
		if err != nil {
			return err
		}
		conf, err := l.config(ctx, h, o.now)
		if err != nil {
			return err
		}
		c := o.at(o.n)
		c.h, c.now, c.nonce, c.acquire, c.root = h, o.now, nonce, !o.within, depth == 0
		if err := l.require(c, conf, o); err != nil {
			return err
		}
		if c.view != nil {
			names = max(names, c.assume(o.req.Consume))
			if c.illegal {
				return o.check()
			}
			o.n++
		}
		entity = conf.parent
	}
	if o.n == 0 {
		return ErrNoLimits
	}
	if names < len(o.req.Consume) {
		return o.checkNames()
	}
	return nil
}

// vet refuses bad input before anything is done for it. Where the bucket is known, its ids have been checked, and the
// rest is checked in passing.
func (l *Limiter) vet(o *op) error {
	h := l.buckets.get(bucketID{o.req.Entity, o.req.Resource})
	if h == nil || h.conf.Load() == nil || len(o.req.Consume) == 0 || o.req.OnUnavailable > PolicyAllow {
		return o.check()
	}
	return nil
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
			known = append(known, t.Name)
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
	for try := 1; ; try++ {
		abandoned, err := l.apply(ctx, c)
		o.abandoned = o.abandoned || abandoned
		if err == nil {
			return nil
		}
		if abandoned || try > resends || errors.Is(err, errBreaker) || !worthResending(err) || ctx.Err() != nil || !l.yield(ctx, try) {
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
	if err == nil {
		c.h.lock.Lock()
		c.h.memo = c.writes[0].Memo
		c.h.lock.Unlock()
	}
	return abandoned, err
}

// worthResending tells trouble that passes.
func worthResending(err error) bool {
	return unreachable(err) || errors.Is(err, backend.ErrContention)
}

// yield lets others go first: by sleeping a little, or, where a store without I/O makes them quick, by giving way.
func (l *Limiter) yield(ctx context.Context, n int) bool {
	if l.noIO {
		runtime.Gosched()
		return ctx.Err() == nil
	}
	return l.pause(ctx, n)
}
