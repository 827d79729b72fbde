package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/engine"
)

// resetCmd refills a bucket.
type resetCmd struct {
	Entity   string `arg:"" help:"Entity."`
	Resource string `arg:"" help:"Resource."`
}

func (c *resetCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	if err := l.ResetBucket(ctx, c.Entity, c.Resource); err != nil {
		return err
	}
	if !app.store.changed.Load() {
		return notFound("%s has no bucket for %s: all its limits are full", c.Entity, c.Resource)
	}
	app.reportChange("reset %s on %s", c.Entity, c.Resource)
	return nil
}
