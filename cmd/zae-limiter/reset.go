package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/engine"
)

// resetCmd makes a bucket full again.
type resetCmd struct {
	Entity   string `arg:"" help:"Whose."`
	Resource string `arg:"" help:"For what."`
}

// Help shows an example.
func (*resetCmd) Help() string {
	return `All limits of this entity for this resource are full again; its parents' are not touched. Open leases give nothing
back to it any more. If there is no such bucket, because nothing was taken from it or it has long been full, the command exits
with 4.

Example:

    zae-limiter reset user-123 gpt-4`
}

// Run resets.
func (c *resetCmd) Run(ctx context.Context, app *App) error {
	return app.use(ctx, func(l *engine.Limiter) error {
		if err := l.ResetBucket(ctx, c.Entity, c.Resource); err != nil {
			return err
		}
		if !app.store.changed.Load() {
			return absent("%s has no bucket for %s, so all its limits are full", c.Entity, c.Resource)
		}
		app.changed("reset %s on %s", c.Entity, c.Resource)
		return nil
	})
}
