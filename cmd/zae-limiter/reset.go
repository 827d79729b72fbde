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

// Help shows an example.
func (*resetCmd) Help() string {
	return `All limits of the entity for the resource are full again; those of its parents do not change. Leases that are still open
no longer refund anything to this bucket. If the bucket does not exist, because nothing was consumed or it has been full for
long, the exit code is 4.

Example:

    zae-limiter reset user-123 gpt-4`
}

// Run resets.
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
