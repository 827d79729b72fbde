package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/zeroae/zae-limiter-go/stack"
)

// cfnTemplateCmd writes the template.
type cfnTemplateCmd struct {
	Output string `short:"o" placeholder:"FILE" help:"File to write to. Default: standard output."`
}

// Help shows an example.
func (*cfnTemplateCmd) Help() string {
	return `It writes the template of CloudFormation that deploy uses, for those who deploy it by other means. Such a table needs its first record: "zae-limiter init" writes it. The function needs its code in the stack's own bucket, so that a first deployment takes two steps: docs/deployment.md has them.

Examples:

    zae-limiter cfn-template
    zae-limiter cfn-template -o template.yaml`
}

// Run writes it.
func (c *cfnTemplateCmd) Run(app *App) error {
	if c.Output == "" {
		_, err := fmt.Fprint(app.Out, stack.Template())
		return err
	}
	return os.WriteFile(c.Output, []byte(stack.Template()), 0o644)
}

// lambdaExportCmd writes the function's code.
type lambdaExportCmd struct {
	Output       string `short:"o" default:"lambda.zip" placeholder:"FILE" help:"File to write to. Default: ${default}."`
	Info         bool   `help:"Show what would be written, and write nothing."`
	Force        bool   `short:"f" help:"Write over a file that is there."`
	Architecture string `placeholder:"PROCESSOR" enum:",arm64,x86_64" default:"" help:"What it is to run on: arm64 or x86_64. Default: arm64, or that of this program."`
	LambdaZip    string `placeholder:"FILE" from:"ZAE_LIMITER_LAMBDA_ZIP" help:"Take this zip, or this program for Linux. Default: this program, or built with Go."`
}

// Help shows examples.
func (*lambdaExportCmd) Help() string {
	return `It writes the function's code as deploy uploads it: this program for Linux in a zip, the same bytes each time. Without a build for Linux at hand it needs Go.

Examples:

    zae-limiter lambda-export --info
    zae-limiter lambda-export -o lambda.zip --force`
}

// Run finds the code and writes it.
func (c *lambdaExportCmd) Run(ctx context.Context, app *App) error {
	if _, err := os.Stat(c.Output); !c.Info && !c.Force && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s; --force writes over it", errExists, c.Output)
	}
	o := &stack.Options{}
	err := codeInto(o, c.LambdaZip)
	if err == nil && o.Code == nil {
		o.Code, err = stack.FindCode(ctx, c.Architecture)
	}
	if err != nil {
		return inStack(err)
	}
	if c.Info {
		return app.print(formatTable, codeDoc{o.Code})
	}
	if err := os.WriteFile(c.Output, o.Code.Zip, 0o644); err != nil {
		return err
	}
	app.say("wrote %s: %s, %d bytes", c.Output, o.Code.Architecture, len(o.Code.Zip))
	return nil
}

// codeDoc is the function's code.
type codeDoc struct{ *stack.Code }

func (d codeDoc) table() table {
	return table{rows: [][]string{
		{"version", d.Version},
		{"architecture", d.Architecture},
		{"bytes", strconv.Itoa(len(d.Zip))},
		{"sha256", d.Hash},
	}}
}
