package engine

import (
	"math"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
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

// snapshot holds the limits that a decision was made by: enough to compute their statuses if they are asked for. Up to
// four limits need no allocation. A snapshot that was copied is not changed any more.
type snapshot struct {
	now  int64 // ns since the Unix epoch
	n    int   // how many of few are in use
	few  [4]limitState
	more []limitState
}

// limitState is one limit as a decision saw it.
type limitState struct {
	id         *bucketID
	set        *limitset.Set // of which it is the i-th limit
	arrival    bucket.Arrival
	requested  int64
	retryAfter time.Duration
	i          uint8
	exceeded   bool
}

// add makes room for another limit.
func (s *snapshot) add() *limitState {
	if s.n < len(s.few) {
		s.n++
		return &s.few[s.n-1]
	}
	s.more = append(s.more, limitState{})
	return &s.more[len(s.more)-1]
}

// statuses computes the statuses of the limits for which keep returns true, or of all limits if keep is nil. The slice
// belongs to the caller.
func (s *snapshot) statuses(keep func(*limitState) bool) []LimitStatus {
	var all []LimitStatus
	for _, states := range [][]limitState{s.few[:s.n], s.more} {
		for i := range states {
			if keep == nil || keep(&states[i]) {
				all = append(all, states[i].status(s.now))
			}
		}
	}
	return all
}

func (s *limitState) status(now int64) LimitStatus {
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
func (d Decision) Statuses() []LimitStatus { return d.limits.statuses(nil) }

// fillSnapshot keeps in s, which is empty, what the decision says of every limit of every bucket on the path. It returns how
// long until all of them admit the request, and false if they never will. After an error s is of no use.
func (l *Limiter) fillSnapshot(a *attempt, s *snapshot) (wait time.Duration, fits bool, err error) {
	s.now, fits = a.now, true
	for i := range a.n {
		after, within, err := l.fillSnapshotOf(a, &a.charges[i], s)
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

// fillSnapshotOf keeps the limits that the charge requires, and those that others brought if they block it.
func (l *Limiter) fillSnapshotOf(a *attempt, c *bucketCharge, s *snapshot) (wait time.Duration, fits bool, err error) {
	set, tats, to, err := l.states(c)
	if err != nil {
		return 0, false, err
	}
	fits = true
	for i := range set.Rates {
		rate, tat := &set.Rates[i], tats[i]
		n, required := c.requested(a, set, i)
		retryAfter := time.Duration(0)
		if c.result != applied {
			retryAfter, _ = rate.Wait(tat, c.now, n)
		}
		if n > 0 {
			retryAfter = max(retryAfter, c.pause)
		}
		if a.inspects && l.prefetch && tat.Seen && set == c.assumed {
			tat.At = tat.At.Sub(rate.Cost(c.pocketOf(i)))
		}
		exceeded := retryAfter > 0
		if !required && !exceeded {
			continue
		}
		if exceeded && to != nil {
			retryAfter = to.Wait(i, c.now, n, retryAfter)
		}
		if c.result == applied && !a.admitted && tat.Seen { // it is refunded, or will be
			tat.At = tat.At.Sub(rate.Cost(n))
		}
		wait, fits = max(wait, retryAfter), fits && (!exceeded || n <= rate.Capacity())
		state := s.add()
		state.id, state.set, state.i = &c.state.id, set, uint8(i)
		state.arrival, state.requested, state.retryAfter, state.exceeded = tat, n, retryAfter, exceeded
	}
	return wait, fits, nil
}

// requested is how many tokens the request asks of the i-th limit of a set, and whether the charge requires the limit.
func (c *bucketCharge) requested(a *attempt, set *limitset.Set, i int) (n int64, required bool) {
	if c.required == c.assumed && set == c.assumed {
		return c.need[i], true
	}
	name := set.Terms[i].Name
	if c.required.Index(name) < 0 {
		return 0, false
	}
	return a.req.Consume[name], true
}
