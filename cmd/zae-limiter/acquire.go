package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/readable"
)

// acquireCmd takes tokens.
type acquireCmd struct {
	Entity   string       `arg:"" help:"Who takes them; need not exist."`
	Resource string       `arg:"" help:"What they are for."`
	Command  []string     `arg:"" optional:"" name:"cmd" help:"Command to run while holding them; goes behind --."`
	Consume  []amountFlag `short:"c" required:"" placeholder:"LIMIT=N" help:"How many tokens of which limit, for example rpm=1. Repeatable."`
	OptionalLimits
	Override bool          `help:"The limits given with -l beat those that are stored."`
	Wait     time.Duration `placeholder:"DURATION" help:"If denied, wait for the tokens up to this long in all, for example 30s."`
	Output
}

// Help explains leases and shows examples.
func (*acquireCmd) Help() string {
	return `All limits are taken from, and those of the parents where the entity cascades, or none is. A denial says so on
standard error, with the time after which to try again, and exits with 3.

With -- CMD the command is run if the tokens were there, and not at all if not. Its exit code is ours, and standard
output is its alone. If it cannot be started the tokens go back. The store is not held while it runs.

Examples:

    zae-limiter acquire user-123 gpt-4 -c rpm=1 -c tpm=500
    zae-limiter acquire user-123 gpt-4 -c rpm=1 --wait 30s -- echo "calling the model"`
}

// Validate refuses a command that is not behind --, so that a word too many is never run.
func (c *acquireCmd) Validate(ctx *kong.Context) error {
	if len(c.Command) > 0 && !slices.Contains(ctx.Args, "--") {
		return usage("unexpected argument %q; a command to run goes behind --", c.Command[0])
	}
	return nil
}

// Run acquires, and runs the command if there is one.
func (c *acquireCmd) Run(ctx context.Context, app *App) error {
	request, err := c.request()
	if err != nil {
		return err
	}
	return app.use(ctx, func(l *engine.Limiter) error {
		lease, err := acquire(ctx, app, l, request, c.Wait)
		if err != nil {
			return errors.Join(err, c.printDenial(app, err))
		}
		switch took := amounts(request.Consume); {
		case lease.Degraded():
			app.say("admitted without the store, by the policy that is stored for when it cannot be reached")
		case took != "":
			app.changed("took %s of %s on %s", took, c.Entity, c.Resource)
		}
		if len(c.Command) > 0 {
			return runUnder(ctx, app, lease, c.Command)
		}
		if err := lease.Commit(ctx); err != nil {
			return err
		}
		return app.print(c.Output.Output, admissionDoc{true, lease.Degraded(), statusDocsOf(lease.Statuses())})
	})
}

// printDenial gives programs the document of a denial; people have a line on standard error. A command's standard
// output is its alone.
func (c *acquireCmd) printDenial(app *App, err error) error {
	var exceeded *engine.ExceededError
	if errors.As(err, &exceeded) {
		app.store.takeChanged() // what was taken before a parent denied is back
	}
	if c.Output.Output == formatTable || len(c.Command) > 0 || !errors.As(err, &exceeded) {
		return nil
	}
	return app.print(c.Output.Output, denialDoc{exceeded})
}

func (c *acquireCmd) request() (engine.Request, error) {
	tokens, err := tokensOf(c.Consume)
	r := engine.Request{Entity: c.Entity, Resource: c.Resource, Consume: tokens}
	switch {
	case err != nil:
		return r, err
	case c.Override && len(c.Limit) == 0:
		return r, usage("--override needs the limits that are to hold: add -l, for example -l rpm:100")
	case c.Wait < 0:
		return r, usage("--wait %v: must not be negative", c.Wait)
	case c.Override:
		r.Override = limitsOf(c.Limit)
	default:
		r.Limits = limitsOf(c.Limit)
	}
	return r, nil
}

// acquire tries once, and again as often as the denials' times fit into most. It is not [engine.Limiter.Wait], whose
// deadline would also cut off calls to the store.
func acquire(ctx context.Context, app *App, limiter *engine.Limiter, r engine.Request, most time.Duration) (*engine.Lease, error) {
	for {
		lease, err := limiter.Acquire(ctx, r)
		var exceeded *engine.ExceededError
		if !errors.As(err, &exceeded) || exceeded.NeverFits || exceeded.RetryAfter > most {
			return lease, err
		}
		if app.attended() {
			app.say("waiting %s for %s", readable.Wait(exceeded.RetryAfter), exceeded.Primary().Limit.Name)
		}
		if err := app.Sleep(ctx, exceeded.RetryAfter); err != nil {
			return nil, err
		}
		most -= exceeded.RetryAfter
	}
}

// denial is a denial for people, in one line.
func denial(e *engine.ExceededError) string {
	var faults []string
	for _, s := range e.Violations() {
		faults = append(faults, fmt.Sprintf("%s of %s on %s: %d requested, %d available of %d",
			s.Limit.Name, s.Entity, s.Resource, s.Requested, s.Remaining, s.Limit.Capacity))
	}
	cure := fmt.Sprintf("try again in %[1]s, or have --wait %[1]s do so", readable.Wait(e.RetryAfter))
	if e.NeverFits {
		cure = "it can never fit: ask for less, or raise the limit's burst"
	}
	_, note, _ := strings.Cut(e.Error(), "retry after "+readable.Wait(e.RetryAfter)) // what there is to know of clocks
	return fmt.Sprintf("denied: %s; %s%s", strings.Join(faults, "; "), cure, note)
}

// amounts is what was consumed, in words; "" for nothing.
func amounts(tokens engine.Tokens) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(tokens)) {
		if n := tokens[name]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", name, n))
		}
	}
	return strings.Join(parts, " ")
}

// admissionDoc is what is left after an admission.
type admissionDoc struct {
	Admitted bool        `json:"admitted"`
	Degraded bool        `json:"degraded"`
	Limits   []statusDoc `json:"limits"`
}

func (d admissionDoc) table() table { return statusTable(d.Limits) }

// denialDoc is the engine's own document.
type denialDoc struct{ *engine.ExceededError }

func (d denialDoc) table() table { return statusTable(statusDocsOf(d.Statuses())) }
