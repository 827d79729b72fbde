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

// manifestFile is the flag of commands that read a manifest.
type manifestFile struct {
	File         string `short:"f" required:"" placeholder:"FILE" help:"The manifest, in YAML or JSON; -: standard input."`
	TakeOver     bool   `help:"Also manage what another manifest manages now; that one loses it."`
	AllowMissing bool   `help:"Accept parents that are neither in the manifest nor in the store."`
}

// limitsPlanCmd shows what a manifest would change.
type limitsPlanCmd struct {
	manifestFile
	Output
}

// Help shows examples.
func (*limitsPlanCmd) Help() string {
	return `It changes nothing. A manifest says what shall be stored:

    system:
      on_unavailable: block
      limits: {rpm: 1000, tpm: 10000/min:15000}
    resources:
      gpt-4:
        limits: {rpm: 50}
    entities:
      user-1: {parent: team, cascade: true, limits: {rpm: 10}}
      team: {name: "The team"}

What it says is stored as a whole; what it does not mention stays as it is, unless the manifest has set it before: then it goes.
Lines begin with + for what is added, ~ changed, - removed, and ^ for what stays and is managed from then on.

Examples:

    zae-limiter limits plan -f limits.yaml
    zae-limiter limits plan -f limits.yaml -o json`
}

// Run compares.
func (c *limitsPlanCmd) Run(ctx context.Context, app *App) error {
	return c.with(ctx, app, func(_ *engine.Limiter, p *manifest.Plan) error {
		return app.print(c.Output.Output, planDocOf(p, 0))
	})
}

// limitsApplyCmd puts a manifest in force.
type limitsApplyCmd struct {
	manifestFile
	Confirm
	Output
}

// Help shows an example.
func (*limitsApplyCmd) Help() string {
	return `It shows the plan, asks, and makes the changes, each with its audit event. Applied again, it changes nothing. Interrupted, it
leaves some changes made and others not; applied again, it makes the rest. Of what somebody else changes meanwhile it keeps
its hands off, and says so.

Example:

    zae-limiter limits apply -f limits.yaml --yes`
}

// Run plans, asks and applies.
func (c *limitsApplyCmd) Run(ctx context.Context, app *App) error {
	return c.with(ctx, app, func(l *engine.Limiter, p *manifest.Plan) error {
		changes := len(p.Changes)
		if changes > 0 && !c.Yes && !app.Terminal(app.In) {
			return errUnconfirmed
		}
		if changes == 0 || c.Output.Output == formatTable {
			if err := app.print(c.Output.Output, planDocOf(p, 0)); err != nil || changes == 0 {
				app.changed("")
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
	err := p.Apply(ctx, l, bar.at)
	bar.end()
	if err != nil && !errors.Is(err, engine.ErrStale) {
		app.say("%d of %s were made before that; apply again to make the rest", bar.done, count(len(p.Changes), "change"))
	}
	if err != nil {
		return err
	}
	app.changed("made %s of the manifest %s", count(len(p.Changes), "change"), p.Manifest.Name)
	return nil
}

// limitsDiffCmd looks for drift.
type limitsDiffCmd struct {
	manifestFile
	Output
}

// Help shows an example.
func (*limitsDiffCmd) Help() string {
	return `The exit code is 0 where the store is as the manifest says, whoever manages it, and 6 where it differs. What is shown is
what apply would do about it.

Example:

    zae-limiter limits diff -f limits.yaml`
}

// Run compares, and fails where there is a difference.
func (c *limitsDiffCmd) Run(ctx context.Context, app *App) error {
	return c.with(ctx, app, func(_ *engine.Limiter, p *manifest.Plan) error {
		d := planDocOf(p, 0)
		if err := app.print(c.Output.Output, d); err != nil || !p.Drift() {
			return err
		}
		return fmt.Errorf("%w: zae-limiter limits apply -f %s", errDrift, c.File)
	})
}

// with reads the manifest and calls f with a plan of it.
func (c *manifestFile) with(ctx context.Context, app *App, f func(*engine.Limiter, *manifest.Plan) error) error {
	m, err := c.read(app)
	if err != nil {
		return app.problems(err)
	}
	switch {
	case m.Namespace == "":
		m.Namespace = app.Namespace
	case app.Namespace == engine.DefaultNamespace || app.Namespace == m.Namespace:
		app.Namespace = m.Namespace
	default:
		return usage("%s is for the namespace %s, and --namespace says %s; leave one of them out", m.File, m.Namespace, app.Namespace)
	}
	return app.use(ctx, func(l *engine.Limiter) error {
		p, err := manifest.NewPlan(ctx, l, m, &manifest.Options{TakeOver: c.TakeOver, AllowMissingParent: c.AllowMissing})
		if err != nil {
			return app.problems(err)
		}
		return f(l, p)
	})
}

func (c *manifestFile) read(app *App) (*manifest.Manifest, error) {
	name := c.File
	var text []byte
	var err error
	if name == "-" {
		name = "standard input"
		text, err = io.ReadAll(app.In)
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return nil, usage("--file %s: %v", c.File, err)
	}
	return manifest.Parse(name, text)
}

// problems says what is wrong with a manifest, one problem a line, and makes one error of it; others stay as they are.
func (a *App) problems(err error) error {
	var p *manifest.Problems
	if !errors.As(err, &p) {
		return err
	}
	for _, line := range p.Lines() {
		a.say("%s", orDash(line)) // keys of the file are in it
	}
	return &manifestError{p}
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
