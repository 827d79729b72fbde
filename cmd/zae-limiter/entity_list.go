package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/engine"
)

// entityListCmd lists entities.
type entityListCmd struct {
	WithCustomLimits *string `placeholder:"RESOURCE" help:"List the ids that have limits of their own for this resource instead, with or without an entity; \"\": limits for all resources."`
	Paging
	Output
}

func (c *entityListCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	if c.WithCustomLimits == nil {
		return listEntities(app, c.Paging, c.Output, func(p engine.Page) (engine.List[engine.Entity], error) { return l.Entities(ctx, p) })
	}
	resource := *c.WithCustomLimits
	ids, next, err := fetchPages(c.Paging, func(p engine.Page) (engine.List[string], error) {
		return l.EntitiesWithLimits(ctx, resource, p)
	})
	if err != nil {
		return err
	}
	return app.print(c.Output.Output, limitedDoc{resource, nonNil(ids), orNull(next)})
}

// entityChildrenCmd lists an entity's children.
type entityChildrenCmd struct {
	ID string `arg:"" help:"The parent's id."`
	Paging
	Output
}

func (c *entityChildrenCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	return listEntities(app, c.Paging, c.Output, func(p engine.Page) (engine.List[engine.Entity], error) { return l.Children(ctx, c.ID, p) })
}

func listEntities(app *App, p Paging, o Output, fetch func(engine.Page) (engine.List[engine.Entity], error)) error {
	entities, next, err := fetchPages(p, fetch)
	if err != nil {
		return err
	}
	head := []string{"ENTITY", "NAME", "PARENT", "CASCADE", "CREATED"}
	return app.print(o.Output, listOf("entities", head, entities, next, entityDocOf))
}

func (d entityDoc) cells() []string {
	return []string{d.ID, deref(d.Name), deref(d.Parent), yesNo(d.Cascade), d.CreatedAt.String()}
}

// limitedDoc lists the ids that have limits of their own.
type limitedDoc struct {
	Resource string   `json:"resource"`
	IDs      []string `json:"entity_ids"`
	Next     *string  `json:"next"`
}

func (d limitedDoc) table() table { return namesTable("ENTITY", d.IDs, d.Next) }
