package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/manifest"
	"github.com/zeroae/zae-limiter-go/engine"
)

// manifestFile holds the flags of commands that read a manifest.
type manifestFile struct {
	File         string `short:"f" required:"" placeholder:"FILE" help:"Manifest in YAML or JSON; -: standard input."`
	TakeOver     bool   `help:"Take over settings that another manifest manages now."`
	AllowMissing bool   `help:"Accept parents that are neither in the manifest nor in the store."`
}

// limitsPlanCmd shows what a manifest would change.
type limitsPlanCmd struct {
	manifestFile
	Output
}

func (c *limitsPlanCmd) Run(ctx context.Context, app *App) error {
	return c.withPlan(ctx, app, func(_ *engine.Limiter, p *manifest.Plan) error {
		return app.print(c.Output.Output, planDocOf(p, 0))
	})
}

// limitsApplyCmd applies a manifest.
type limitsApplyCmd struct {
	manifestFile
	Confirm
	Output
}

// Run plans, asks and applies.
func (c *limitsApplyCmd) Run(ctx context.Context, app *App) error {
	return c.withPlan(ctx, app, func(l *engine.Limiter, p *manifest.Plan) error {
		changes := len(p.Changes)
		if changes > 0 && !c.Yes && !app.Terminal(app.In) {
			return errUnconfirmed
		}
		if changes == 0 || c.Output.Output == formatTable {
			if err := app.print(c.Output.Output, planDocOf(p, 0)); err != nil || changes == 0 {
				app.reportChange("")
				return err
			}
		}
		question := fmt.Sprintf("Make %s?", count(changes, "change"))
		if removed := p.Count(manifest.Remove); removed > 0 {
			question = fmt.Sprintf("Make %s, of which %d remove something?", count(changes, "change"), removed)
		}
		if err := app.confirm(ctx, c.Confirm, "%s", question); err != nil {
			return err
		}
		if err := c.apply(ctx, app, l, p); err != nil || c.Output.Output == formatTable {
			return err
		}
		return app.print(c.Output.Output, planDocOf(p, changes))
	})
}

func (c *limitsApplyCmd) apply(ctx context.Context, app *App, l *engine.Limiter, p *manifest.Plan) error {
	bar := app.progress("changes made", len(p.Changes))
	err := p.Apply(ctx, l, bar.update)
	bar.end()
	if err != nil && !errors.Is(err, engine.ErrStale) {
		app.logf("at least %d of %s were made; apply again to make the rest", bar.done, count(len(p.Changes), "change"))
	}
	if err != nil {
		return err
	}
	app.reportChange("made %s of the manifest %s", count(len(p.Changes), "change"), p.Manifest.Name)
	return nil
}

// limitsDiffCmd detects drift.
type limitsDiffCmd struct {
	manifestFile
	Output
}

// Run compares, and fails if there is a difference.
func (c *limitsDiffCmd) Run(ctx context.Context, app *App) error {
	return c.withPlan(ctx, app, func(_ *engine.Limiter, p *manifest.Plan) error {
		d := planDocOf(p, 0)
		if err := app.print(c.Output.Output, d); err != nil || !p.Drift() {
			return err
		}
		return fmt.Errorf("%w: zae-limiter limits apply -f %s", errDrift, c.File)
	})
}

// withPlan reads the manifest and calls f with its plan.
func (c *manifestFile) withPlan(ctx context.Context, app *App, f func(*engine.Limiter, *manifest.Plan) error) error {
	m, err := c.read(ctx, app)
	if err != nil {
		return app.reportProblems(err)
	}
	switch {
	case m.Namespace == "":
		m.Namespace = app.Namespace
	case app.Namespace == engine.DefaultNamespace || app.Namespace == m.Namespace:
		app.Namespace = m.Namespace
	default:
		return usageErrorf("%s is for the namespace %s, but --namespace is %s: leave out one of them", m.File, m.Namespace, app.Namespace)
	}
	l, err := app.limiter()
	if err != nil {
		return err
	}
	p, err := manifest.NewPlan(ctx, l, m, &manifest.Options{TakeOver: c.TakeOver, AllowMissingParent: c.AllowMissing})
	if err != nil {
		return app.reportProblems(err)
	}
	return f(l, p)
}

// read reads the manifest, until ctx is done.
func (c *manifestFile) read(ctx context.Context, app *App) (*manifest.Manifest, error) {
	name := c.File
	read := func() ([]byte, error) { return os.ReadFile(name) }
	if name == "-" {
		name = "standard input"
		read = func() ([]byte, error) { return io.ReadAll(app.In) }
	}
	text, err := await(ctx, read)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return nil, usageErrorf("--file %s: %v", c.File, err)
	}
	return manifest.Parse(name, text)
}

// reportProblems logs the problems of an invalid manifest, one a line, and returns one error for all; it returns other errors
// unchanged.
func (a *App) reportProblems(err error) error {
	var p *manifest.Problems
	if !errors.As(err, &p) {
		return err
	}
	for _, line := range p.Lines() {
		a.logf("%s", orDash(line)) // it may contain keys from the file
	}
	return &manifestError{p}
}

// count returns a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
