package main

import (
	"context"
	"maps"
	"slices"

	"github.com/zeroae/zae-limiter-go/engine"
)

// changedEntity holds the flags of commands that change an entity and print it.
type changedEntity struct {
	AllowMissing bool `help:"Accept a parent that does not exist. Default: fail with exit code 4."`
	Output
}

func (o *changedEntity) options() *engine.EntityOptions {
	return &engine.EntityOptions{AllowMissingParent: o.AllowMissing}
}

func (o *changedEntity) update(ctx context.Context, app *App, l *engine.Limiter, id string, u engine.EntityUpdate) error {
	e, err := l.UpdateEntity(ctx, id, u, o.options())
	if err != nil {
		return err
	}
	return o.report(ctx, app, l, "changed", e)
}

// report reports a change of an entity and suspicious parents, and prints the entity.
func (o *changedEntity) report(ctx context.Context, app *App, l *engine.Limiter, what string, e engine.Entity) error {
	app.reportChange("%s %s", what, e.ID)
	if warnings, err := l.CascadeWarnings(ctx, e.ID); err == nil { // the change itself succeeded
		app.logWarnings(warnings)
	}
	return app.print(o.Output.Output, entityDocOf(e))
}

// entityCreateCmd creates an entity.
type entityCreateCmd struct {
	ID          string            `arg:"" help:"Id of the entity."`
	DisplayName string            `placeholder:"NAME" help:"Name for display."`
	Parent      string            `placeholder:"ID" help:"Id of its parent."`
	Cascade     bool              `negatable:"" help:"Consume from the parent's bucket, too. Default: no."`
	Metadata    map[string]string `mapsep:"none" placeholder:"KEY=VALUE" help:"Any data to store with it. Repeatable."`
	changedEntity
}

func (c *entityCreateCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	created := engine.Entity{ID: c.ID, Name: c.DisplayName, Parent: c.Parent, Cascade: c.Cascade, Metadata: c.Metadata}
	if err := l.CreateEntity(ctx, created, c.options()); err != nil {
		return err
	}
	e, err := l.Entity(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.report(ctx, app, l, "created", e)
}

// entityUpdateCmd changes an entity.
type entityUpdateCmd struct {
	ID          string            `arg:"" help:"Id of the entity."`
	DisplayName *string           `placeholder:"NAME" help:"Name for display."`
	Parent      string            `xor:"parent" placeholder:"ID" help:"Id of its parent."`
	NoParent    bool              `xor:"parent" help:"Remove its parent."`
	Cascade     *bool             `negatable:"" help:"Consume from the parent's bucket, too."`
	Metadata    map[string]string `xor:"metadata" mapsep:"none" placeholder:"KEY=VALUE" help:"New metadata, which replaces all of the old. Repeatable."`
	NoMetadata  bool              `xor:"metadata" help:"Remove its metadata."`
	changedEntity
}

func (c *entityUpdateCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	u := engine.EntityUpdate{Name: c.DisplayName, Cascade: c.Cascade}
	if c.Parent != "" || c.NoParent {
		u.Parent = &c.Parent
	}
	if len(c.Metadata) > 0 {
		u.Metadata = c.Metadata
	}
	if c.NoMetadata {
		u.Metadata = map[string]string{}
	}
	if u.Name == nil && u.Parent == nil && u.Cascade == nil && u.Metadata == nil {
		return usageErrorf("nothing to change: name a property; see zae-limiter entity update --help")
	}
	return c.update(ctx, app, l, c.ID, u)
}

// entitySetParentCmd changes or removes an entity's parent.
type entitySetParentCmd struct {
	ID     string `arg:"" help:"Id of the entity."`
	Parent string `xor:"parent" placeholder:"ID" help:"Id of its parent."`
	None   bool   `xor:"parent" help:"Remove its parent."`
	changedEntity
}

func (c *entitySetParentCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	if c.Parent == "" && !c.None {
		return usageErrorf("missing flags: --parent=ID or --none; see zae-limiter entity set-parent --help")
	}
	return c.update(ctx, app, l, c.ID, engine.EntityUpdate{Parent: &c.Parent})
}

// entityShowCmd shows an entity.
type entityShowCmd struct {
	ID string `arg:"" help:"Id of the entity."`
	Output
}

func (c *entityShowCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	e, err := l.Entity(ctx, c.ID)
	if err != nil {
		return err
	}
	return app.print(c.Output.Output, entityDocOf(e))
}

// entityDeleteCmd deletes an entity.
type entityDeleteCmd struct {
	ID    string `arg:"" help:"Id of the entity."`
	Force bool   `help:"Delete it even if it has children; these then have no parent."`
	Confirm
}

func (c *entityDeleteCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	if err := app.confirm(ctx, c.Confirm, "Delete %s, its limits and its buckets?", c.ID); err != nil {
		return err
	}
	return app.reportResult(l.DeleteEntity(ctx, c.ID, &engine.DeleteOptions{Force: c.Force}), "deleted %s", c.ID)
}

// entityDoc describes an entity.
type entityDoc struct {
	ID        string            `json:"entity_id" row:"entity"`
	Name      *string           `json:"name" row:"name"`
	Parent    *string           `json:"parent_id" row:"parent"`
	Cascade   bool              `json:"cascade" row:"cascade"`
	Metadata  map[string]string `json:"metadata"`
	CreatedAt moment            `json:"created_at" row:"created"`
}

func entityDocOf(e engine.Entity) entityDoc {
	d := entityDoc{e.ID, orNull(e.Name), orNull(e.Parent), e.Cascade, e.Metadata, moment{e.CreatedAt}}
	if d.Metadata == nil {
		d.Metadata = map[string]string{}
	}
	return d
}

func (d entityDoc) table() table {
	t := table{rows: rowsOf(d, "row")}
	for _, key := range slices.Sorted(maps.Keys(d.Metadata)) {
		t.rows = append(t.rows, []string{"metadata", key + "=" + d.Metadata[key]})
	}
	return t
}
