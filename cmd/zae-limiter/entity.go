package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine"
)

// parentOptions holds the flag of commands that set a parent.
type parentOptions struct {
	AllowMissing bool `help:"Accept a parent that does not exist. Default: fail with exit code 4."`
}

func (o *parentOptions) options() *engine.EntityOptions {
	return &engine.EntityOptions{AllowMissingParent: o.AllowMissing}
}

// entityCreateCmd creates an entity.
type entityCreateCmd struct {
	ID          string            `arg:"" help:"Id of the entity."`
	DisplayName string            `placeholder:"NAME" help:"Name for display."`
	Parent      string            `placeholder:"ID" help:"Id of its parent."`
	Cascade     bool              `negatable:"" help:"Consume from the parent's bucket, too. Default: no."`
	Metadata    map[string]string `mapsep:"none" placeholder:"KEY=VALUE" help:"Any data to store with it. Repeatable."`
	parentOptions
	Output
}

// Help shows examples.
func (*entityCreateCmd) Help() string {
	return `An id can be limited without an entity; create one for a parent, a name or metadata. An id is any text of 1 to 256 bytes
without control characters; write an id that begins with a dash after --.

Examples:

    zae-limiter entity create team-a --display-name "Team A"
    zae-limiter entity create team-a/ann --parent team-a --cascade --metadata cost-center=17`
}

// Run makes it.
func (c *entityCreateCmd) Run(ctx context.Context, app *App) error {
	e := engine.Entity{ID: c.ID, Name: c.DisplayName, Parent: c.Parent, Cascade: c.Cascade, Metadata: c.Metadata}
	return app.withLimiter(ctx, func(l *engine.Limiter) error {
		if err := l.CreateEntity(ctx, e, c.options()); err != nil {
			return err
		}
		app.reportChange("created %s", c.ID)
		app.warnCascade(ctx, l, c.ID)
		return printEntity(ctx, app, c.Output, l, c.ID)
	})
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
	parentOptions
	Output
}

// Help shows an example.
func (*entityUpdateCmd) Help() string {
	return `Properties that you do not name do not change.

Example:

    zae-limiter entity update user-123 --display-name "User 123" --no-cascade`
}

// Run changes it.
func (c *entityUpdateCmd) Run(ctx context.Context, app *App) error {
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
	return updateEntity(ctx, app, c.Output, c.ID, u, c.options())
}

// entitySetParentCmd changes or removes an entity's parent.
type entitySetParentCmd struct {
	ID     string `arg:"" help:"Id of the entity."`
	Parent string `xor:"parent" required:"" placeholder:"ID" help:"Id of its parent."`
	None   bool   `xor:"parent" required:"" help:"Remove its parent."`
	parentOptions
	Output
}

// Help shows an example.
func (*entitySetParentCmd) Help() string {
	return `The entity moves with all its descendants. Whether it cascades does not change: see entity update --cascade. Likely mistakes
are reported on standard error: a cascade to a parent without limits, and a system default that limits a parent.

Example:

    zae-limiter entity set-parent user-123 --none`
}

// Run moves it.
func (c *entitySetParentCmd) Run(ctx context.Context, app *App) error {
	return updateEntity(ctx, app, c.Output, c.ID, engine.EntityUpdate{Parent: &c.Parent}, c.options())
}

func updateEntity(ctx context.Context, app *App, o Output, id string, u engine.EntityUpdate, eo *engine.EntityOptions) error {
	return app.withLimiter(ctx, func(l *engine.Limiter) error {
		e, err := l.UpdateEntity(ctx, id, u, eo)
		if err != nil {
			return err
		}
		app.reportChange("changed %s", id)
		app.warnCascade(ctx, l, id)
		return app.print(o.Output, entityDocOf(e))
	})
}

// entityShowCmd shows an entity.
type entityShowCmd struct {
	ID string `arg:"" help:"Id of the entity."`
	Output
}

// Help shows an example.
func (*entityShowCmd) Help() string {
	return `To see the limits that are set for it, use entity get-limits; to see those that apply, use explain.

Example:

    zae-limiter entity show user-123`
}

// Run reads it.
func (c *entityShowCmd) Run(ctx context.Context, app *App) error {
	return app.withLimiter(ctx, func(l *engine.Limiter) error { return printEntity(ctx, app, c.Output, l, c.ID) })
}

func printEntity(ctx context.Context, app *App, o Output, l *engine.Limiter, id string) error {
	e, err := l.Entity(ctx, id)
	if err != nil {
		return err
	}
	return app.print(o.Output, entityDocOf(e))
}

// entityDeleteCmd deletes an entity.
type entityDeleteCmd struct {
	ID    string `arg:"" help:"Id of the entity."`
	Force bool   `help:"Delete it even if it has children; these then have no parent."`
	Confirm
}

// Help shows an example.
func (*entityDeleteCmd) Help() string {
	return `Example:

    zae-limiter entity delete user-123 --yes`
}

// Run deletes it.
func (c *entityDeleteCmd) Run(ctx context.Context, app *App) error {
	if err := app.confirm(ctx, c.Confirm, "Delete %s, its limits and its buckets?", c.ID); err != nil {
		return err
	}
	return app.withLimiter(ctx, func(l *engine.Limiter) error {
		if err := l.DeleteEntity(ctx, c.ID, &engine.DeleteOptions{Force: c.Force}); err != nil {
			return err
		}
		app.reportChange("deleted %s", c.ID)
		return nil
	})
}

// entityDoc describes an entity.
type entityDoc struct {
	ID        string            `json:"entity_id"`
	Name      *string           `json:"name"`
	Parent    *string           `json:"parent_id"`
	Cascade   bool              `json:"cascade"`
	Metadata  map[string]string `json:"metadata"`
	CreatedAt moment            `json:"created_at"`
}

func entityDocOf(e engine.Entity) entityDoc {
	d := entityDoc{e.ID, orNull(e.Name), orNull(e.Parent), e.Cascade, e.Metadata, moment{e.CreatedAt}}
	if d.Metadata == nil {
		d.Metadata = map[string]string{}
	}
	return d
}

func (d entityDoc) table() table {
	t := table{rows: [][]string{
		{"entity", d.ID},
		{"name", deref(d.Name)},
		{"parent", deref(d.Parent)},
		{"cascade", yesNo(d.Cascade)},
		{"created", d.CreatedAt.String()},
	}}
	for _, key := range slices.Sorted(maps.Keys(d.Metadata)) {
		t.rows = append(t.rows, []string{"metadata", strings.Join([]string{key, d.Metadata[key]}, "=")})
	}
	return t
}
