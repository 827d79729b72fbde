package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/stack"
)

// upgradeCmd brings a deployment to this program's version.
type upgradeCmd struct {
	LambdaOnly bool   `help:"Change the function's code only, and leave the template."`
	Force      bool   `help:"Go on where the versions are the same, or what is deployed is newer."`
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
	if info.ID == "" {
		return &stackError{inWords(info.Reason), exitNotFound, stack.ErrNotFound}
	}
	if outdated(clientVersion(), info.Version) && !c.Force {
		return fmt.Errorf("%w: %s, this is %s; use that, or take it back with --force", errNewer, info.Version, clientVersion())
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

// outdated tells whether a release is older than another. Of what is no release nothing is known.
func outdated(version, than string) bool {
	var a, b [3]int
	n, _ := fmt.Sscanf(version, "v%d.%d.%d", &a[0], &a[1], &a[2])
	m, _ := fmt.Sscanf(than, "v%d.%d.%d", &b[0], &b[1], &b[2])
	return n == 3 && m == 3 && slices.Compare(a[:], b[:]) < 0
}
