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

// acquireCmd consumes tokens.
type acquireCmd struct {
	Entity   string       `arg:"" help:"Entity that consumes; it need not exist."`
	Resource string       `arg:"" help:"Resource that it uses."`
	Command  []string     `arg:"" optional:"" name:"cmd" help:"Command to run while the lease is held; write it after --."`
	Consume  []amountFlag `short:"c" required:"" placeholder:"LIMIT=N" help:"Tokens to consume of a limit, for example rpm=1. Repeatable."`
	OptionalLimits
	Override bool          `help:"Use the limits of -l even if others are configured."`
	Wait     time.Duration `placeholder:"DURATION" help:"If denied, wait and try again, for this long at most, for example 30s."`
	Output
}

// Validate rejects a command without --, so that a superfluous argument is never run.
func (c *acquireCmd) Validate(ctx *kong.Context) error {
	if len(c.Command) > 0 && !slices.Contains(ctx.Args, "--") {
		return usageErrorf("unexpected argument %q: write a command to run after --", c.Command[0])
	}
	return nil
}

// Run acquires the tokens and runs the command, if any.
func (c *acquireCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	request, err := c.request()
	if err != nil {
		return err
	}
	lease, err := acquire(ctx, app, l, request, c.Wait)
	if err != nil {
		return errors.Join(err, c.printDenial(app, err))
	}
	switch consumed := amountsText(request.Consume); {
	case lease.Degraded():
		app.logf("admitted without the store, which is unreachable, by the policy on-unavailable=allow")
	case consumed != "":
		app.reportChange("consumed %s of %s on %s", consumed, c.Entity, c.Resource)
	}
	if len(c.Command) > 0 {
		return runWithLease(ctx, app, lease, c.Command)
	}
	if err := lease.Commit(ctx); err != nil {
		return err
	}
	return app.print(c.Output.Output, admissionDoc{true, lease.Degraded(), statusDocsOf(lease.Statuses())})
}

// printDenial prints a denial as a document, unless the output is a table, since people get a line on standard error, or
// standard output belongs to a command.
func (c *acquireCmd) printDenial(app *App, err error) error {
	var exceeded *engine.ExceededError
	if errors.As(err, &exceeded) {
		app.store.takeChanged() // what was charged before a parent denied was refunded
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
		return r, usageErrorf("--override needs limits: add -l, for example -l rpm:100")
	case c.Wait < 0:
		return r, usageErrorf("--wait %v must not be negative", c.Wait)
	case c.Override:
		r.Override = limitsOf(c.Limit)
	default:
		r.Limits = limitsOf(c.Limit)
	}
	return r, nil
}

// acquire tries until it is admitted, as long as the waits that denials ask for add up to at most limit. It does not use
// [engine.Limiter.Wait] because its deadline would also interrupt calls to the store.
func acquire(ctx context.Context, app *App, limiter *engine.Limiter, r engine.Request, limit time.Duration) (*engine.Lease, error) {
	for {
		lease, err := limiter.Acquire(ctx, r)
		var exceeded *engine.ExceededError
		if !errors.As(err, &exceeded) || exceeded.NeverFits || exceeded.RetryAfter > limit {
			return lease, err
		}
		if app.hasTerminal() {
			app.logf("waiting %s for %s", readable.Wait(exceeded.RetryAfter), exceeded.Primary().Limit.Name)
		}
		if err := app.Sleep(ctx, exceeded.RetryAfter); err != nil {
			return nil, err
		}
		limit -= exceeded.RetryAfter
	}
}

// denialText describes a denial in one line.
func denialText(e *engine.ExceededError) string {
	var faults []string
	for _, s := range e.Violations() {
		faults = append(faults, fmt.Sprintf("%s of %s on %s: %d requested, %d available of %d",
			s.Limit.Name, s.Entity, s.Resource, s.Requested, s.Remaining, s.Limit.Capacity))
	}
	advice := fmt.Sprintf("retry after %[1]s, or pass --wait %[1]s", readable.Wait(e.RetryAfter))
	if e.NeverFits {
		advice = "the request exceeds the capacity and can never be admitted: consume less, or raise the limit's burst"
	}
	_, note, _ := strings.Cut(e.Error(), "retry after "+readable.Wait(e.RetryAfter)) // a note on clocks that disagree, if any
	return fmt.Sprintf("denied: %s; %s%s", strings.Join(faults, "; "), advice, note)
}

// amountsText lists the positive amounts, for example "rpm=1 tpm=50"; it is empty if there are none.
func amountsText(tokens engine.Tokens) string {
	positive := maps.Clone(tokens)
	maps.DeleteFunc(positive, func(_ string, n int64) bool { return n <= 0 })
	return tokensText(positive)
}

// admissionDoc describes an admission and the state of all limits after it.
type admissionDoc struct {
	Admitted bool        `json:"admitted"`
	Degraded bool        `json:"degraded"`
	Limits   []statusDoc `json:"limits"`
}

func (d admissionDoc) table() table { return statusTable(d.Limits) }

// denialDoc is a denial in the engine's own JSON.
type denialDoc struct{ *engine.ExceededError }

func (d denialDoc) table() table { return statusTable(statusDocsOf(d.Statuses())) }
