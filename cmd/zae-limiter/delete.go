package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/internal/readable"
	"github.com/zeroae/zae-limiter-go/stack"
)

// deleteCmd deletes a deployment.
type deleteCmd struct {
	KeepData bool  `help:"Keep the table and the S3 bucket with their data; a later deployment of this name adopts them."`
	Force    bool  `help:"Remove protections, and abandon resources that cannot be deleted."`
	Wait     *bool `negatable:"" help:"Wait until everything is deleted; otherwise the table and the S3 bucket remain until you run the command again. Default: wait."`
	Confirm
}

// Run asks, and deletes.
func (c *deleteCmd) Run(ctx context.Context, app *App, at target) error {
	with := "with all limits, usage and audit events"
	if c.KeepData {
		with = "but keep the table and the S3 bucket"
	}
	if err := app.confirm(ctx, c.Confirm, "Delete the deployment %s, %s?", at, with); err != nil {
		return err
	}
	o, p := at.options(app), app.watch(at.name)
	o.Progress, o.Sleep, o.NoWait = p.event, p.sleep, c.Wait != nil && !*c.Wait
	err := stack.Delete(ctx, at.name, o, &stack.DeleteOptions{KeepData: c.KeepData, Force: c.Force})
	took := p.end()
	switch {
	case err != nil:
		return p.interruptedError(ctx, at, fromStack(err))
	case !p.sawEvent && !o.NoWait:
		app.logf("nothing to delete: %s does not exist", at)
	case o.NoWait:
		app.logf("started, if it exists: %s; to see the progress: zae-limiter status %s", at, at.flags())
	case c.KeepData:
		app.logf("deleted %s in %s, but kept the table and the S3 bucket", at, readable.Wait(took))
	default:
		app.logf("deleted %s in %s", at, readable.Wait(took))
	}
	return nil
}
