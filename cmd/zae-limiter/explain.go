package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/engine"
)

// explainCmd shows which limits are in force.
type explainCmd struct {
	Entity   string `arg:"" help:"For whom."`
	Resource string `arg:"" help:"On what."`
	Output
}

// Help explains the levels and shows an example.
func (*explainCmd) Help() string {
	return `The first level that has limits supplies all of them: entity and resource, entity, resource, system, and after
these what an acquire brings with -l. What is likely not meant is said on standard error: a cascade to a parent without limits,
and a system default that caps a parent.

Example:

    zae-limiter explain user-123 gpt-4`
}

// Run reads the configuration.
func (c *explainCmd) Run(ctx context.Context, app *App) error {
	return app.use(ctx, func(l *engine.Limiter) error {
		x, err := l.Explain(ctx, c.Entity, c.Resource)
		if err != nil {
			return err
		}
		app.warn(x.Warnings)
		d := explainDoc{Entity: c.Entity, Resource: c.Resource}
		for _, p := range x.Path {
			d.Path = append(d.Path, pathDoc{p.Entity, p.Cascade, p.Level.String(), limitDocsOf(p.Limits)})
		}
		return app.print(c.Output.Output, d)
	})
}

// explainDoc is the way from an entity up to its parents.
type explainDoc struct {
	Entity   string    `json:"entity_id"`
	Resource string    `json:"resource"`
	Path     []pathDoc `json:"path"`
}

// pathDoc is one entity on it.
type pathDoc struct {
	Entity  string     `json:"entity_id"`
	Cascade bool       `json:"cascade"`
	Level   string     `json:"level"`
	Limits  []limitDoc `json:"limits"`
}

func (d explainDoc) table() table {
	t := table{head: append([]string{"ENTITY", "FROM LEVEL"}, limitHead...)}
	for _, p := range d.Path {
		if len(p.Limits) == 0 {
			t.rows = append(t.rows, []string{p.Entity, p.Level, "", "", ""})
		}
		for _, l := range p.Limits {
			t.rows = append(t.rows, append([]string{p.Entity, p.Level}, l.cells()...))
		}
	}
	return t
}
