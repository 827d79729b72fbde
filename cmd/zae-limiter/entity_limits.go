package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/engine"
)

// entityLimitsOf holds the arguments that say whose limits, and for which resource.
type entityLimitsOf struct {
	ID       string `arg:"" help:"Id of the entity, which need not exist."`
	Resource string `short:"r" placeholder:"RESOURCE" help:"Resource. Default: all resources for which the entity has no limits of their own."`
}

func (c *entityLimitsOf) String() string {
	if c.Resource == "" {
		return c.ID
	}
	return c.ID + " on " + c.Resource
}

// entitySetLimitsCmd sets an entity's limits.
type entitySetLimitsCmd struct {
	entityLimitsOf
	Limits
	Output
}

func (c *entitySetLimitsCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	if err := l.SetLimits(ctx, c.ID, c.Resource, limitsOf(c.Limit)); err != nil {
		return err
	}
	app.reportChange("set the limits of %v", &c.entityLimitsOf)
	return c.print(ctx, app, c.Output, l)
}

// entityGetLimitsCmd shows an entity's limits.
type entityGetLimitsCmd struct {
	entityLimitsOf
	Output
}

func (c *entityGetLimitsCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	return c.print(ctx, app, c.Output, l)
}

func (c *entityLimitsOf) print(ctx context.Context, app *App, o Output, l *engine.Limiter) error {
	limits, err := l.Limits(ctx, c.ID, c.Resource)
	if err != nil {
		return err
	}
	if limits == nil {
		return notFound("%v has no limits of its own: see the limits that apply with zae-limiter explain", c)
	}
	return app.print(o.Output, entityLimitsDoc{c.ID, c.Resource, limitsDoc{limitDocsOf(limits)}})
}

// entityDeleteLimitsCmd deletes an entity's limits.
type entityDeleteLimitsCmd struct {
	entityLimitsOf
	Confirm
}

func (c *entityDeleteLimitsCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	if err := app.confirm(ctx, c.Confirm, "Delete the limits of %v?", &c.entityLimitsOf); err != nil {
		return err
	}
	return app.reportResult(l.DeleteLimits(ctx, c.ID, c.Resource), "deleted the limits of %v", &c.entityLimitsOf)
}

// entityLimitsDoc lists an entity's limits; an empty resource means all resources without limits of their own.
type entityLimitsDoc struct {
	Entity   string `json:"entity_id"`
	Resource string `json:"resource"`
	limitsDoc
}
