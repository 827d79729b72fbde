package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/engine"
)

// systemSetCmd sets the system's limits.
type systemSetCmd struct {
	Limit         []limitFlag `short:"l" placeholder:"LIMIT" help:"name:rate[/period][:burst], for example rpm:100 or tpm:10000/min:15000; period: s, min, hour, day, or a number of them. Repeatable. Default with --on-unavailable: the limits do not change."`
	OnUnavailable string      `enum:"allow,block,local," default:"" placeholder:"allow|block|local" help:"While the store is unreachable, admit acquires, fail them, or let each process decide by its share of the limits (Options.LocalShare; a program without one fails them). Default: the policy does not change; without one, block."`
	Output
}

func (c *systemSetCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	if len(c.Limit) == 0 && c.OnUnavailable == "" {
		return usageErrorf("nothing to set: pass limits, for example -l rpm:100, or --on-unavailable allow")
	}
	options := &engine.SystemOptions{}
	if c.OnUnavailable != "" {
		if err := options.OnUnavailable.UnmarshalText([]byte(c.OnUnavailable)); err != nil {
			return err
		}
	}
	if err := l.SetSystemDefaults(ctx, limitsOf(c.Limit), options); err != nil {
		return err
	}
	what := "limits"
	if len(c.Limit) == 0 {
		what = "policy"
	}
	app.reportChange("set the system's %s", what)
	return printSystem(ctx, app, c.Output, l)
}

// systemGetCmd shows the system's limits.
type systemGetCmd struct{ Output }

func (c *systemGetCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	return printSystem(ctx, app, c.Output, l)
}

func printSystem(ctx context.Context, app *App, o Output, l *engine.Limiter) error {
	stored, err := l.SystemDefaults(ctx)
	if err != nil {
		return err
	}
	policy := policyDoc(stored.OnUnavailable)
	if stored.Limits == nil && policy == nil {
		return notFound("the system has no default limits: set them with zae-limiter system set-defaults -l rpm:100")
	}
	return app.print(o.Output, systemDoc{policy, limitsDoc{limitDocsOf(stored.Limits)}})
}

// systemDeleteCmd deletes the system's limits.
type systemDeleteCmd struct{ Confirm }

func (c *systemDeleteCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	if err := app.confirm(ctx, c.Confirm, "Delete the limits of the whole system?"); err != nil {
		return err
	}
	return app.reportResult(l.DeleteSystemDefaults(ctx), "deleted the system's limits")
}

// systemDoc lists the system's limits and its policy.
type systemDoc struct {
	OnUnavailable *string `json:"on_unavailable"`
	limitsDoc
}

func (d systemDoc) table() table {
	t := d.limitsDoc.table()
	if len(d.Limits) == 0 {
		t.head = nil // only a policy is set
	}
	if d.OnUnavailable != nil {
		t.foot = "on unavailable: " + *d.OnUnavailable
	}
	return t
}
