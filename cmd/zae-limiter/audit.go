package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// auditListCmd lists changes.
type auditListCmd struct {
	EntityID string `short:"e" xor:"entity" placeholder:"ID" help:"Only changes of this entity. Default: all."`
	Resource string `short:"r" xor:"resource" placeholder:"NAME" help:"Only changes of this resource, including limits of entities for it. Default: all."`
	System   bool   `xor:"entity,resource" help:"Only changes of the system's limits, of namespaces and of the deployment."`
	Limit    int    `short:"l" default:"100" placeholder:"N" help:"Maximum number of changes; 0: all. Default: ${default}."`
	After    string `placeholder:"POSITION" help:"Start after this position: the value 'next' of the previous list."`
	Output
}

func (c *auditListCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	events, next, err := fetchPages(Paging{c.Limit, c.After}, func(p engine.Page) (engine.AuditPage, error) {
		return l.AuditEvents(ctx, engine.AuditQuery{Entity: c.EntityID, Resource: c.Resource, System: c.System, Page: p})
	})
	if err != nil {
		return err
	}
	head := []string{"TIME", "ACTION", "ENTITY", "RESOURCE", "PRINCIPAL", "CHANGE"}
	return app.print(c.Output.Output, listOf("events", head, events, next, func(e engine.AuditEvent) eventDoc {
		return eventDoc{e.ID, moment{e.Time}, e.Action, orNull(e.Entity), orNull(e.Resource), orNull(e.Principal), e.Before, e.After}
	}))
}

// eventDoc describes a change.
type eventDoc struct {
	ID        string          `json:"event_id"`
	Time      moment          `json:"time"`
	Action    string          `json:"action"`
	Entity    *string         `json:"entity_id"`
	Resource  *string         `json:"resource"`
	Principal *string         `json:"principal"`
	Before    json.RawMessage `json:"before"`
	After     json.RawMessage `json:"after"`
}

func (d eventDoc) cells() []string {
	change := changeText(d.Before) + " -> " + changeText(d.After)
	return []string{d.Time.String(), d.Action, deref(d.Entity), deref(d.Resource), deref(d.Principal), change}
}

// changeText returns one side of a change for tables: limits in the syntax of the command line, anything else as JSON.
func changeText(raw json.RawMessage) string {
	var d struct {
		Limits []struct {
			Name          string  `json:"name"`
			Capacity      int64   `json:"capacity"`
			RefillAmount  int64   `json:"refill_amount"`
			PeriodSeconds float64 `json:"refill_period_seconds"`
			Available     *int64  `json:"available"`
		} `json:"limits"`
		OnUnavailable string `json:"on_unavailable"`
		Manifest      string `json:"manifest"`
	}
	if len(raw) == 0 {
		return "none"
	}
	if err := json.Unmarshal(raw, &d); err != nil || d.Limits == nil {
		return string(raw)
	}
	var parts []string
	for _, l := range d.Limits {
		limit := engine.Every(l.Name, l.RefillAmount, time.Duration(math.Round(l.PeriodSeconds*1e9))).WithBurst(l.Capacity)
		parts = append(parts, limit.String())
		if l.Available != nil {
			parts = append(parts, fmt.Sprintf("(%d left)", *l.Available))
		}
	}
	if d.OnUnavailable != "" {
		parts = append(parts, "on unavailable: "+d.OnUnavailable)
	}
	if d.Manifest != "" {
		parts = append(parts, "by manifest "+d.Manifest)
	}
	return strings.Join(parts, " ")
}
