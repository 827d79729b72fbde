package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/engine"
)

// availableCmd shows how many tokens are available.
type availableCmd struct {
	Entity   string `arg:"" help:"Entity."`
	Resource string `arg:"" help:"Resource."`
	OptionalLimits
	Output
}

func (c *availableCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	statuses, err := l.Available(ctx, c.Entity, c.Resource, limitsOf(c.Limit)...)
	if err != nil {
		return err
	}
	return app.print(c.Output.Output, availableDoc{c.Entity, c.Resource, statusDocsOf(statuses)})
}

// availableDoc describes the state of each limit; nothing is requested.
type availableDoc struct {
	Entity   string      `json:"entity_id"`
	Resource string      `json:"resource"`
	Limits   []statusDoc `json:"limits"`
}

func (d availableDoc) table() table { return statusTable(d.Limits) }
