package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/internal/readable"
)

// ExceededError is a denial: the request was not admitted. Safe for concurrent use.
type ExceededError struct {
	RetryAfter time.Duration // when the same request would be admitted if nobody else came; the largest Duration if never
	NeverFits  bool          // the request is above some capacity

	at     int64  // when it was decided, from which RetryAfter counts, ns since the Unix epoch
	entity string // whose request it was
	public bool   // the limits of other entities are left out
	note   string // what an operator should know: clocks that disagree, or that the store was not asked
	local  bool   // by local buckets
	limits charge.Snapshot
	given  []LimitStatus // of NewExceededError, instead of limits
}

// NewExceededError returns the denial that statuses describe, the entity's own limits first: for tests, and for denials that
// another process has sent. RetryAfter is the longest wait of the limits that are Exceeded; NeverFits is true if one of them
// never fits.
func NewExceededError(statuses ...LimitStatus) *ExceededError {
	e := &ExceededError{given: slices.Clone(statuses)}
	for i, s := range statuses {
		if i == 0 {
			e.entity = s.Entity
		}
		if s.Exceeded {
			e.RetryAfter, e.NeverFits = max(e.RetryAfter, s.RetryAfter), e.NeverFits || s.NeverFits
		}
	}
	if e.NeverFits {
		e.RetryAfter = math.MaxInt64
	}
	return e
}

// exceeded is the denial of an attempt as an error.
func (l *Limiter) exceeded(a *attempt) error {
	e := &ExceededError{at: a.Now, entity: a.Root.ID.Entity}
	wait, fits, err := a.Fill(l.charger, &e.limits)
	if err != nil {
		return store.Failure(context.Background(), err)
	}
	e.RetryAfter, e.NeverFits = wait, !fits
	e.local = a.local
	if a.local {
		e.note = " (this process decided by its share of the limits: the store cannot be reached)"
	}
	for i := range a.N {
		if ahead := a.Charges[i].Ahead; ahead > 0 {
			e.note = fmt.Sprintf(" (bucket of %s last written by a clock %s ahead; resetting it heals it)", a.Charges[i].State.ID.Entity, readable.Wait(time.Duration(ahead)))
		}
	}
	return e
}

// Statuses computes the status of every limit of every bucket on the request's path, the entity's first, then its
// parents'.
func (e *ExceededError) Statuses() []LimitStatus {
	all := slices.Clone(e.given)
	if all == nil {
		all = statusesOf(&e.limits)
	}
	if e.public {
		return slices.DeleteFunc(all, func(s LimitStatus) bool { return s.Entity != e.entity })
	}
	return all
}

// Error names the limit that matters most. The wait in it is rounded up for people; RetryAfter is exact.
func (e *ExceededError) Error() string {
	text := "engine: rate limit exceeded"
	if p := e.Primary(); p.Entity != "" { // else Public has left it out
		text += fmt.Sprintf(": %s of %s on %s: %d requested, %d available of %d", p.Limit.Name, p.Entity, p.Resource, p.Requested, p.Remaining, p.Limit.Capacity)
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
	return slices.DeleteFunc(e.Statuses(), func(s LimitStatus) bool { return !s.Exceeded })
}

// Primary is the limit that decides: one that never fits, else the one with the longest wait. It is the zero LimitStatus if
// Public has left out all limits that did not admit the request.
func (e *ExceededError) Primary() LimitStatus {
	var best LimitStatus
	for _, s := range e.Statuses() {
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
// the header if NeverFits is true.
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
	public.note, public.public = "", true
	return &public
}

// MarshalJSON gives the document that HTTP APIs send with status 429.
func (e *ExceededError) MarshalJSON() ([]byte, error) {
	doc := exceededJSON{Error: "rate_limit_exceeded", Message: strings.TrimPrefix(e.Error(), "engine: "), NeverFits: e.NeverFits}
	doc.RetryAfterSeconds, doc.RetryAfterMS = seconds(e.RetryAfter, e.NeverFits)
	statuses := e.Statuses()
	doc.Limits = make([]statusJSON, len(statuses))
	for i, s := range statuses {
		wait, _ := seconds(s.RetryAfter, s.NeverFits)
		reset, _ := seconds(s.ResetAfter, false)
		doc.Limits[i] = statusJSON{
			Entity: s.Entity, Resource: s.Resource, Name: s.Limit.Name, Kind: "rate",
			Capacity: s.Limit.Capacity, RefillAmount: s.Limit.RefillAmount,
			RefillPeriodSeconds: s.Limit.RefillPeriod.Seconds(),
			Available:           s.Remaining, Remaining: s.Remaining, Requested: s.Requested, Exceeded: s.Exceeded,
			ResetAfterSeconds: *reset, RetryAfterSeconds: wait,
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
	Available           int64    `json:"available"` // the same as remaining
	Remaining           int64    `json:"remaining"`
	Requested           int64    `json:"requested"`
	Exceeded            bool     `json:"exceeded"`
	ResetAfterSeconds   float64  `json:"reset_after_seconds"`
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
