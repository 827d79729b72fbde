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

// deployCmd makes a deployment what the flags say.
type deployCmd struct {
	deployFlags
	Plan  bool  `help:"Show what would be changed, and change nothing."`
	Adopt bool  `help:"Take in a table, or a stack, of this name that something else has created. Default: only a table that an earlier deployment of the name has left."`
	Wait  *bool `negatable:"" help:"Wait until all is done. Default: wait."`
	Output
}

// Help shows examples.
func (*deployCmd) Help() string {
	return `It makes a stack of CloudFormation that holds the table, the function that books usage, what they need of permissions, and alarms; or it changes the one that there is, and does nothing where nothing changes. Options that are not named keep their value. If somebody else is changing the stack, it waits for that first. A table of this name that something else has created, or that was restored from a backup, is taken in with --adopt only.

On a terminal it shows what goes on, else it writes a line an event. Ctrl-C ends the waiting only: CloudFormation goes on, and the same command again waits for it.

It ends with the line by which a shell's next commands use the deployment.

Examples:

    zae-limiter deploy --name my-app --region us-east-1
    zae-limiter deploy --name my-app --pitr-recovery-days 7 --tag team=search
    zae-limiter deploy --name my-app --no-alarms --plan
    zae-limiter deploy --name my-restored-app --adopt`
}

// Run deploys, or plans to.
func (c *deployCmd) Run(ctx context.Context, app *App) error {
	at, err := app.target()
	if err != nil {
		return err
	}
	o := at.options(app)
	if err := c.into(o); err != nil {
		return err
	}
	o.Adopt = c.Adopt
	if c.Plan {
		set, err := stack.Plan(ctx, at.name, o)
		if err != nil {
			return inStack(err)
		}
		if set.NoCode != nil {
			app.say("to deploy this the function's code is needed: %v", inStack(set.NoCode))
		}
		return app.print(c.Output.Output, stackPlan{string(set.Action), resourceChanges(set.Changes), differences(set.Before, set.After)})
	}
	o.NoWait = c.Wait != nil && !*c.Wait
	result, took, err := app.ensure(ctx, at, o)
	if err != nil {
		return err
	}
	app.summarize(at, result, took)
	return c.tell(app, at, result)
}

// ensure brings the deployment about, showing how it goes, and has it in the audit trail.
func (a *App) ensure(ctx context.Context, at target, o *stack.Options) (stack.Result, time.Duration, error) {
	p := a.watch(at.name)
	o.Progress, o.Sleep = p.event, p.sleep
	result, err := stack.Ensure(ctx, at.name, o)
	took := p.end()
	if err != nil {
		return result, took, p.interrupted(ctx, at, inStack(err))
	}
	if !o.NoWait && result.Action != stack.Unchanged {
		if err := a.record(ctx, at, result); err != nil {
			a.say("what was done is not in the audit trail: %s", describe(ctx, err))
		}
	}
	return result, took, nil
}

// summarize says what was done, in a line.
func (a *App) summarize(at target, r stack.Result, took time.Duration) {
	at.region = r.Info.Region
	if r.Info.Health == "in progress" {
		a.say("begun: %s is in %s; see how it goes on: zae-limiter status %s", at, r.Info.Status, at.flags())
		return
	}
	switch r.Action {
	case stack.Created:
		a.say("created %s in %s", at, readable.Wait(took))
	case stack.Adopted:
		a.say("created %s in %s, over the data that were there", at, readable.Wait(took))
	case stack.Updated:
		a.say("updated %s in %s", at, readable.Wait(took))
	default:
		a.say("nothing to change: %s is as it shall be", at)
	}
}

// record writes the event of the change where events of the whole store are: in the namespace "default".
func (a *App) record(ctx context.Context, at target, r stack.Result) error {
	before, err := settings(r.Before)
	if err != nil {
		return err
	}
	after, err := settings(r.After)
	if err != nil {
		return err
	}
	there := *a
	there.Globals.Store, there.Deployment, there.Namespace, there.store = at.url(), Deployment{}, "default", nil
	limiter, err := there.limiter()
	if err != nil {
		return err
	}
	event := engine.Recorded{Action: "stack_" + string(r.Action), Before: before, After: after}
	return errors.Join(limiter.RecordEvent(ctx, event), limiter.Close())
}

// settings are a stack's, as a document; nil where there was none.
func settings(values map[string]string) (json.RawMessage, error) {
	if values == nil {
		return nil, nil
	}
	return json.Marshal(values)
}

// tell prints the result: for people the lines that a shell needs to use it.
func (c *deployCmd) tell(app *App, at target, r stack.Result) error {
	if c.Output.Output != formatTable {
		return app.print(c.Output.Output, deploymentDoc{
			stackPlan: stackPlan{string(r.Action), resourceChanges(r.Changes), differences(r.Before, r.After)}, Stack: stackDocOf(&r.Info),
		})
	}
	return app.exports(at)
}

// exports prints the lines by which a shell's next commands use a deployed store.
func (a *App) exports(at target) error {
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
