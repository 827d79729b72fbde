package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/manifest"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

var (
	// errAbsent reports that the one thing asked for does not exist.
	errAbsent = errors.New("not there")
	// errDeclined reports a question that was not answered with yes.
	errDeclined = errors.New("declined, nothing was changed")
	// errUnconfirmed reports a question that nobody could be asked.
	errUnconfirmed = errors.New("nobody is at the terminal to confirm this: add --yes if it is meant")
	// errInterrupted reports Ctrl-C at a terminal that hands it on as a key.
	errInterrupted = errors.New("interrupted")
	// errBroken reports a limit that admitted more than it may.
	errBroken = errors.New("the bound is broken")
	// errLocalRuns reports a DynamoDB Local that runs elsewhere.
	errLocalRuns = errors.New("DynamoDB Local runs already")
	// errLocalStart reports that no way to run it works.
	errLocalStart = errors.New("DynamoDB Local could not be started: install Docker, or a Java runtime (17 or newer) and Maven")
	// errLocalPort reports a port that is not free though what has used it is gone.
	errLocalPort = errors.New("DynamoDB Local has ended, and its port is still in use")
	errNoDocker  = errors.New("there is no docker command in PATH")
	errNoEngine  = errors.New("no Docker engine answers; is it started?")
	// errDrift reports that what is stored differs from a manifest.
	errDrift = errors.New("what is stored differs from the manifest; put that in force")
	// errDifferent reports a deployment that is not of this program's version.
	errDifferent = errors.New("the deployment is not of this program's version")
	// errExists reports a file that is in the way.
	errExists = errors.New("the file exists")
	// errNewer reports a deployment that an older program would take back.
	errNewer = errors.New("a newer version of this program has deployed it")
	// errNoHome reports that there is no place for the store in the file system.
	errNoHome = errors.New("this user has no data directory: name a store, for example --store bolt:limiter.db")
)

// usageError reports a command line that is wrong.
type usageError struct{ text string }

// Error is the fault and its cure.
func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// absent is errAbsent in words.
func absent(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errAbsent, fmt.Sprintf(format, args...))
}

// storeError reports a store that cannot be opened.
type storeError struct{ err error }

// Error is what the store says.
func (e *storeError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *storeError) Unwrap() error { return e.err }

// stackError reports what went wrong with a deployment, in the words of the command line.
type stackError struct {
	text string
	code int // to exit with
	err  error
}

// Error is the fault and its cure.
func (e *stackError) Error() string { return e.text }

// Unwrap gives the cause.
func (e *stackError) Unwrap() error { return e.err }

// commandError carries the exit code of a command that was run under a lease.
type commandError struct {
	code int
	text string // "" where the command has said itself what there was to say
	err  error
}

// Error tells why the command was not started.
func (e *commandError) Error() string { return e.text }

// Unwrap gives the cause, nil where the command ran.
func (e *commandError) Unwrap() error { return e.err }

// manifestError reports a manifest whose problems have been told.
type manifestError struct{ *manifest.Problems }

// Error counts them.
func (e *manifestError) Error() string {
	return fmt.Sprintf("%s in %s, nothing was changed", count(len(e.List), "error"), e.File)
}

// advice puts what the library says of a mistake into the words of the command line.
var advice = []struct {
	err  error
	says string
	cure string
}{
	{engine.ErrNoLimits, "no limits are configured", "pass some, for example -l rpm:100, or store some: zae-limiter system set-defaults -l rpm:100"},
	{engine.ErrEntityNotFound, "no such entity", "make it: zae-limiter entity create ID"},
	{engine.ErrEntityExists, "the entity exists", "change it: zae-limiter entity update ID"},
	{engine.ErrHasChildren, "the entity has children", "give them another parent, or delete with --force"},
	{engine.ErrNamespaceNotFound, "no such namespace in use", "make it: zae-limiter namespace register NAME, or bring it back: zae-limiter namespace recover NAME"},
	{engine.ErrStale, "left alone, as others changed it meanwhile", "see what is left to do: zae-limiter limits plan"},
	{errAbsent, "", ""},
}

// cutShort reports whether an error is due to our interruption: a store that could not be used in what time was left has
// not been shown to be out of reach.
func cutShort(ctx context.Context, err error) bool {
	var store *storeError
	return ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, engine.ErrUnavailable) ||
		errors.Is(err, backend.ErrUnavailable) || errors.Is(err, backend.ErrOutcomeUnknown) || errors.As(err, &store))
}

// describe is an error in one line, with its cure, for standard error.
func describe(ctx context.Context, err error) string {
	var (
		exceeded *engine.ExceededError
		store    *storeError
		input    *engine.ValidationError
		missing  *engine.MissingParentError
		deployed *stackError
		unknown  *awsconfig.Error
	)
	switch {
	case errors.As(err, &deployed):
		return deployed.text
	case cutShort(ctx, err):
		return "interrupted"
	case errors.As(err, &exceeded):
		return denial(exceeded)
	case errors.As(err, &unknown):
		return unknown.Error()
	case errors.As(err, &missing):
		return fmt.Sprintf("no such entity: %q, which would be the parent of %q; make it: zae-limiter entity create ID, or pass --allow-missing",
			missing.Parent, missing.Entity)
	case errors.As(err, &store):
		return inWords(store.Error())
	}
	text := err.Error()
	if errors.As(err, &input) {
		text = strings.Replace(text, input.Field, flagFor(input.Field), 1)
	}
	for _, a := range advice {
		if errors.Is(err, a.err) {
			text = strings.TrimPrefix(strings.Replace(text, a.err.Error(), a.says, 1), ": ")
			if a.cure != "" {
				text += "; " + a.cure
			}
		}
	}
	return inWords(text)
}

// inWords is what a part of the program says, in one line and in the words of the command line.
func inWords(text string) string {
	text, _ = briefly(unprefixed(oneLine(text)))
	return inFlags.Replace(text)
}

// flagFor is how the command line calls a field of the library, which may have a name in brackets behind it.
func flagFor(field string) string {
	flags := map[string]string{
		"Consume": "--consume", "Limits": "--limit", "Override": "--limit", "Page.After": "--after", "Page.Size": "--limit",
		"Options.Namespace": "--namespace", "Name": "--display-name", "Parent": "--parent", "Metadata": "--metadata",
	}
	name, rest, inBrackets := strings.Cut(field, "[")
	flag, known := flags[name]
	switch {
	case !known:
		return strings.ToLower(field)
	case inBrackets:
		return flag + " " + strings.TrimSuffix(rest, "]")
	}
	return flag
}

// unprefixed leaves out which part of the program speaks.
func unprefixed(s string) string {
	for _, driver := range []string{"bolt: ", "dynamo: "} {
		if _, text, ok := strings.Cut(s, driver); ok {
			return text
		}
	}
	for _, prefix := range []string{"stack: ", "dynamolocal: ", "engine: store unavailable: ", "backend: store unavailable: "} {
		s = strings.TrimPrefix(s, prefix)
	}
	return strings.TrimPrefix(strings.TrimPrefix(s, "engine: "), "backend: ")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
