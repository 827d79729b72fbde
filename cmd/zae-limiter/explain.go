package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/engine"
)

// explainCmd shows which limits apply.
type explainCmd struct {
	Entity   string `arg:"" help:"Entity."`
	Resource string `arg:"" help:"Resource."`
	Output
}

func (c *explainCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	x, err := l.Explain(ctx, c.Entity, c.Resource)
	if err != nil {
		return err
	}
	app.logWarnings(x.Warnings)
	path := mapSlice(x.Path, func(p engine.PathLevel) pathDoc {
		return pathDoc{p.Entity, p.Cascade, p.Level.String(), limitDocsOf(p.Limits)}
	})
	return app.print(c.Output.Output, explainDoc{c.Entity, c.Resource, path})
}

// explainDoc describes the path from an entity up through its parents.
type explainDoc struct {
	Entity   string    `json:"entity_id"`
	Resource string    `json:"resource"`
	Path     []pathDoc `json:"path"`
}

// pathDoc is one entity on the path.
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
