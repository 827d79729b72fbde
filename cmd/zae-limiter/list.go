package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/stack"
)

// listCmd lists deployments.
type listCmd struct{ Output }

func (c *listCmd) Run(ctx context.Context, app *App, at target) error {
	all, err := stack.List(ctx, at.options(app))
	if err != nil {
		return fromStack(err)
	}
	return app.print(c.Output.Output, stacksDoc{mapSlice(all, func(s stack.Info) stackListItem {
		return stackListItem{s.Name, s.Region, s.Status, s.Health, orNull(s.Version), moment{s.Created}, moment{s.Updated}}
	})})
}

// stackListItem describes a deployment in a list.
type stackListItem struct {
	Name    string  `json:"name"`
	Region  string  `json:"region"`
	Status  string  `json:"stack_status"`
	Health  string  `json:"health"`
	Version *string `json:"version"`
	Created moment  `json:"created_at"`
	Updated moment  `json:"updated_at"`
}

// stacksDoc lists deployments.
type stacksDoc struct {
	Stacks []stackListItem `json:"stacks"`
}

func (d stacksDoc) table() table {
	return table{
		head: []string{"NAME", "REGION", "HEALTH", "STATUS", "VERSION", "CREATED"},
		rows: mapSlice(d.Stacks, func(s stackListItem) []string {
			return []string{s.Name, s.Region, s.Health, s.Status, deref(s.Version), s.Created.String()}
		}),
	}
}
