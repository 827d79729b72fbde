package engine

import (
	"slices"
	"strconv"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// converted is a bucket carried over to other limits.
type converted struct {
	from  *limitSet
	was   arrivals // by position in from
	set   *limitSet
	tats  arrivals
	moved [schema.MaxLimits]int // by position: where the limit stood before, -1 if it is new
	at    int64                 // instant of the conversion
}

// reconcile computes how a record with the limits of from looks after its conversion to the limits that a writer requires
// and those that are stored. The instant of the conversion is the later of now and the last conversion, so that writers
// whose clocks disagree cannot create tokens by converting the bucket back and forth. See the table in ARCHITECTURE.md.
// Whether a conversion is needed is decided by limitSet.fits.
func (l *Limiter) reconcile(r *backend.Record, from, required, stored *limitSet, now int64) (*converted, error) {
	c := &converted{from: from, at: max(now, r.Int64(schema.Conv))}
	terms, before := c.terms(r, from, required, stored)
	terms = c.makeRoom(terms, r, from, required)
	if len(terms) > schema.MaxLimits {
		return nil, &ValidationError{
			"Limits", len(terms),
			"would bring the bucket above " + strconv.Itoa(schema.MaxLimits) + " limits, together with those that other callers bring; use another resource",
		}
	}
	c.set = l.limitSets.share(newLimitSet(terms)) // reorders terms by name
	for i := range c.set.terms {
		term, to := &c.set.terms[i], &c.set.rates[i]
		was, known := before[term.Name]
		if !known {
			c.moved[i], c.tats[i] = -1, bucket.Arrival{At: to.Y(c.at), Seen: true}
			continue
		}
		c.moved[i], c.was[was] = was, arrival(r, was)
		c.tats[i] = bucket.Arrival{At: bucket.Convert(&from.rates[was], to, c.was[was], c.at, c.cuts(i)), Seen: true}
	}
	return c, nil
}

// cuts reports whether a deficit of the i-th limit that exceeds its new capacity is cut.
func (c *converted) cuts(i int) bool {
	old, term := &c.from.terms[c.moved[i]], &c.set.terms[i]
	return !old.Brought && !term.Brought && old.Limit != term.Limit
}

// wait is how long until n tokens of the i-th limit are admitted if the conversion is not written before: the bucket
// refills by the limits in its record until then.
func (c *converted) wait(i int, now, n int64, otherwise time.Duration) time.Duration {
	if c.moved[i] < 0 || now < c.at { // as of the last conversion, which is ahead of this clock, it does not move
		return otherwise
	}
	was := c.moved[i]
	wait, _ := bucket.WaitConverted(&c.from.rates[was], &c.set.rates[i], c.was[was], now, n, c.cuts(i))
	return wait
}

// keptFull is how long a limit that another caller brought has been full before it is dropped, in ns. If it went at once,
// callers that bring different limits would convert the bucket back and forth.
const keptFull = int64(time.Minute)

// makeRoom drops limits that other callers brought from a bucket that would have too many: those that are full, and all
// of them if limits that are stored need their places.
func (c *converted) makeRoom(terms []schema.Term, r *backend.Record, from, required *limitSet) []schema.Term {
	needed := slices.ContainsFunc(terms, func(t schema.Term) bool { return !t.Brought })
	for i := len(terms) - 1; i >= len(required.terms) && len(terms) > schema.MaxLimits; i-- {
		j := from.index(terms[i].Name)
		if terms[i].Brought && (needed || from.rates[j].IsFull(arrival(r, j), from.rates[j].Y(c.at))) {
			terms = slices.Delete(terms, i, i+1)
		}
	}
	return terms
}

// terms chooses the limits that the bucket will have, and tells where those stood that it had.
func (c *converted) terms(r *backend.Record, from, required, stored *limitSet) (terms []schema.Term, before map[string]int) {
	before = make(map[string]int, len(from.terms))
	terms = append(terms, required.terms...)
	for i := range from.terms {
		t := from.terms[i]
		before[t.Name] = i
		if required.index(t.Name) >= 0 {
			continue
		}
		if t.Brought {
			if a := arrival(r, i); !a.Seen || !from.rates[i].IsFull(a, from.rates[i].Y(c.at-keptFull)) {
				terms = append(terms, t)
			}
		} else if j := stored.index(t.Name); j >= 0 {
			terms = append(terms, stored.terms[j])
		}
	}
	return terms, before
}
