package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/zeroae/zae-limiter-go/engine"
)

// runWithLease runs a command while the lease is held, then commits the lease. The error carries the command's exit code; nil
// means 0.
func runWithLease(ctx context.Context, app *App, lease *engine.Lease, args []string) error {
	defer lease.Rollback(ctx) //nolint:errcheck // has no effect after Commit; it only matters after a panic
	command := exec.Command(args[0], args[1:]...)
	command.Stdin, command.Stdout, command.Stderr = app.In, app.Out, app.Err
	signals := make(chan os.Signal, 8)
	notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)

	err := ctx.Err() // an interruption may have come before the signals were registered
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		return commandNotStarted(ctx, app, lease, err)
	}
	ended := make(chan struct{})
	go forwardSignals(signals, command.Process, app.hasTerminal(), ended)
	err = command.Wait()
	close(ended)
	return errors.Join(commandResult(err, command.ProcessState), lease.Commit(context.WithoutCancel(ctx)))
}

// notify registers for signals, except for those that the parent process ignores, as nohup does.
func notify(signals chan<- os.Signal, wanted ...os.Signal) {
	for _, s := range wanted {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
}

// commandNotStarted rolls the lease back and returns the error for a command that could not be started.
func commandNotStarted(ctx context.Context, app *App, lease *engine.Lease, cause error) error {
	refund := "the tokens were refunded"
	if err := lease.Rollback(ctx); err != nil {
		refund = "and the refund failed: " + withoutPrefix(err.Error())
	}
	app.store.takeChanged()
	if ctx.Err() != nil {
		return cause
	}
	return &commandError{exitNotStarted, fmt.Sprintf("start the command: %v; %s", cause, refund), cause}
}

// forwardSignals forwards signals to the command until the command has ended. Signals that a terminal sends for a key press
// are not forwarded: the terminal has already sent them to the command.
func forwardSignals(signals <-chan os.Signal, to *os.Process, attended bool, ended <-chan struct{}) {
	for {
		select {
		case s := <-signals:
			if !attended || s != os.Interrupt && s != syscall.SIGQUIT {
				_ = to.Signal(s) // the command may have ended already
			}
		case <-ended:
			return
		}
	}
}

// commandResult returns nil for exit code 0, else an error with the exit code. For a command that a signal has ended, that is
// 128 plus the number of the signal, as in shells.
func commandResult(err error, state *os.ProcessState) error {
	if err == nil {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &commandError{code: 128 + int(status.Signal()), err: err}
	}
	return &commandError{code: state.ExitCode(), err: err}
}
