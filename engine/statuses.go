package engine

import (
	"math"
	"time"
)

// LimitStatus is one limit of one bucket at the moment of a decision.
type LimitStatus struct {
	Entity, Resource string
	Limit            Limit
	Remaining        int64         // tokens left after the request, or as it stands after a denial; negative: debt
	Requested        int64         // tokens
	Exceeded         bool          // the request did not fit
	NeverFits        bool          // Requested is above the capacity
	ResetAfter       time.Duration // until the limit is full, if nobody else comes; 0: it is full
	RetryAfter       time.Duration // until the same request fits, if nobody else comes; 0 after an admission; meaningless if NeverFits
}

// statusesOf computes the statuses of all limits in s. The slice belongs to the caller.
func statusesOf(s *snapshot) (all []LimitStatus) {
	for _, states := range s.states() {
		for i := range states {
			all = append(all, statusOf(&states[i], s.now))
		}
	}
	return all
}

func statusOf(s *limitState, now int64) LimitStatus {
	rate := &s.set.Rates[s.i]
	return LimitStatus{
		Entity: s.id.entity, Resource: s.id.resource, Limit: s.set.Terms[s.i].Limit,
		Remaining: rate.Available(s.arrival, rate.Y(now)), Requested: s.requested,
		Exceeded: s.exceeded, NeverFits: s.requested > rate.Capacity(),
		ResetAfter: rate.FullAfter(s.arrival, now), RetryAfter: s.retryAfter,
	}
}

// Statuses computes the status of every limit of every bucket on the request's path, the entity's first, then its
// parents'. It is nil if Degraded.
func (d Decision) Statuses() []LimitStatus { return statusesOf(&d.limits) }

// fillSnapshot keeps in s, which is empty, what the decision says of every limit of every bucket on the path. It returns how
// long until all of them admit the request, and false if they never will. After an error s is of no use.
func (l *Limiter) fillSnapshot(a *attempt, s *snapshot) (wait time.Duration, fits bool, err error) {
	s.now, fits = a.now, true
	for i := range a.n {
		after, within, err := l.charger.fillSnapshotOf(&a.charges[i], s)
		if err != nil {
			return 0, false, err
		}
		wait, fits = max(wait, after), fits && within
	}
	if !fits {
		wait = math.MaxInt64
	}
	return wait, fits, nil
}
