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

// runUnder runs a command while the lease is held, and settles it. The command's exit code is in the error; nil is 0.
func runUnder(ctx context.Context, app *App, lease *engine.Lease, args []string) error {
	defer lease.Rollback(ctx) //nolint:errcheck // nothing after Commit; before it, only if we panic
	command := exec.Command(args[0], args[1:]...)
	command.Stdin, command.Stdout, command.Stderr = app.In, app.Out, app.Err
	signals := make(chan os.Signal, 8)
	notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)

	err := ctx.Err() // interrupted before it began?
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		return notStarted(ctx, app, lease, err)
	}
	ended := make(chan struct{})
	go forward(signals, command.Process, app.attended(), ended)
	err = command.Wait()
	close(ended)
	return errors.Join(outcome(err, command.ProcessState), lease.Commit(context.WithoutCancel(ctx)))
}

// notify asks for signals, but not for those that whoever started us wants to be ignored, as nohup does.
func notify(signals chan<- os.Signal, wanted ...os.Signal) {
	for _, s := range wanted {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
}

// notStarted gives the tokens back.
func notStarted(ctx context.Context, app *App, lease *engine.Lease, cause error) error {
	back := "the tokens went back"
	if err := lease.Rollback(ctx); err != nil {
		back = "and giving the tokens back failed: " + unprefixed(err.Error())
	}
	app.store.takeChanged()
	if ctx.Err() != nil {
		return cause
	}
	return &commandError{exitNotStarted, fmt.Sprintf("the command was not started, %s: %v", back, cause), cause}
}

// forward hands signals on to the command until it has ended. What a terminal sends at a key press it has sent to the
// command as well.
func forward(signals <-chan os.Signal, to *os.Process, attended bool, ended <-chan struct{}) {
	for {
		select {
		case s := <-signals:
			if !attended || s != os.Interrupt && s != syscall.SIGQUIT {
				_ = to.Signal(s) // it may have ended
			}
		case <-ended:
			return
		}
	}
}

// outcome is how the command ended, nil for exit code 0. A signal is 128 and its number, as shells have it.
func outcome(err error, state *os.ProcessState) error {
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
