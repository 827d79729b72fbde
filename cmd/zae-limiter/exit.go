package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

// The exit codes. Each has an entry in exitTexts.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitDenied      = 3
	exitNotFound    = 4
	exitUnavailable = 5
	exitMismatch    = 6
	exitNotStarted  = 127
	exitInterrupted = 130
)

var exitTexts = []struct {
	code int
	text string
}{
	{exitDone, "success"},
	{exitFailed, "failure; also a declined confirmation, and a damaged or foreign store"},
	{exitUsage, "invalid command line, for example an unknown limit"},
	{exitDenied, "denied by a limit"},
	{exitNotFound, "the requested object does not exist"},
	{exitUnavailable, "the store is unavailable"},
	{exitMismatch, "a check failed: drift, a violated limit, or another version"},
	{exitNotStarted, "acquire ... -- CMD: CMD could not be started; otherwise the exit code is CMD's"},
	{exitInterrupted, "interrupted"},
}

// exitCodeHelp returns the list of exit codes for the help.
func exitCodeHelp() string {
	var s strings.Builder
	for _, e := range exitTexts {
		fmt.Fprintf(&s, "  %3d  %s\n", e.code, e.text)
	}
	return s.String()
}

// exitCode returns the exit code for an error. ctx is done when the program was interrupted.
func exitCode(ctx context.Context, err error) int {
	var (
		ended    *commandError
		asked    *usageError
		input    *engine.ValidationError
		exceeded *engine.ExceededError
		store    *storeError
		written  *manifestError
		deployed *stackError
		unknown  *awsconfig.Error
	)
	is := func(targets ...error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &ended):
		return ended.code
	case causedByInterrupt(ctx, err), is(errInterrupted):
		return exitInterrupted
	case errors.As(err, &deployed):
		return deployed.code
	case errors.As(err, &written) && written.Stored:
		return exitFailed
	case errors.As(err, &asked), errors.As(err, &written), errors.As(err, &input), is(engine.ErrUnknownLimit, engine.ErrNoLimits):
		return exitUsage
	case errors.As(err, &exceeded):
		return exitDenied
	case is(errNotFound, engine.ErrEntityNotFound, engine.ErrNamespaceNotFound):
		return exitNotFound
	case is(engine.ErrSchema, errBoundBroken, errDrift, errOtherVersion):
		return exitMismatch
	case is(backend.ErrCorrupt): // before storeError, which wraps it if opening the file finds the damage
		return exitFailed
	case errors.As(err, &store), errors.As(err, &unknown), is(engine.ErrUnavailable, backend.ErrUnavailable):
		return exitUnavailable
	}
	return exitFailed
}
