package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/stack"
)

// upgradeCmd brings a deployment to this program's version.
type upgradeCmd struct {
	LambdaOnly bool   `help:"Change the function's code only, and leave the template."`
	Force      bool   `help:"Also if the versions say that there is nothing to do."`
	LambdaZip  string `placeholder:"FILE" from:"ZAE_LIMITER_LAMBDA_ZIP" help:"The function's code: what lambda-export wrote, or this program for Linux. Default: this program, or built with Go."`
	Output
}

// Help shows examples.
func (*upgradeCmd) Help() string {
	return `It applies this program's template and the function's code to what is deployed. All options keep their value; "zae-limiter check" tells what differs.

Examples:

    zae-limiter upgrade --name my-app --region us-east-1
    zae-limiter upgrade --name my-app --lambda-only --force`
}

// Run compares versions, and deploys.
func (c *upgradeCmd) Run(ctx context.Context, app *App) error {
	at, err := app.target()
	if err != nil {
		return err
	}
	o := at.options(app)
	if err := codeInto(o, c.LambdaZip); err != nil {
		return err
	}
	info, err := stack.Get(ctx, at.name, o)
	if err != nil {
		return inStack(err)
	}
	result := stack.Result{Action: stack.Unchanged, Info: info}
	if d := checkOf(&info); d.Same && d.Parts[len(d.Parts)-1].Client != undated && !c.Force {
		app.say("nothing to upgrade: %s is of version %s", at, clientVersion())
	} else {
		o.CodeOnly = c.LambdaOnly
		r, took, err := app.ensure(ctx, at, o)
		if err != nil {
			return err
		}
		result = r
		app.summarize(at, result, took)
	}
	return app.print(c.Output.Output, deploymentDoc{
		stackPlan: stackPlan{string(result.Action), resourceChanges(result.Changes), differences(result.Before, result.After)}, Stack: stackDocOf(&result.Info),
	})
}
