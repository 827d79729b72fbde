package engine

import (
	"strconv"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// converted is a bucket carried over to other limits.
type converted struct {
	plan  *plan
	tats  arrivals
	moved [schema.MaxLimits]int // by position: where the limit stood before, -1 if it is new
	at    int64                 // instant of the conversion
}

// reconcile carries a record with the limits of from over to what a writer requires (view) and knows to be stored, at
// the later of now and the last conversion, so that clocks that disagree mint nothing by flipping. See the table in
// ARCHITECTURE.md. It does not decide whether that is needed: plan.fits does.
func (l *Limiter) reconcile(r *backend.Record, from, view, stored *plan, now int64) (*converted, error) {
	c := &converted{at: max(now, r.Int64(schema.Conv))}
	terms, before := c.terms(r, from, view, stored)
	if len(terms) > schema.MaxLimits {
		return nil, &ValidationError{
			"Limits", len(terms),
			"would bring the bucket above " + strconv.Itoa(schema.MaxLimits) + " limits, together with those that other callers bring; use another resource",
		}
	}
	c.plan = l.plans.share(newPlan(terms)) // reorders terms by name
	for i := range c.plan.terms {
		term, to := &c.plan.terms[i], &c.plan.rates[i]
		was, known := before[term.Name]
		if !known {
			c.moved[i], c.tats[i] = -1, bucket.Arrival{At: to.Y(c.at), Seen: true}
			continue
		}
		old := &from.terms[was]
		cut := !old.Brought && !term.Brought && old.Limit != term.Limit
		c.moved[i] = was
		c.tats[i] = bucket.Arrival{At: bucket.Convert(&from.rates[was], to, arrival(r, was), c.at, cut), Seen: true}
	}
	return c, nil
}

// terms chooses the limits that the bucket will have, and tells where those stood that it had.
func (c *converted) terms(r *backend.Record, from, view, stored *plan) (terms []schema.Term, before map[string]int) {
	before = make(map[string]int, len(from.terms))
	terms = append(terms, view.terms...)
	for i := range from.terms {
		t := from.terms[i]
		before[t.Name] = i
		if view.index(t.Name) >= 0 {
			continue
		}
		if t.Brought {
			if !from.rates[i].IsFull(arrival(r, i), from.rates[i].Y(c.at)) {
				terms = append(terms, t)
			}
		} else if j := stored.index(t.Name); j >= 0 {
			terms = append(terms, stored.terms[j])
		}
	}
	return terms, before
}
