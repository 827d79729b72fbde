package engine

import (
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
)

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

// states are those of all limits.
func (s *snapshot) states() [2][]limitState { return [...][]limitState{s.few[:s.n], s.more} }

// fillSnapshotOf keeps the limits that the charge requires, and those that others brought if they block it.
func (k *charger) fillSnapshotOf(c *bucketCharge, s *snapshot) (wait time.Duration, fits bool, err error) {
	set, tats, to, err := k.states(c)
	if err != nil {
		return 0, false, err
	}
	fits = true
	for i := range set.Rates {
		rate, tat := &set.Rates[i], tats[i]
		n, required := c.requested(set, i)
		retryAfter := time.Duration(0)
		if c.result != applied {
			retryAfter, _ = rate.Wait(tat, c.now, n)
		}
		if n > 0 {
			retryAfter = max(retryAfter, c.pause)
		}
		if c.of.inspects && k.Prefetch && tat.Seen && set == c.assumed {
			tat.At = tat.At.Sub(rate.Cost(c.pocketOf(i)))
		}
		exceeded := retryAfter > 0
		if !required && !exceeded {
			continue
		}
		if exceeded && to != nil {
			retryAfter = to.Wait(i, c.now, n, retryAfter)
		}
		if c.result == applied && !c.of.admitted && tat.Seen { // it is refunded, or will be
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
func (c *bucketCharge) requested(set *limitset.Set, i int) (n int64, required bool) {
	if c.required == c.assumed && set == c.assumed {
		return c.need[i], true
	}
	name := set.Terms[i].Name
	if c.required.Index(name) < 0 {
		return 0, false
	}
	return c.of.consume[name], true
}

// decisive finds the limit that ExceededError.Primary returns, nil if there is none.
func (s *snapshot) decisive() (best *limitState) {
	for _, states := range s.states() {
		for i := range states {
			state := &states[i]
			if state.requested > state.set.Rates[state.i].Capacity() {
				return state
			}
			if state.exceeded && (best == nil || state.retryAfter > best.retryAfter) {
				best = state
			}
		}
	}
	return best
}
