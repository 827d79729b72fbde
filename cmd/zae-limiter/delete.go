package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/internal/readable"
	"github.com/zeroae/zae-limiter-go/stack"
)

// deleteCmd removes a deployment.
type deleteCmd struct {
	KeepData bool  `help:"Leave the table and the bucket with all that is in them; a later deployment of the name takes them in."`
	Force    bool  `help:"Take protections off, and give up resources that cannot be deleted."`
	Wait     *bool `negatable:"" help:"Wait until all is gone; otherwise table and bucket stay until the command is entered again. Default: wait."`
	Confirm
}

// Help shows examples.
func (*deleteCmd) Help() string {
	return `It deletes the stack, and then the table and the bucket with all that is in them. What is not there counts as deleted. Entered again, it completes what was left. A table that no deployment of the name has created is left alone.

Examples:

    zae-limiter delete --name my-app --region us-east-1 --yes
    zae-limiter delete --name my-app --keep-data --yes`
}

// Run asks, and deletes.
func (c *deleteCmd) Run(ctx context.Context, app *App) error {
	at, err := app.target()
	if err != nil {
		return err
	}
	with := "with all limits, usage and audit events in it"
	if c.KeepData {
		with = "but not the table and the bucket"
	}
	if err := app.confirm(ctx, c.Confirm, "Delete the deployment %s, %s?", at, with); err != nil {
		return err
	}
	o, p := at.options(app), app.watch(at.name)
	o.Progress, o.Sleep, o.NoWait = p.event, p.sleep, c.Wait != nil && !*c.Wait
	err = stack.Delete(ctx, at.name, o, &stack.DeleteOptions{KeepData: c.KeepData, Force: c.Force})
	took := p.end()
	switch {
	case err != nil:
		return p.interrupted(ctx, at, inStack(err))
	case !p.seen && !o.NoWait:
		app.say("nothing to delete: there is no %s", at)
	case o.NoWait:
		app.say("begun, if it was there: %s; see how it goes on: zae-limiter status %s", at, at.flags())
	case c.KeepData:
		app.say("deleted %s in %s; table and bucket are left", at, readable.Wait(took))
	default:
		app.say("deleted %s in %s", at, readable.Wait(took))
	}
	return nil
}
