package main

import (
	"context"
	"strconv"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// statusCmd shows the selected store.
type statusCmd struct{ Output }

// Help shows an example.
func (*statusCmd) Help() string {
	return `It reads the store once. A store that cannot be used exits with 5.

Example:

    zae-limiter status`
}

// Run asks the store.
func (c *statusCmd) Run(ctx context.Context, app *App) error {
	return app.use(ctx, func(l *engine.Limiter) error {
		status, err := l.Status(ctx)
		if err != nil {
			return err
		}
		d := statusReport{
			Store: app.store.url, Exists: !app.store.missing(), Reachable: status.Reachable,
			LatencyMS: float64(status.Latency.Microseconds()) / 1000, Schema: status.Schema, Namespace: status.Namespace,
		}
		if status.Records >= 0 {
			d.Records = &status.Records
		}
		if err := app.print(c.Output.Output, d); err != nil || status.Reachable {
			return err
		}
		return l.Ping(ctx) // which tells why
	})
}

// statusReport is how the store does.
type statusReport struct {
	Store     string  `json:"store"`
	Exists    bool    `json:"exists"`
	Reachable bool    `json:"reachable"`
	LatencyMS float64 `json:"latency_ms"`
	Schema    string  `json:"schema"`
	Namespace string  `json:"namespace"`
	Records   *int64  `json:"records"`
}

func (d statusReport) table() table {
	records := "unknown"
	if d.Records != nil {
		records = strconv.FormatInt(*d.Records, 10)
	}
	return table{rows: [][]string{
		{"store", d.Store},
		{"exists", yesNo(d.Exists)},
		{"reachable", yesNo(d.Reachable)},
		{"latency", (time.Duration(d.LatencyMS*1000) * time.Microsecond).String()},
		{"schema", d.Schema},
		{"namespace", d.Namespace},
		{"records", records},
	}}
}
