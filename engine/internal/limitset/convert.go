package limitset

import (
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Conversion is a bucket carried over to other limits.
type Conversion struct {
	from  *Set
	was   Arrivals              // by position in from
	Set   *Set                  // of the bucket after it
	Tats  Arrivals              // after it, by position in Set
	Moved [schema.MaxLimits]int // by position: where the limit stood before, -1 if it is new
	At    int64                 // instant of the conversion
}

// Convert computes how a record with the limits of from looks after its conversion to the limits that a writer requires
// and those that are stored. The instant of the conversion is the later of now and the last conversion, so that writers
// whose clocks disagree cannot create tokens by converting the bucket back and forth. See the table in ARCHITECTURE.md.
// Whether a conversion is needed is decided by Set.Fits.
func (c *Cache) Convert(r *backend.Record, from, required, stored *Set, now int64) (*Conversion, error) {
	v := &Conversion{from: from, At: max(now, r.Int64(schema.Conv))}
	terms, before := v.terms(r, from, required, stored)
	terms = v.makeRoom(terms, r, from, required)
	if len(terms) > schema.MaxLimits {
		return nil, &TooManyError{len(terms)}
	}
	v.Set = c.Share(New(terms)) // reorders terms by name
	for i := range v.Set.Terms {
		term, to := &v.Set.Terms[i], &v.Set.Rates[i]
		was, known := before[term.Name]
		if !known {
			v.Moved[i], v.Tats[i] = -1, bucket.Arrival{At: to.Y(v.At), Seen: true}
			continue
		}
		v.Moved[i], v.was[was] = was, ArrivalOf(r, was)
		v.Tats[i] = bucket.Arrival{At: bucket.Convert(&from.Rates[was], to, v.was[was], v.At, v.cuts(i)), Seen: true}
	}
	return v, nil
}

// cuts reports whether a deficit of the i-th limit that exceeds its new capacity is cut.
func (v *Conversion) cuts(i int) bool {
	old, term := &v.from.Terms[v.Moved[i]], &v.Set.Terms[i]
	return !old.Brought && !term.Brought && old.Limit != term.Limit
}

// Wait is how long until n tokens of the i-th limit are admitted if the conversion is not written before: the bucket
// refills by the limits in its record until then.
func (v *Conversion) Wait(i int, now, n int64, otherwise time.Duration) time.Duration {
	if v.Moved[i] < 0 || now < v.At { // as of the last conversion, which is ahead of this clock, it does not move
		return otherwise
	}
	was := v.Moved[i]
	wait, _ := bucket.WaitConverted(&v.from.Rates[was], &v.Set.Rates[i], v.was[was], now, n, v.cuts(i))
	return wait
}

// keptFull is how long a limit that another caller brought has been full before it is dropped, in ns. If it went at once,
// callers that bring different limits would convert the bucket back and forth.
const keptFull = int64(time.Minute)

// makeRoom drops limits that other callers brought from a bucket that would have too many: those that are full, and all
// of them if limits that are stored need their places.
func (v *Conversion) makeRoom(terms []schema.Term, r *backend.Record, from, required *Set) []schema.Term {
	needed := slices.ContainsFunc(terms, func(t schema.Term) bool { return !t.Brought })
	for i := len(terms) - 1; i >= len(required.Terms) && len(terms) > schema.MaxLimits; i-- {
		j := from.Index(terms[i].Name)
		if terms[i].Brought && (needed || from.Rates[j].IsFull(ArrivalOf(r, j), from.Rates[j].Y(v.At))) {
			terms = slices.Delete(terms, i, i+1)
		}
	}
	return terms
}

// terms chooses the limits that the bucket will have, and tells where those stood that it had.
func (v *Conversion) terms(r *backend.Record, from, required, stored *Set) (terms []schema.Term, before map[string]int) {
	before = make(map[string]int, len(from.Terms))
	terms = append(terms, required.Terms...)
	for i := range from.Terms {
		t := from.Terms[i]
		before[t.Name] = i
		if required.Index(t.Name) >= 0 {
			continue
		}
		if t.Brought {
			if a := ArrivalOf(r, i); !a.Seen || !from.Rates[i].IsFull(a, from.Rates[i].Y(v.At-keptFull)) {
				terms = append(terms, t)
			}
		} else if j := stored.Index(t.Name); j >= 0 {
			terms = append(terms, stored.Terms[j])
		}
	}
	return terms, before
}
