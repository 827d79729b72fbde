package main

import (
	"context"

	"github.com/zeroae/zae-limiter-go/stack"
)

// upgradeCmd upgrades a deployment to this program's version.
type upgradeCmd struct {
	LambdaOnly bool   `help:"Update only the function's code, not the template."`
	Force      bool   `help:"Deploy even if the versions are equal, or the deployed one is newer."`
	LambdaZip  string `placeholder:"FILE" from:"ZAE_LIMITER_LAMBDA_ZIP" help:"Code of the function: the output of lambda-export, or this program for Linux. Default: this program, or a build with Go."`
	Output
}

// Run compares versions, and deploys.
func (c *upgradeCmd) Run(ctx context.Context, app *App, at target) error {
	o := at.options(app)
	if err := readCodeFile(o, c.LambdaZip); err != nil {
		return err
	}
	info, err := stack.Get(ctx, at.name, o)
	if err != nil {
		return fromStack(err)
	}
	if info.ID == "" {
		return &stackError{commandLineText(info.Reason), exitNotFound, stack.ErrNotFound}
	}
	result := stack.Result{Action: stack.Unchanged, Info: info}
	if d := checkOf(&info); d.Same && d.Parts[len(d.Parts)-1].Client != stack.UnreleasedVersion && !c.Force {
		app.logf("nothing to upgrade: %s has version %s", at, stack.Version())
	} else {
		o.CodeOnly, o.Downgrade = c.LambdaOnly, c.Force
		r, took, err := app.ensure(ctx, at, o)
		if err != nil {
			return err
		}
		result = r
		app.reportDeployment(at, result, took)
	}
	return app.print(c.Output.Output, deploymentDocOf(&result))
}
