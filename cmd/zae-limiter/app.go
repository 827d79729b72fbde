package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// host is everything that a run uses of the machine. Tests substitute their own.
type host struct {
	In         io.Reader
	Out, Err   io.Writer
	Terminal   func(stream any) bool                        // whether a stream is a terminal
	Size       func(stream any) (width, height int)         // in columns and lines
	Raw        func(stream any) (restore func(), err error) // raw mode: each key is delivered at once
	Getenv     func(string) string
	Hostname   func() (string, error)
	Now        func() time.Time
	Sleep      func(context.Context, time.Duration) error
	SampleTidy func() bool                                                     // whether this run does housekeeping; true once in a few hundred calls
	Program    func() (string, error)                                          // the path of this program
	OpenFile   func(name string, flag int, perm os.FileMode) (*os.File, error) // for embedded stores; nil means os.OpenFile
}

// realHost is the machine that the process runs on.
func realHost() host {
	return host{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Terminal: isTerminal, Size: terminalSize, Raw: makeRaw,
		Getenv: os.Getenv, Hostname: os.Hostname, Now: time.Now, Sleep: pause.For, Program: os.Executable,
		SampleTidy: func() bool { return rand.N(300) == 0 },
	}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalSize returns the size of a terminal, or 80 columns and 24 lines if it is unknown.
func terminalSize(stream any) (width, height int) {
	if f, ok := stream.(*os.File); ok {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	return 80, 24
}

func makeRaw(stream any) (restore func(), err error) {
	f, ok := stream.(*os.File)
	if !ok {
		return func() {}, nil
	}
	state, err := term.MakeRaw(int(f.Fd()))
	return func() { _ = term.Restore(int(f.Fd()), state) }, err
}

// App is the argument of every command's Run method: global flags, the host and the selected store.
type App struct {
	host
	Globals

	store   *store          // set by selectStore
	opened  *engine.Limiter // to be closed at the end
	skipped *skipped
	aws     *awsconfig.Session // nil in tests without AWS
}

// engineGrace is how much longer than the store the engine waits, so that the store's own, more specific, error is reported.
const engineGrace = time.Second

// limiter returns a limiter over the selected store, which close closes. It does no I/O. Run methods that have a parameter of
// this type get it.
func (a *App) limiter() (l *engine.Limiter, err error) {
	if err := a.selectStore(); err != nil {
		return nil, err
	}
	a.opened, err = engine.New(a.store, a.engineOptions())
	return a.opened, err
}

// close closes the limiter of a command, if any, and does the housekeeping of its store now and then. It returns the error of
// the command, joined with its own.
func (a *App) close(ctx context.Context, err error) error {
	if a.opened == nil {
		return err
	}
	err = errors.Join(err, a.opened.Close())
	if err == nil && a.SampleTidy() {
		a.store.tidy(ctx, a.Now())
	}
	if ctx.Err() != nil { // an interrupted command waits for nothing
		return err
	}
	return errors.Join(err, a.store.Close())
}

// selectStore sets the store that the flags and the environment select, unless it is set already. It does no I/O.
func (a *App) selectStore() error {
	if a.Timeout < 0 {
		return usageErrorf("--timeout %v must not be negative", a.Timeout)
	}
	if a.store != nil {
		return nil
	}
	url, err := a.storeURL(a.Getenv)
	if err == nil {
		a.store, err = a.open(url)
	}
	return err
}

// open returns the store that a URL names. It does no I/O.
func (a *App) open(url string) (*store, error) {
	s, err := openStore(url, a.Timeout, a.Getenv)
	if err != nil {
		return nil, err
	}
	s.now, s.signIn, s.openFile = a.Now, a.signIn, a.OpenFile
	return s, nil
}

// engineOptions returns the options of every limiter that the command creates.
func (a *App) engineOptions() *engine.Options {
	if a.skipped == nil {
		a.skipped = new(skipped)
	}
	return &engine.Options{
		Namespace: a.Namespace,
		Timeout:   a.Timeout + engineGrace,
		CacheSize: 64,
		Principal: a.principal(),
		Observer:  a.skipped,
		Logger:    slog.New(slog.DiscardHandler), // errors and documents report what matters
		Now:       a.Now,
		Sleep:     a.Sleep,
	}
}

// principal returns the name that audit events record: user@host.
func (a *App) principal() string {
	name := fmt.Sprintf("uid%d", os.Getuid())
	for _, variable := range []string{"USER", "LOGNAME", "USERNAME"} {
		if v := a.Getenv(variable); v != "" {
			name = v
			break
		}
	}
	host, err := a.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}

// logf writes one line to standard error, after the program's name.
func (a *App) logf(format string, args ...any) {
	fmt.Fprintf(a.Err, "zae-limiter: %s\n", printable(oneLine(fmt.Sprintf(format, args...))))
}

// logWarnings writes each warning as a line of its own.
func (a *App) logWarnings(warnings []string) {
	for _, w := range warnings {
		a.logf("warning: %s", w)
	}
}

// reportChange logs what was changed and in which store, or that nothing had to be changed.
func (a *App) reportChange(format string, args ...any) {
	if !a.store.takeChanged() {
		a.logf("nothing to change in %s", a.store.url)
		return
	}
	a.logf("%s in %s", fmt.Sprintf(format, args...), a.store.url)
}

// reportResult is like reportChange, unless the change has failed: then it returns the error.
func (a *App) reportResult(err error, format string, args ...any) error {
	if err == nil {
		a.reportChange(format, args...)
	}
	return err
}

// finish logs the error of a run, if any, and returns the exit code.
func (a *App) finish(ctx context.Context, err error) int {
	a.reportSkipped()
	if a.store != nil && a.store.takeChanged() {
		a.logf("changed %s", a.store.url) // the command failed before it could say what it changed
	}
	if err == nil {
		return exitDone
	}
	if text := describe(ctx, err); text != "" {
		a.logf("%s", text)
	}
	return exitCode(ctx, err)
}

// confirm asks on the terminal whether to continue, unless yes says so. It returns nil for yes.
func (a *App) confirm(ctx context.Context, yes Confirm, question string, args ...any) error {
	if yes.Yes {
		return nil
	}
	if !a.Terminal(a.In) {
		return errUnconfirmed
	}
	fmt.Fprintf(a.Err, "zae-limiter: %s [y/N] ", printable(fmt.Sprintf(question, args...)))
	answer, err := await(ctx, func() (string, error) {
		line, _ := bufio.NewReader(a.In).ReadString('\n') // at the end of input the answer is empty, which means no
		return strings.ToLower(strings.TrimSpace(line)), nil
	})
	switch {
	case err != nil:
		fmt.Fprintln(a.Err)
		return err
	case answer == "y" || answer == "yes":
		return nil
	}
	return errDeclined
}

// await returns the result of read, or the error of ctx if that is done first, because an interruption does not end a read from a
// terminal or a pipe. Then read goes on.
func await[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	results := make(chan result, 1)
	go func() {
		value, err := read()
		results <- result{value, err}
	}()
	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// styled reports whether standard output is a terminal that supports colors.
func (a *App) styled() bool {
	return a.drawable(a.Out) && a.Getenv("NO_COLOR") == ""
}

// drawable reports whether a stream is a terminal that supports control sequences.
func (a *App) drawable(stream any) bool {
	name := a.Getenv("TERM")
	return a.Terminal(stream) && name != "" && name != "dumb"
}

// hasTerminal reports whether any standard stream is a terminal.
func (a *App) hasTerminal() bool { return a.Terminal(a.In) || a.Terminal(a.Out) || a.Terminal(a.Err) }
