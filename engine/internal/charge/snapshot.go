package charge

import (
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
)

// Snapshot holds the limits that a decision was made by: enough to compute their statuses if they are asked for. Up to
// four limits need no allocation. A snapshot that was copied is not changed any more.
type Snapshot struct {
	Now  int64 // ns since the Unix epoch
	n    int   // how many of few are in use
	few  [4]LimitState
	more []LimitState
}

// LimitState is one limit as a decision saw it.
type LimitState struct {
	ID         *ID
	Set        *limitset.Set // of which it is the i-th limit
	Arrival    bucket.Arrival
	Requested  int64
	RetryAfter time.Duration
	Index      uint8
	Exceeded   bool
}

// Add makes room for another limit.
func (s *Snapshot) Add() *LimitState {
	if s.n < len(s.few) {
		s.n++
		return &s.few[s.n-1]
	}
	s.more = append(s.more, LimitState{})
	return &s.more[len(s.more)-1]
}

// Limits are all limits that were kept, in order. The first few are in the first slice.
func (s *Snapshot) Limits() [2][]LimitState { return [...][]LimitState{s.few[:s.n], s.more} }

// Fill keeps the limits that the charge requires, and those that others brought if they block it. An attempt that inspects counts what
// this process has bought in advance as there.
func (k *Charger) Fill(c *Charge, s *Snapshot) (wait time.Duration, fits bool, err error) {
	set, tats, to, err := k.Observed(c)
	if err != nil {
		return 0, false, err
	}
	fits = true
	for i := range set.Rates {
		rate, tat := &set.Rates[i], tats[i]
		n, required := c.requested(set, i)
		needed, bought := n, int64(0)
		if c.attempt.Inspects && k.Prefetch && tat.Seen && set == c.Assumed {
			if bought = c.PocketOf(i); n <= rate.Capacity() {
				needed = max(0, n-bought)
			}
		}
		retryAfter := time.Duration(0)
		if c.Result != Applied {
			retryAfter, _ = rate.Wait(tat, c.Now, needed)
		}
		if n > 0 {
			retryAfter = max(retryAfter, c.Pause)
		}
		if bought > 0 {
			tat.At = tat.At.Sub(rate.Cost(bought))
		}
		exceeded := retryAfter > 0
		if !required && !exceeded {
			continue
		}
		if exceeded && to != nil {
			retryAfter = to.Wait(i, c.Now, n, retryAfter)
		}
		if c.Result == Applied && !c.attempt.Admitted && tat.Seen { // it is refunded, or will be
			tat.At = tat.At.Sub(rate.Cost(n))
		}
		wait, fits = max(wait, retryAfter), fits && (!exceeded || n <= rate.Capacity())
		state := s.Add()
		state.ID, state.Set, state.Index = &c.State.ID, set, uint8(i)
		state.Arrival, state.Requested, state.RetryAfter, state.Exceeded = tat, n, retryAfter, exceeded
	}
	return wait, fits, nil
}

// requested is how many tokens the request asks of the i-th limit of a set, and whether the charge requires the limit.
func (c *Charge) requested(set *limitset.Set, i int) (n int64, required bool) {
	if c.Required == c.Assumed && set == c.Assumed {
		return c.Need[i], true
	}
	name := set.Terms[i].Name
	if c.Required.Index(name) < 0 {
		return 0, false
	}
	return c.attempt.Consume[name], true
}

// Decisive finds the limit that ExceededError.Primary returns, nil if there is none.
func (s *Snapshot) Decisive() (best *LimitState) {
	for _, states := range s.Limits() {
		for i := range states {
			state := &states[i]
			if state.Requested > state.Set.Rates[state.Index].Capacity() {
				return state
			}
			if state.Exceeded && (best == nil || state.RetryAfter > best.RetryAfter) {
				best = state
			}
		}
	}
	return best
}
