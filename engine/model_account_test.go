package engine_test

import (
	"errors"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// account is the guarantee conserve for one lease, on the bucket of its entity: what its writes have moved is what its
// caller asked for, whichever replies were lost. More may be charged if it was reported as lost.
type account struct {
	wanted, moved, lost [len(names)]int64

	doubtful bool // the last call that could write has failed
	loose    bool // more may be charged: the bucket was reset, or somebody else wrote it when an outcome was unknown
	changed  bool // the bucket's limits have changed, or may be none: nothing is demanded
	over     bool // the lease is at its end
}

// open is for a lease that was just made. Below a parent the entity itself need not have any limits.
func (a *account) open(r *run, family bool) {
	a.loose, a.changed = r.visited, family
	for name, n := range r.tokens {
		a.wanted[nameIndex(name)], a.moved[nameIndex(name)] = n, n
	}
}

// book enters a write that took effect on a bucket in all accounts.
func (c *execution) book(e *effect) {
	for _, h := range c.leases {
		if h.entity == e.entity {
			h.enter(e, c.leaseOf(e.by) == h)
		}
	}
}

func (a *account) enter(e *effect, own bool) {
	a.changed = a.changed || !slices.EqualFunc(e.before, e.after, func(x, y schema.Term) bool { return x == y }) && !e.began
	a.loose = a.loose || e.ended || e.began || e.late || !own && a.doubtful
	if own {
		for n, used := range e.used {
			a.moved[n] += used
		}
	}
}

// Observe implements [engine.Observer].
func (c *execution) Observe(e engine.Event) {
	if e.Kind != engine.EventRefundLost || len(c.stack) == 0 {
		return
	}
	if !c.faults && errors.Is(e.Err, backend.ErrOutcomeUnknown) {
		c.fail("%v reported as lost, and no reply was", e.Tokens)
	}
	if h := c.leaseOf(c.top()); h != nil && entityName(h.entity) == e.Entity {
		for name, n := range e.Tokens {
			h.lost[nameIndex(name)] += n
		}
	}
}

// settleAccount enters what a step of a lease has asked for, and demands that it was moved once the lease is settled.
func (c *execution) settleAccount(r *run, o *outcome) {
	h := c.leaseOf(r)
	if h == nil || h.over || r.kind == doRollback && h.committed {
		return
	}
	h.loose = h.loose || r.visited
	var invalid *engine.ValidationError
	refused := errors.As(o.err, &invalid) || errors.Is(o.err, engine.ErrUnknownLimit) || errors.Is(o.err, engine.ErrLeaseClosed)
	switch {
	case r.kind == doConsume && o.admitted, r.kind == doAdjust && o.err == nil:
		h.want(r.tokens, 1)
	case r.kind == doRelease && !refused:
		h.want(r.tokens, -1)
	case r.kind == doRollback:
		h.wanted = [len(names)]int64{}
	}
	if refused || r.kind == doAdjust {
		return
	}
	if r.kind == doConsume {
		h.doubtful = h.doubtful || o.err != nil
		return
	}
	if h.doubtful = o.err != nil; h.doubtful {
		return
	}
	h.over = r.kind == doCommit || r.kind == doRollback
	c.balance(r, h)
}

func (a *account) want(tokens engine.Tokens, sign int64) {
	for name, n := range tokens {
		a.wanted[nameIndex(name)] += sign * n
	}
}

func (c *execution) balance(r *run, h *held) {
	for n, name := range names {
		if more := h.moved[n] - h.wanted[n]; h.changed || !c.bound.has(h.entity, name) {
			h.changed = true
		} else if more < 0 || more > h.lost[n] && !h.loose {
			c.fail("lease %d has charged %d of %s, want %d; %d were reported as lost", r.lease, h.moved[n], name, h.wanted[n], h.lost[n])
		}
	}
}
