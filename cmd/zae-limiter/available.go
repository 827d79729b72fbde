package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/engine"
)

// availableCmd shows what is left.
type availableCmd struct {
	Entity   string `arg:"" help:"Who."`
	Resource string `arg:"" help:"Of what."`
	OptionalLimits
	Output
}

// Help shows examples.
func (*availableCmd) Help() string {
	return `Parents are included where the entity cascades. Nothing is taken.

Examples:

    zae-limiter available user-123 gpt-4
    zae-limiter available user-123 gpt-4 -o json`
}

// Run reads the limits.
func (c *availableCmd) Run(ctx context.Context, app *App) error {
	return app.use(ctx, func(l *engine.Limiter) error {
		statuses, err := l.Available(ctx, c.Entity, c.Resource, limitsOf(c.Limit)...)
		if err != nil {
			return err
		}
		return app.print(c.Output.Output, availableDoc{c.Entity, c.Resource, statusDocsOf(statuses)})
	})
}

// availableDoc is what is left of each limit. Nothing was requested.
type availableDoc struct {
	Entity   string      `json:"entity_id"`
	Resource string      `json:"resource"`
	Limits   []statusDoc `json:"limits"`
}

func (d availableDoc) table() table { return statusTable(d.Limits) }
