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

// The exit codes, also those of a command that was run under a lease and could not be started. Each has its line in
// exitTexts.
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
	{exitDone, "done"},
	{exitFailed, "failed, or a confirmation was declined, or the store is damaged or another program's"},
	{exitUsage, "the command line is wrong: a name, an amount, a limit that is unknown"},
	{exitDenied, "denied by a limit"},
	{exitNotFound, "the one thing asked for does not exist"},
	{exitUnavailable, "the store cannot be used"},
	{exitMismatch, "a check found a difference, a broken bound, or a store of another version"},
	{exitNotStarted, "acquire ... -- CMD: CMD cannot be started; else its own exit code"},
	{exitInterrupted, "interrupted"},
}

// exitCodes is the part of the help that lists them.
func exitCodes() string {
	var s strings.Builder
	for _, e := range exitTexts {
		fmt.Fprintf(&s, "  %3d  %s\n", e.code, e.text)
	}
	return s.String()
}

// exitCode tells what an error is to whoever called us. ctx ends when we are interrupted.
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
	case cutShort(ctx, err), is(errInterrupted):
		return exitInterrupted
	case errors.As(err, &deployed):
		return deployed.code
	case errors.As(err, &written) && written.Stored:
		return exitFailed
	case errors.As(err, &asked), errors.As(err, &written), errors.As(err, &input), is(engine.ErrUnknownLimit, engine.ErrNoLimits):
		return exitUsage
	case errors.As(err, &exceeded):
		return exitDenied
	case is(errAbsent, engine.ErrEntityNotFound, engine.ErrNamespaceNotFound):
		return exitNotFound
	case is(engine.ErrSchema, errBroken, errDrift, errDifferent, errNewer):
		return exitMismatch
	case is(backend.ErrCorrupt): // also where it shows when the file is opened
		return exitFailed
	case errors.As(err, &store), errors.As(err, &unknown), is(engine.ErrUnavailable, backend.ErrUnavailable):
		return exitUnavailable
	}
	return exitFailed
}
