package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/engine"
)

// resourceSetCmd sets a resource's limits.
type resourceSetCmd struct {
	Name string `arg:"" help:"Name of the resource."`
	Limits
	Output
}

func (c *resourceSetCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	if err := l.SetResourceDefaults(ctx, c.Name, limitsOf(c.Limit)); err != nil {
		return err
	}
	app.reportChange("set the limits of %s", c.Name)
	return printResource(ctx, app, c.Output, l, c.Name)
}

// resourceGetCmd shows a resource's limits.
type resourceGetCmd struct {
	Name string `arg:"" help:"Name of the resource."`
	Output
}

func (c *resourceGetCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	return printResource(ctx, app, c.Output, l, c.Name)
}

func printResource(ctx context.Context, app *App, o Output, l *engine.Limiter, name string) error {
	limits, err := l.ResourceDefaults(ctx, name)
	if err != nil {
		return err
	}
	if limits == nil {
		return notFound("%s has no default limits: set them with zae-limiter resource set-defaults %s -l rpm:100", name, name)
	}
	return app.print(o.Output, resourceDoc{name, limitsDoc{limitDocsOf(limits)}})
}

// resourceDeleteCmd deletes a resource's limits.
type resourceDeleteCmd struct {
	Name string `arg:"" help:"Name of the resource."`
	Confirm
}

func (c *resourceDeleteCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	if err := app.confirm(ctx, c.Confirm, "Delete the limits of %s?", c.Name); err != nil {
		return err
	}
	return app.reportResult(l.DeleteResourceDefaults(ctx, c.Name), "deleted the limits of %s", c.Name)
}

// resourceListCmd lists resources.
type resourceListCmd struct {
	WithEntityLimits bool `help:"List the resources for which entities have limits of their own instead."`
	Paging
	Output
}

func (c *resourceListCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	fetch := l.Resources
	if c.WithEntityLimits {
		fetch = l.ResourcesWithEntityLimits
	}
	names, next, err := fetchPages(c.Paging, func(p engine.Page) (engine.List[string], error) { return fetch(ctx, p) })
	if err != nil {
		return err
	}
	return app.print(c.Output.Output, resourcesDoc{nonNil(names), orNull(next)})
}

// resourceDoc lists a resource's limits.
type resourceDoc struct {
	Resource string `json:"resource"`
	limitsDoc
}

// resourcesDoc lists resources.
type resourcesDoc struct {
	Resources []string `json:"resources"`
	Next      *string  `json:"next"`
}

func (d resourcesDoc) table() table { return namesTable("RESOURCE", d.Resources, d.Next) }
