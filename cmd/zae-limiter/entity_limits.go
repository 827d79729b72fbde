package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/engine"
)

// limited is what an entity's limits are stored for.
type limited struct {
	ID       string `arg:"" help:"The entity's id; there need not be an entity."`
	Resource string `short:"r" placeholder:"RESOURCE" help:"The resource. Default: the limits for all resources that have none of their own here."`
}

func (c *limited) String() string {
	if c.Resource == "" {
		return c.ID
	}
	return c.ID + " on " + c.Resource
}

// entitySetLimitsCmd stores an entity's limits.
type entitySetLimitsCmd struct {
	limited
	Limits
	Output
}

// Help shows examples.
func (*entitySetLimitsCmd) Help() string {
	return `They replace those that are stored, and beat those of the resource and of the system.

Examples:

    zae-limiter entity set-limits user-premium --resource gpt-4 -l rpm:500 -l tpm:500000
    zae-limiter entity set-limits user-premium -l rpm:200`
}

// Run stores them.
func (c *entitySetLimitsCmd) Run(ctx context.Context, app *App) error {
	return app.use(ctx, func(l *engine.Limiter) error {
		if err := l.SetLimits(ctx, c.ID, c.Resource, limitsOf(c.Limit)); err != nil {
			return err
		}
		app.changed("set the limits of %v", &c.limited)
		return c.print(ctx, app, c.Output, l)
	})
}

// entityGetLimitsCmd shows an entity's limits.
type entityGetLimitsCmd struct {
	limited
	Output
}

// Help shows an example.
func (*entityGetLimitsCmd) Help() string {
	return `Those in force, which may come from elsewhere, are shown by explain.

Example:

    zae-limiter entity get-limits user-premium --resource gpt-4`
}

// Run reads them.
func (c *entityGetLimitsCmd) Run(ctx context.Context, app *App) error {
	return app.use(ctx, func(l *engine.Limiter) error { return c.print(ctx, app, c.Output, l) })
}

func (c *limited) print(ctx context.Context, app *App, o Output, l *engine.Limiter) error {
	limits, err := l.Limits(ctx, c.ID, c.Resource)
	if err != nil {
		return err
	}
	if limits == nil {
		return absent("%v has no limits of its own; those in force are shown by zae-limiter explain", c)
	}
	return app.print(o.Output, entityLimitsDoc{c.ID, c.Resource, limitsDoc{limitDocsOf(limits)}})
}

// entityDeleteLimitsCmd removes an entity's limits.
type entityDeleteLimitsCmd struct {
	limited
	Confirm
}

// Help shows an example.
func (*entityDeleteLimitsCmd) Help() string {
	return `Example:

    zae-limiter entity delete-limits user-premium --resource gpt-4 --yes`
}

// Run removes them.
func (c *entityDeleteLimitsCmd) Run(ctx context.Context, app *App) error {
	if err := app.confirm(ctx, c.Confirm, "Remove the limits of %v?", &c.limited); err != nil {
		return err
	}
	return app.use(ctx, func(l *engine.Limiter) error {
		if err := l.DeleteLimits(ctx, c.ID, c.Resource); err != nil {
			return err
		}
		app.changed("removed the limits of %v", &c.limited)
		return nil
	})
}

// entityLimitsDoc is what is stored for an entity; an empty resource stands for all that have none of their own.
type entityLimitsDoc struct {
	Entity   string `json:"entity_id"`
	Resource string `json:"resource"`
	limitsDoc
}
