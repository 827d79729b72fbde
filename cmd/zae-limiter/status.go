package main

import (
	"context"
	"errors"
	"os"
	"strconv"
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
		LatencyMS: float64(status.Latency.Microseconds()) / 1000, Namespace: app.Namespace, Stack: deployed,
	}
	if status.Reachable {
		d.Schema = &status.Schema
	}
	if status.Reachable && status.Records >= 0 {
		d.Records = &status.Records
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
	Store     string  `json:"store"`
	Exists    *bool   `json:"exists"`
	Reachable bool    `json:"reachable"`
	LatencyMS float64 `json:"latency_ms"`
	Schema    *string `json:"schema"`
	Namespace string  `json:"namespace"`
	Records   *int64  `json:"records"`

	Stack *stackDoc `json:"stack"`
}

func (d statusReport) table() table {
	exists, schema, records := "unknown", "unknown", "unknown"
	if d.Exists != nil {
		exists = yesNo(*d.Exists)
	}
	if d.Schema != nil {
		schema = *d.Schema
	}
	if d.Records != nil {
		records = strconv.FormatInt(*d.Records, 10)
	}
	rows := [][]string{
		{"store", d.Store},
		{"exists", exists},
		{"reachable", yesNo(d.Reachable)},
		{"latency", (time.Duration(d.LatencyMS*1000) * time.Microsecond).String()},
		{"schema", schema},
		{"namespace", d.Namespace},
		{"records", records},
	}
	if d.Stack != nil {
		rows = append(rows, d.Stack.rows()...)
	}
	return table{rows: rows}
}
