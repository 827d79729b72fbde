package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/engine"
)

// statusCmd shows the selected store.
type statusCmd struct{ Output }

// Run reads the store, and the stack if the store is a deployment.
func (c *statusCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	status, failed := l.Status(ctx)
	deployed, err := app.deployedStack(ctx, failed == nil)
	if err != nil || failed != nil && deployed == nil {
		return errors.Join(failed, err)
	}
	d := statusReport{
		Store: app.store.url, Exists: app.store.existence(status.Reachable, failed), Reachable: status.Reachable,
		LatencyMS: latencyMS(status.Latency.Microseconds()) / 1000, Namespace: app.Namespace, Stack: deployed,
	}
	if status.Reachable {
		d.Schema = &status.Schema
	}
	if err := app.print(c.Output.Output, d); err != nil || failed != nil {
		return errors.Join(failed, err)
	}
	if status.Reachable {
		return nil
	}
	return l.Ping(ctx) // returns the reason
}

// existence reports whether the store exists, given the result of reading it; nil means unknown.
func (s *store) existence(reached bool, err error) *bool {
	found := reached
	switch {
	case s.isMissing() || errors.Is(err, dynamo.ErrNotDeployed):
		found = false
	case reached:
	case s.path == "":
		return nil
	default:
		if _, err := os.Stat(s.path); err != nil {
			return nil
		}
		found = true // the file exists but cannot be opened
	}
	return &found
}

// statusReport describes the state of the store.
type statusReport struct {
	Store     string    `json:"store" row:"store"`
	Exists    *bool     `json:"exists" row:"exists"`
	Reachable bool      `json:"reachable" row:"reachable"`
	LatencyMS latencyMS `json:"latency_ms" row:"latency"`
	Schema    *string   `json:"schema" row:"schema"`
	Namespace string    `json:"namespace" row:"namespace"`
	Records   *int64    `json:"records"` // no store counts its records

	Stack *stackDoc `json:"stack"`
}

// latencyMS is a number of milliseconds with at most three decimals.
type latencyMS float64

// String returns the duration for tables.
func (m latencyMS) String() string { return (time.Duration(m*1000) * time.Microsecond).String() }

func (d statusReport) table() table {
	rows := rowsOf(d, "row")
	for _, row := range rows {
		row[1] = cmp.Or(row[1], "unknown")
	}
	if d.Stack != nil {
		rows = append(rows, d.Stack.rows()...)
	}
	return table{rows: rows}
}
