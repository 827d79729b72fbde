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

// cfnTemplateCmd writes the CloudFormation template.
type cfnTemplateCmd struct {
	Output string `short:"o" placeholder:"FILE" help:"File to write to. Default: standard output."`
}

func (c *cfnTemplateCmd) Run(app *App) error {
	if c.Output == "" {
		_, err := fmt.Fprint(app.Out, stack.Template())
		return err
	}
	return os.WriteFile(c.Output, []byte(stack.Template()), 0o644)
}

// lambdaExportCmd writes the code of the Lambda function.
type lambdaExportCmd struct {
	Output       string `short:"o" default:"lambda.zip" placeholder:"FILE" help:"File to write to. Default: ${default}."`
	Info         bool   `help:"Show what would be written, without writing it."`
	Force        bool   `short:"f" help:"Overwrite an existing file."`
	Architecture string `placeholder:"PROCESSOR" enum:",arm64,x86_64" default:"" help:"Processor of the function: arm64 or x86_64. Default: arm64, or that of this program."`
	LambdaZip    string `placeholder:"FILE" from:"ZAE_LIMITER_LAMBDA_ZIP" help:"Use this zip, or this program for Linux. Default: this program, or a build with Go."`
}

// Run finds or builds the code and writes it.
func (c *lambdaExportCmd) Run(ctx context.Context, app *App) error {
	if _, err := os.Stat(c.Output); !c.Info && !c.Force && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s: overwrite it with --force", errFileExists, c.Output)
	}
	o := &stack.Options{}
	err := readCodeFile(o, c.LambdaZip)
	if err == nil && o.Code == nil {
		o.Code, err = stack.FindCode(ctx, c.Architecture)
	}
	if err != nil {
		return fromStack(err)
	}
	if c.Info {
		return app.print(formatTable, codeDoc{o.Code})
	}
	if err := os.WriteFile(c.Output, o.Code.Zip, 0o644); err != nil {
		return err
	}
	app.logf("wrote %s: %s, %d bytes", c.Output, o.Code.Architecture, len(o.Code.Zip))
	return nil
}

// codeDoc describes the function's code.
type codeDoc struct{ *stack.Code }

func (d codeDoc) table() table {
	return table{rows: [][]string{
		{"version", d.Version},
		{"architecture", d.Architecture},
		{"bytes", strconv.Itoa(len(d.Zip))},
		{"sha256", d.Hash},
	}}
}
