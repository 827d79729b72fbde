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
	// errNotFound means that the requested object does not exist.
	errNotFound = errors.New("not found")
	// errDeclined means that the answer to a confirmation was not yes.
	errDeclined = errors.New("not confirmed: nothing was changed")
	// errUnconfirmed means that a confirmation is needed and standard input is no terminal.
	errUnconfirmed = errors.New("confirmation needed, but standard input is not a terminal: pass --yes to confirm")
	// errInterrupted means that Ctrl-C was read as a key from a terminal in raw mode.
	errInterrupted = errors.New("interrupted")
	// errBoundBroken means that a limit admitted more tokens than it allows.
	errBoundBroken = errors.New("limit violated")
	// errProcessEnded means that a process of a load test ended before its report.
	errProcessEnded = errors.New("it ended without a report")
	// errProcessRubbish means that a process of a load test printed something else.
	errProcessRubbish = errors.New("it printed something that is no report")
	// errProcessSilent means that a process of a load test has printed nothing for too long.
	errProcessSilent = errors.New("it has not reported")
	// errLocalRunning means that DynamoDB Local already runs on another port.
	errLocalRunning = errors.New("DynamoDB Local is already running")
	// errLocalStart means that neither Docker nor Java could run DynamoDB Local.
	errLocalStart = errors.New("DynamoDB Local could not be started: install Docker, or a Java runtime (17 or newer) and Maven")
	// errLocalPortInUse means that the port is still in use after DynamoDB Local has stopped.
	errLocalPortInUse = errors.New("DynamoDB Local has stopped, but its port is still in use")
	errNoDocker       = errors.New("there is no docker command in PATH")
	errNoEngine       = errors.New("the Docker engine does not answer; is it running?")
	// errDrift means that the stored configuration differs from a manifest.
	errDrift = errors.New("the stored configuration differs from the manifest; to apply the manifest, run")
	// errOtherVersion means that a deployment has another version than this program.
	errOtherVersion = errors.New("the deployment has another version than this program")
	// errFileExists means that an output file already exists.
	errFileExists = errors.New("the file already exists")
	// errNoDataFolder means that the user's data directory, where the default store is, is unknown.
	errNoDataFolder = errors.New("this user has no data directory: name a store, for example --store bolt:limiter.db")
)

// usageError reports an invalid command line.
type usageError struct{ text string }

// Error returns the reason and what to do.
func (e *usageError) Error() string { return e.text }

func usageErrorf(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// notFound returns an error that is errNotFound, with details.
func notFound(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errNotFound, fmt.Sprintf(format, args...))
}

// storeError reports a store that cannot be opened.
type storeError struct{ err error }

// Error returns the store's message.
func (e *storeError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *storeError) Unwrap() error { return e.err }

// stackError reports a failure of package stack, with the names of flags in place of the names of options.
type stackError struct {
	text string
	code int // exit code
	err  error
}

// Error returns the reason and what to do.
func (e *stackError) Error() string { return e.text }

// Unwrap returns the cause.
func (e *stackError) Unwrap() error { return e.err }

// commandError carries the exit code of a command that ran, or should have run, while a lease was held.
type commandError struct {
	code int
	text string // empty if the command ran: it has reported its own errors
	err  error
}

// Error says why the command was not started.
func (e *commandError) Error() string { return e.text }

// Unwrap returns the cause.
func (e *commandError) Unwrap() error { return e.err }

// manifestError reports an invalid manifest whose problems have already been printed.
type manifestError struct{ *manifest.Problems }

// Error returns the number of problems.
func (e *manifestError) Error() string {
	return fmt.Sprintf("%s in %s; nothing was changed", count(len(e.List), "error"), e.File)
}

// advice replaces an engine error's text by one for the command line, and adds the command that helps.
var advice = []struct {
	err  error
	text string
	cure string
}{
	{engine.ErrNoLimits, "no limits are configured", "pass limits, for example -l rpm:100, or set defaults: zae-limiter system set-defaults -l rpm:100"},
	{engine.ErrUnknownLimit, "unknown limit", "see which limits apply: zae-limiter explain ENTITY RESOURCE"},
	{engine.ErrEntityNotFound, "entity not found", "create it: zae-limiter entity create ID"},
	{engine.ErrEntityExists, "the entity already exists", "change it: zae-limiter entity update ID"},
	{engine.ErrHasChildren, "the entity has children", "move them to another parent, or delete with --force"},
	{engine.ErrNamespaceNotFound, "no active namespace of this name", "create it: zae-limiter namespace register NAME, or, if it is deleted, restore it: zae-limiter namespace recover NAME"},
	{engine.ErrStale, "not changed: somebody else has changed it since the plan", "see the remaining changes: zae-limiter limits plan"},
	{errNotFound, "", ""},
}

// causedByInterrupt reports whether an error may be a consequence of the interruption of this program. In that case it does
// not mean that the store is unreachable.
func causedByInterrupt(ctx context.Context, err error) bool {
	var store *storeError
	return ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, engine.ErrUnavailable) ||
		errors.Is(err, backend.ErrUnavailable) || errors.Is(err, backend.ErrOutcomeUnknown) || errors.As(err, &store))
}

// describe returns an error as one line for standard error, with what to do.
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
	case causedByInterrupt(ctx, err):
		return "interrupted"
	case errors.As(err, &exceeded):
		return denialText(exceeded)
	case errors.As(err, &unknown):
		return unknown.Error()
	case errors.As(err, &missing):
		return fmt.Sprintf("entity not found: %q, the parent of %q: create it: zae-limiter entity create ID, or pass --allow-missing",
			missing.Parent, missing.Entity)
	case errors.As(err, &store):
		return commandLineText(store.Error())
	}
	text := err.Error()
	if errors.As(err, &input) {
		text = strings.Replace(text, input.Field, flagFor(input.Field), 1)
	}
	for _, a := range advice {
		if errors.Is(err, a.err) {
			text = strings.TrimPrefix(strings.Replace(text, a.err.Error(), a.text, 1), ": ")
			if a.cure != "" {
				text += "; " + a.cure
			}
		}
	}
	return commandLineText(text)
}

// commandLineText returns a library's message as one line, with flags in place of option names.
func commandLineText(text string) string {
	text, _ = trimSDKText(withoutPrefix(oneLine(text)))
	return optionNames.Replace(text)
}

// flagFor returns the flag for a field of the library, which may be followed by a name in brackets: Limits[rpm].
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

// withoutPrefix removes the package names at the start of a message.
func withoutPrefix(s string) string {
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
