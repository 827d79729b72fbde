package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/readable"
	"github.com/zeroae/zae-limiter-go/stack"
)

// deployCmd creates or updates a deployment.
type deployCmd struct {
	deployFlags
	Plan  bool  `help:"Show what would change, without changing anything."`
	Adopt bool  `help:"Adopt a table or a stack of this name that another tool has created. Default: adopt only a table that an earlier deployment of this name has left."`
	Wait  *bool `negatable:"" help:"Wait until the deployment is complete; otherwise run the command again to complete it. Default: wait."`
	Output
}

// Run deploys, or shows the plan.
func (c *deployCmd) Run(ctx context.Context, app *App, at target) error {
	o := at.options(app)
	if err := c.applyTo(o); err != nil {
		return err
	}
	o.Adopt = c.Adopt
	if c.Plan {
		set, err := stack.Plan(ctx, at.name, o)
		if err != nil {
			return fromStack(err)
		}
		if set.NoCode != nil {
			app.logf("to deploy this, the function's code is needed: %v", fromStack(set.NoCode))
		}
		return app.print(c.Output.Output, stackPlan{string(set.Action), resourceChanges(set.Changes), settingDifferences(set.Before, set.After)})
	}
	o.NoWait = c.Wait != nil && !*c.Wait
	result, took, err := app.ensure(ctx, at, o)
	if err != nil {
		return err
	}
	app.reportDeployment(at, result, took)
	if c.Output.Output == formatTable {
		return app.printExports(at)
	}
	return app.print(c.Output.Output, deploymentDocOf(&result))
}

// ensure creates or updates the deployment, shows the progress and records an audit event.
func (a *App) ensure(ctx context.Context, at target, o *stack.Options) (stack.Result, time.Duration, error) {
	p := a.watch(at.name)
	o.Progress, o.Sleep = p.event, p.sleep
	result, err := stack.Ensure(ctx, at.name, o)
	took := p.end()
	if err != nil {
		return result, took, p.interruptedError(ctx, at, fromStack(err))
	}
	if !o.NoWait && result.Action != stack.Unchanged {
		if err := a.recordEvent(ctx, at, result); err != nil {
			a.logf("the change is not in the audit trail: %s", describe(ctx, err))
		}
	}
	return result, took, nil
}

// reportDeployment logs what was done, in one line.
func (a *App) reportDeployment(at target, r stack.Result, took time.Duration) {
	at.region = r.Info.Region
	if r.Info.Health == "in progress" {
		a.logf("started: %s is in %s; to see its progress: zae-limiter status %s; to complete it, run the same command again without --no-wait", at, r.Info.Status, at.flags())
		return
	}
	switch r.Action {
	case stack.Created:
		a.logf("created %s in %s", at, readable.Wait(took))
	case stack.Adopted:
		a.logf("created %s in %s, with the existing data", at, readable.Wait(took))
	case stack.Updated:
		a.logf("updated %s in %s", at, readable.Wait(took))
	default:
		a.logf("nothing to change: %s is up to date", at)
	}
}

// recordEvent records the audit event of a change of the deployment, in the namespace "default".
func (a *App) recordEvent(ctx context.Context, at target, r stack.Result) error {
	before, err := settingsJSON(r.Before)
	if err != nil {
		return err
	}
	after, err := settingsJSON(r.After)
	if err != nil {
		return err
	}
	deployed := *a
	deployed.Globals.Store, deployed.Deployment, deployed.Namespace, deployed.store = at.url(), Deployment{}, "default", nil
	limiter, err := deployed.limiter()
	if err != nil {
		return err
	}
	event := engine.Recorded{Action: "stack_" + string(r.Action), Before: before, After: after}
	return errors.Join(limiter.RecordEvent(ctx, event), limiter.Close())
}

// settingsJSON returns the settings of a stack as JSON; nil if there was no stack.
func settingsJSON(values map[string]string) (json.RawMessage, error) {
	if values == nil {
		return nil, nil
	}
	return json.Marshal(values)
}

// printExports prints the lines that make the next commands of a shell use a deployed store.
func (a *App) printExports(at target) error {
	text := "export ZAE_LIMITER_NAME=" + at.name + "\n"
	if at.region != "" {
		text += "export AWS_REGION=" + at.region + "\n"
	}
	if at.endpoint != "" {
		text += "export AWS_ENDPOINT_URL=" + at.endpoint + "\n"
	}
	_, err := fmt.Fprint(a.Out, text)
	return err
}
