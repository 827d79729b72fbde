package otellimit

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/engine"
)

// mostNames is how many limits of a resource are found without hashing.
const mostNames = 8

// slots is how many places are found without hashing.
const slots = 64

// place is where an admission is counted.
type place struct{ resource, entity string }

// admissions are the series of the admissions of one place: an admission finds all of them by one lookup.
type admissions struct {
	place
	source [sources]atomic.Pointer[series] // nil before the first
	tokens atomic.Pointer[[]tokens]
	lock   sync.Mutex // held while tokens is replaced

	forgotten atomic.Bool // its series are no longer reported
}

// tokens are the series of one limit.
type tokens struct {
	limit string
	taken *series
}

// admitted counts an admission.
func (o *Observer) admitted(e *engine.Event) {
	a := o.admissionsAt(place{e.Resource, o.options.Entity(e.Entity)})
	from := sourceOf(e)
	s := a.source[from].Load()
	if s == nil {
		s = o.decisions.of(&labels{resource: a.resource, entity: a.entity, kind: e.Kind, allowed: true, source: from}, o.options.MaxSeries)
		a.source[from].Store(s)
	}
	s.decided(e)
	known, counted := *a.tokens.Load(), 0
	for i := range known {
		if n, named := e.Tokens[known[i].limit]; named {
			counted++
			known[i].taken.count.Add(n)
		}
	}
	if counted < len(e.Tokens) {
		o.countRest(a, known, e)
	}
}

// admissionsAt finds the series of a place, usually without hashing it, which would take half of the time of Observe.
func (o *Observer) admissionsAt(p place) *admissions {
	recent := &o.recent[p.slot()]
	if a := recent.Load(); a != nil && a.place == p && !a.forgotten.Load() {
		return a
	}
	a := o.admissions.get(p)
	if a == nil {
		a = o.admissions.add(p, place{resource: "_other"}, o.options.MaxSeries, newAdmissions)
		o.degraded.of(&labels{resource: a.resource, entity: a.entity}, o.options.MaxSeries) // it begins with 0, before the first
	}
	if a.place == p { // else it is the place of those that have none of their own
		recent.Store(a)
	}
	return a
}

// slot tells most places apart.
func (p place) slot() int {
	n := len(p.resource)
	if n == 0 {
		return 0
	}
	return (n + int(p.resource[n-1]) + len(p.entity)) % slots
}

func newAdmissions(p place) *admissions {
	a := &admissions{place: p}
	a.tokens.Store(&[]tokens{})
	return a
}

// countRest counts the tokens of limits that are not known, and remembers them.
func (o *Observer) countRest(a *admissions, known []tokens, e *engine.Event) {
	for limit, n := range e.Tokens {
		if n == 0 || has(known, limit) {
			continue
		}
		l := labels{resource: a.resource, entity: a.entity, limit: limit}
		s := o.tokens.get(l)
		if s == nil {
			s = o.tokens.of(&l, o.options.MaxSeries)
			o.lost.of(&l, o.options.MaxSeries) // it begins with 0, before the first refund is lost
		}
		s.count.Add(n)
		a.remember(tokens{limit, s})
	}
}

func (a *admissions) remember(t tokens) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if known := *a.tokens.Load(); len(known) < mostNames && !has(known, t.limit) {
		grown := append(slices.Clone(known), t)
		a.tokens.Store(&grown)
	}
}

func has(known []tokens, limit string) bool {
	return slices.ContainsFunc(known, func(t tokens) bool { return t.limit == limit })
}
