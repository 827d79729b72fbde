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

// world is what a run touches of the machine. Tests bring their own.
type world struct {
	In       io.Reader
	Out, Err io.Writer
	Terminal func(stream any) bool                        // whether somebody sits at it
	Size     func(stream any) (width, height int)         // of that terminal
	Raw      func(stream any) (restore func(), err error) // makes it hand on each key at once
	Getenv   func(string) string
	Hostname func() (string, error)
	Now      func() time.Time
	Sleep    func(context.Context, time.Duration) error
	Seldom   func() bool                                                     // true once in a few hundred calls
	OpenFile func(name string, flag int, perm os.FileMode) (*os.File, error) // of embedded stores; nil: os.OpenFile
}

// machine is the world as it is.
func machine() world {
	return world{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Terminal: isTerminal, Size: terminalSize, Raw: makeRaw,
		Getenv: os.Getenv, Hostname: os.Hostname, Now: time.Now, Sleep: pause.For,
		Seldom: func() bool { return rand.N(300) == 0 },
	}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalSize is that of the commonest terminal where none is known.
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
	was, err := term.MakeRaw(int(f.Fd()))
	return func() { _ = term.Restore(int(f.Fd()), was) }, err
}

// App is what commands are run with: their only door to the world.
type App struct {
	world
	Globals

	store   *store // nil until something needs it
	skipped *skipped
	aws     *awsconfig.Session // nil in tests of parts
}

// grace is how much longer than the store's own wait the engine waits, so that the store's error tells what was wrong.
const grace = time.Second

// use calls f with a limiter over the chosen store.
func (a *App) use(ctx context.Context, f func(*engine.Limiter) error) error {
	limiter, err := a.limiter()
	if err != nil {
		return err
	}
	err = errors.Join(f(limiter), limiter.Close())
	if err == nil && a.Seldom() {
		a.store.tidy(ctx, a.Now())
	}
	return err
}

// limiter touches nothing yet.
func (a *App) limiter() (*engine.Limiter, error) {
	if a.Timeout < 0 {
		return nil, usage("--timeout %v: must not be negative", a.Timeout)
	}
	if a.store == nil {
		url, err := a.chosen(a.Getenv)
		if err != nil {
			return nil, err
		}
		if a.store, err = a.open(url); err != nil {
			return nil, err
		}
	}
	return engine.New(a.store, a.engineOptions())
}

// open makes the store that a URL names. It touches nothing yet.
func (a *App) open(url string) (*store, error) {
	s, err := openStore(url, a.Timeout, a.Getenv)
	if err != nil {
		return nil, err
	}
	s.now, s.signIn, s.openFile = a.Now, a.signIn, a.OpenFile
	return s, nil
}

// engineOptions are those of every limiter.
func (a *App) engineOptions() *engine.Options {
	if a.skipped == nil {
		a.skipped = new(skipped)
	}
	return &engine.Options{
		Namespace: a.Namespace,
		Timeout:   a.Timeout + grace,
		CacheSize: 64,
		Principal: a.principal(),
		Observer:  a.skipped,
		Logger:    slog.New(slog.DiscardHandler), // what matters is in errors and documents
		Now:       a.Now,
		Sleep:     a.Sleep,
	}
}

// principal is who audit events name: user@host.
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

// say writes one line to standard error.
func (a *App) say(format string, args ...any) {
	fmt.Fprintf(a.Err, "zae-limiter: %s\n", printable(oneLine(fmt.Sprintf(format, args...))))
}

// warn says, a line each, what is likely not meant.
func (a *App) warn(warnings []string) {
	for _, w := range warnings {
		a.say("warning: %s", w)
	}
}

// warnOfCascade warns of the parents of an entity that was stored just now. Failing to is not worth an error.
func (a *App) warnOfCascade(ctx context.Context, l *engine.Limiter, entity string) {
	if warnings, err := l.CascadeWarnings(ctx, entity); err == nil {
		a.warn(warnings)
	}
}

// changed says what was changed, and in which store; or that there was nothing to change.
func (a *App) changed(format string, args ...any) {
	if !a.store.takeChanged() {
		a.say("nothing to change in %s", a.store.url)
		return
	}
	a.say("%s in %s", fmt.Sprintf(format, args...), a.store.url)
}

// fail ends a run: it says what went wrong and returns the exit code.
func (a *App) fail(ctx context.Context, err error) int {
	a.saySkipped()
	if a.store != nil && a.store.takeChanged() {
		a.say("changed %s", a.store.url) // and did not get as far as saying what
	}
	if err == nil {
		return exitDone
	}
	if text := describe(ctx, err); text != "" {
		a.say("%s", text)
	}
	return exitCode(ctx, err)
}

// confirm asks whether to go on, unless yes says so.
func (a *App) confirm(ctx context.Context, yes Confirm, question string, args ...any) error {
	if yes.Yes {
		return nil
	}
	if !a.Terminal(a.In) {
		return errUnconfirmed
	}
	fmt.Fprintf(a.Err, "zae-limiter: %s [y/N] ", printable(fmt.Sprintf(question, args...)))
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.In).ReadString('\n') // an end of input is no yes
		answers <- line
	}()
	select {
	case answer := <-answers:
		if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
			return nil
		}
		return errDeclined
	case <-ctx.Done():
		fmt.Fprintln(a.Err)
		return ctx.Err()
	}
}

// fancy reports whether standard output is a terminal that shows more than plain text.
func (a *App) fancy() bool {
	return a.Terminal(a.Out) && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb" && a.Getenv("TERM") != ""
}

// attended reports whether somebody's terminal is among the standard streams.
func (a *App) attended() bool { return a.Terminal(a.In) || a.Terminal(a.Out) || a.Terminal(a.Err) }
