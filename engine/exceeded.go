package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/readable"
)

// LimitStatus is one limit of one bucket at the moment of a decision.
type LimitStatus struct {
	Entity, Resource string
	Limit            Limit
	Available        int64         // tokens; negative: debt
	Requested        int64         // tokens
	Exceeded         bool          // the request does not fit now
	NeverFits        bool          // Requested is above the capacity
	RetryAfter       time.Duration // 0 where it fits now; meaningless where it never fits
}

// ExceededError is a denial: the request was not admitted, and every limit of every bucket on its path is listed.
type ExceededError struct {
	Statuses   []LimitStatus // the entity's first, then its parents'
	RetryAfter time.Duration // when the same request would be admitted if nobody else came; the largest Duration if never
	NeverFits  bool          // the request is above some capacity

	entity string // whose request it was
	note   string // what an operator should know: clocks that disagree
}

// Error names the limit that matters most. The wait in it is rounded up for people; RetryAfter is exact.
func (e *ExceededError) Error() string {
	text := "engine: rate limit exceeded"
	if p := e.Primary(); p.Entity != "" { // else Public has left it out
		text += fmt.Sprintf(": %s of %s on %s: %d requested, %d available of %d", p.Limit.Name, p.Entity, p.Resource, p.Requested, p.Available, p.Limit.Capacity)
	}
	if e.NeverFits {
		return text + ", can never fit" + e.note
	}
	return text + ", retry after " + readable.Wait(e.RetryAfter) + e.note
}

// Is makes errors.Is(e, ErrNeverFits) tell whether the request can never fit.
func (e *ExceededError) Is(target error) bool { return target == ErrNeverFits && e.NeverFits }

// Violations are the limits that did not admit the request.
func (e *ExceededError) Violations() []LimitStatus {
	return slices.DeleteFunc(slices.Clone(e.Statuses), func(s LimitStatus) bool { return !s.Exceeded })
}

// Primary is the limit that decides: one that never fits, else the one with the longest wait. It is the zero LimitStatus if
// Public has left out all limits that did not admit the request.
func (e *ExceededError) Primary() LimitStatus {
	var best LimitStatus
	for _, s := range e.Statuses {
		if s.NeverFits {
			return s
		}
		if s.Exceeded && (!best.Exceeded || s.RetryAfter > best.RetryAfter) {
			best = s
		}
	}
	return best
}

// RetryAfterSeconds is RetryAfter in whole seconds, rounded up: the value of the HTTP header Retry-After. Do not send
// the header where NeverFits.
func (e *ExceededError) RetryAfterSeconds() int {
	seconds := e.RetryAfter / time.Second
	if e.RetryAfter%time.Second > 0 {
		seconds++
	}
	return int(seconds)
}

// Public is the error without the limits of other entities (parents), to be shown to the entity's own user. RetryAfter and
// NeverFits stay those of the whole request.
func (e *ExceededError) Public() *ExceededError {
	public := *e
	public.note = ""
	public.Statuses = slices.DeleteFunc(slices.Clone(e.Statuses), func(s LimitStatus) bool { return s.Entity != e.entity })
	return &public
}

// MarshalJSON gives the document that HTTP APIs send with status 429.
func (e *ExceededError) MarshalJSON() ([]byte, error) {
	doc := exceededJSON{Error: "rate_limit_exceeded", Message: strings.TrimPrefix(e.Error(), "engine: "), NeverFits: e.NeverFits}
	doc.RetryAfterSeconds, doc.RetryAfterMS = seconds(e.RetryAfter, e.NeverFits)
	doc.Limits = make([]statusJSON, len(e.Statuses))
	for i, s := range e.Statuses {
		wait, _ := seconds(s.RetryAfter, s.NeverFits)
		doc.Limits[i] = statusJSON{
			Entity: s.Entity, Resource: s.Resource, Name: s.Limit.Name, Kind: "rate",
			Capacity: s.Limit.Capacity, RefillAmount: s.Limit.RefillAmount,
			RefillPeriodSeconds: s.Limit.RefillPeriod.Seconds(),
			Available:           s.Available, Requested: s.Requested, Exceeded: s.Exceeded, RetryAfterSeconds: wait,
		}
	}
	return json.Marshal(doc)
}

type exceededJSON struct {
	Error             string       `json:"error"`
	Message           string       `json:"message"`
	RetryAfterSeconds *float64     `json:"retry_after_seconds"` // rounded up to the millisecond, null: never
	RetryAfterMS      *int64       `json:"retry_after_ms"`
	NeverFits         bool         `json:"never_fits"`
	Limits            []statusJSON `json:"limits"`
}

type statusJSON struct {
	Entity              string   `json:"entity_id"`
	Resource            string   `json:"resource"`
	Name                string   `json:"limit_name"`
	Kind                string   `json:"kind"`
	Capacity            int64    `json:"capacity"`
	RefillAmount        int64    `json:"refill_amount"`
	RefillPeriodSeconds float64  `json:"refill_period_seconds"`
	Available           int64    `json:"available"`
	Requested           int64    `json:"requested"`
	Exceeded            bool     `json:"exceeded"`
	RetryAfterSeconds   *float64 `json:"retry_after_seconds"`
}

// seconds gives a wait in seconds and milliseconds, both rounded up to the millisecond; nil where it never ends.
func seconds(wait time.Duration, never bool) (inSeconds *float64, inMillis *int64) {
	if never {
		return nil, nil
	}
	ms := int64(wait / time.Millisecond)
	if wait%time.Millisecond > 0 {
		ms++
	}
	s := math.Round(float64(ms)) / 1000
	return &s, &ms
}
