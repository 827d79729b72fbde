package main

import (
	"strconv"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine"
)

// limitDoc describes a limit.
type limitDoc struct {
	Name                string  `json:"limit_name"`
	Kind                string  `json:"kind"`
	Capacity            int64   `json:"capacity"`
	RefillAmount        int64   `json:"refill_amount"`
	RefillPeriodSeconds float64 `json:"refill_period_seconds"`

	refill string // 100/min
}

func limitDocOf(l engine.Limit) limitDoc {
	_, rest, _ := strings.Cut(l.String(), ":")
	refill, _, _ := strings.Cut(rest, ":")
	return limitDoc{l.Name, "rate", l.Capacity, l.RefillAmount, l.RefillPeriod.Seconds(), refill}
}

func limitDocsOf(limits []engine.Limit) []limitDoc { return mapSlice(limits, limitDocOf) }

var limitHead = []string{"LIMIT", "CAPACITY", "REFILL"}

func (d limitDoc) cells() []string {
	return []string{d.Name, strconv.FormatInt(d.Capacity, 10), d.refill}
}

// statusDoc describes the state of a limit.
type statusDoc struct {
	Entity   string `json:"entity_id"`
	Resource string `json:"resource"`
	limitDoc
	Available int64 `json:"available"`
	Requested int64 `json:"requested"`
}

func statusDocsOf(statuses []engine.LimitStatus) []statusDoc {
	return mapSlice(statuses, func(s engine.LimitStatus) statusDoc {
		return statusDoc{s.Entity, s.Resource, limitDocOf(s.Limit), s.Remaining, s.Requested}
	})
}

func statusTable(docs []statusDoc) table {
	return table{
		head: []string{"ENTITY", "RESOURCE", "LIMIT", "AVAILABLE", "CAPACITY", "REFILL"},
		rows: mapSlice(docs, func(d statusDoc) []string {
			return []string{d.Entity, d.Resource, d.Name, strconv.FormatInt(d.Available, 10), strconv.FormatInt(d.Capacity, 10), d.refill}
		}),
	}
}

// limitsDoc lists the limits that are configured at one level.
type limitsDoc struct {
	Limits []limitDoc `json:"limits"`
}

func (d limitsDoc) table() table {
	return table{head: limitHead, rows: mapSlice(d.Limits, limitDoc.cells)}
}

// namesTable returns a table with one column of ids.
func namesTable(head string, names []string, next *string) table {
	rows := mapSlice(names, func(name string) []string { return []string{name} })
	return table{head: []string{head}, rows: rows, next: deref(next)}
}

// mapSlice returns the result of f for each item, never nil.
func mapSlice[T, R any](items []T, f func(T) R) []R {
	results := make([]R, len(items))
	for i, item := range items {
		results[i] = f(item)
	}
	return results
}

// nonNil returns items as a slice that is never null in JSON.
func nonNil[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// policyDoc returns a stored policy; null in JSON if there is none.
func policyDoc(p engine.Policy) *string {
	if p == engine.PolicyDefault {
		return nil
	}
	return orNull(p.String())
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
