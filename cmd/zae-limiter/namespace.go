package main

import (
	"context"
	"slices"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine"
)

// namespaceRegisterCmd creates namespaces.
type namespaceRegisterCmd struct {
	Name []string `arg:"" help:"Namespace."`
	Output
}

func (c *namespaceRegisterCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	var names []string
	for _, name := range c.Name { // before the first one is registered
		if err := engine.CheckNamespace(name); err != nil {
			return err
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var all []engine.Namespace
	for i, name := range names {
		if err := l.RegisterNamespace(ctx, name); err != nil {
			if i > 0 {
				app.reportChange("registered %s", strings.Join(names[:i], ", "))
			}
			return err
		}
		n, err := l.Namespace(ctx, name)
		if err != nil {
			return err
		}
		all = append(all, n)
	}
	app.reportChange("registered %s", strings.Join(names, ", "))
	return app.print(c.Output.Output, listOf("namespaces", namespaceHead, all, "", namespaceDocOf))
}

// namespaceListCmd lists namespaces.
type namespaceListCmd struct {
	Paging
	Output
}

func (c *namespaceListCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	all, next, err := fetchPages(c.Paging, func(p engine.Page) (engine.List[engine.Namespace], error) { return l.ListNamespaces(ctx, p) })
	if err != nil {
		return err
	}
	return app.print(c.Output.Output, listOf("namespaces", namespaceHead, all, next, namespaceDocOf))
}

// namespaceShowCmd shows a namespace.
type namespaceShowCmd struct {
	Name string `arg:"" help:"Namespace."`
	Output
}

func (c *namespaceShowCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	n, err := l.Namespace(ctx, c.Name)
	if err != nil {
		return err
	}
	return app.print(c.Output.Output, namespaceDocOf(n))
}

// namespaceDeleteCmd marks a namespace as deleted.
type namespaceDeleteCmd struct {
	Name string `arg:"" help:"Namespace."`
	Confirm
}

func (c *namespaceDeleteCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	if err := app.confirm(ctx, c.Confirm, "Delete the namespace %s?", c.Name); err != nil {
		return err
	}
	return app.reportResult(l.DeleteNamespace(ctx, c.Name), "deleted the namespace %s", c.Name)
}

// namespaceRecoverCmd restores a deleted namespace.
type namespaceRecoverCmd struct {
	Name string `arg:"" help:"Namespace."`
	Output
}

func (c *namespaceRecoverCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	if err := l.RecoverNamespace(ctx, c.Name); err != nil {
		return err
	}
	n, err := l.Namespace(ctx, c.Name)
	if err != nil {
		return err
	}
	app.reportChange("recovered the namespace %s", c.Name)
	return app.print(c.Output.Output, namespaceDocOf(n))
}

// namespacePurgeCmd removes a deleted namespace and its records.
type namespacePurgeCmd struct {
	Name string `arg:"" help:"Namespace."`
	Confirm
}

func (c *namespacePurgeCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	if err := app.confirm(ctx, c.Confirm, "Permanently remove all records of the namespace %s?", c.Name); err != nil {
		return err
	}
	return app.reportResult(l.PurgeNamespace(ctx, c.Name), "purged the namespace %s", c.Name)
}

// namespaceDoc describes a namespace.
type namespaceDoc struct {
	Name      string `json:"namespace"`
	State     string `json:"state"`
	CreatedAt moment `json:"created_at"`
	DeletedAt moment `json:"deleted_at"`
}

func namespaceDocOf(n engine.Namespace) namespaceDoc {
	return namespaceDoc{n.Name, n.State, moment{n.CreatedAt}, moment{n.DeletedAt}}
}

func (d namespaceDoc) cells() []string {
	return []string{d.Name, d.State, d.CreatedAt.String(), d.DeletedAt.String()}
}

func (d namespaceDoc) table() table { return table{head: namespaceHead, rows: [][]string{d.cells()}} }

var namespaceHead = []string{"NAMESPACE", "STATE", "CREATED", "DELETED"}
