package engine

import (
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
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
func statusesOf(s *charge.Snapshot) (all []LimitStatus) {
	for _, states := range s.Limits() {
		for i := range states {
			all = append(all, statusOf(&states[i], s.Now))
		}
	}
	return all
}

func statusOf(s *charge.LimitState, now int64) LimitStatus {
	rate := &s.Set.Rates[s.Index]
	return LimitStatus{
		Entity: s.ID.Entity, Resource: s.ID.Resource, Limit: s.Set.Terms[s.Index].Limit,
		Remaining: rate.Available(s.Arrival, rate.Y(now)), Requested: s.Requested,
		Exceeded: s.Exceeded, NeverFits: s.Requested > rate.Capacity(),
		ResetAfter: rate.FullAfter(s.Arrival, now), RetryAfter: s.RetryAfter,
	}
}

// Statuses computes the status of every limit of every bucket on the request's path, the entity's first, then its
// parents'. It is nil if Degraded.
func (d Decision) Statuses() []LimitStatus { return statusesOf(&d.limits) }
