package engine

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
)

// look fills in the records of claims whose state is not known: by reading them, or, with recall, from fresh views.
func (l *Limiter) look(ctx context.Context, o *op, recall bool) error {
	var keys []backend.Key
	var unseen []*claim
	for i := range o.n {
		c := &o.claims[i]
		if c.result == pending && !(recall && l.recall(c)) {
			keys, unseen = append(keys, l.key(c.h)), append(unseen, c)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	out, err := l.read(ctx, keys)
	if err != nil {
		return err
	}
	for i, c := range unseen {
		c.outs[0].Record.CopyFrom(&out[i])
		c.recalled = false
		if err := l.note(c); err != nil {
			return err
		}
		l.watchClock(ctx, c, c.record())
	}
	return nil
}

// recall takes the record from the view, if it is fresh.
func (l *Limiter) recall(c *claim) bool {
	c.h.lock.Lock()
	defer c.h.lock.Unlock()
	if !l.fresh(c) {
		return false
	}
	c.recallLocked()
	return true
}

// note takes the record that was read into the handle's view.
func (l *Limiter) note(c *claim) error {
	plan, err := l.planOfRecord(c, c.record())
	if err != nil {
		return err
	}
	c.see(c.record(), plan, false)
	return nil
}

// peek judges the claims by reading their buckets. Nothing is written, unless the request is denied and a bucket has other
// limits than it should: then it is converted, as by any denial, else its old rate would live on.
func (l *Limiter) peek(ctx context.Context, o *op) (admitted bool, err error) {
	if err := l.look(ctx, o, false); err != nil {
		return false, err
	}
	if admitted, err = l.peekAdmits(o); admitted || err != nil {
		return admitted, err
	}
	for i := range o.n {
		c := &o.claims[i]
		c.acquire = false
		if err := l.convertUntilDone(ctx, o, c); err != nil { // the denial stands all the same
			l.observe(Event{Kind: EventContention, Entity: c.h.id.entity, Resource: c.h.id.resource, Err: err})
		}
	}
	return false, nil
}

func (l *Limiter) peekAdmits(o *op) (admitted bool, err error) {
	for i := range o.n {
		c := &o.claims[i]
		plan, tats, _, err := l.states(c)
		if err != nil {
			return false, err
		}
		for j := range plan.rates {
			rate := &plan.rates[j]
			var n int64
			if c.view.index(plan.terms[j].Name) >= 0 {
				n = o.req.Consume[plan.terms[j].Name]
			}
			if !rate.Admits(tats[j], rate.Y(c.now), n) {
				return false, nil
			}
		}
	}
	return true, nil
}
