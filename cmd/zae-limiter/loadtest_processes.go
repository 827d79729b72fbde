package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/load"
)

// loadGroup is the processes of a load test.
type loadGroup struct {
	app       *App
	processes []*loadProcess
	heard     chan heardMessage
	done      chan struct{}
	paths     int           // number of load.Options.Paths
	patience  time.Duration // how long a process may be silent
}

// loadProcess is one of them. Only the goroutine that collects uses it after the start.
type loadProcess struct {
	command *exec.Cmd
	in      io.WriteCloser
	said    tail // on standard error
	at      time.Time
	ready   bool
	now     load.Progress
	last    *loadMessage
	over    chan struct{} // closed when it has ended
}

// heardMessage is what a process has printed, or why it prints nothing more.
type heardMessage struct {
	from    int
	message loadMessage
	err     error
}

// runProcesses starts the processes, lets all of them send their share of the load at the same time, and merges what they report.
// It ends the processes that it has started, and no others.
func (c *loadtestCmd) runProcesses(ctx context.Context, app *App, o load.Options) (*load.Report, error) {
	program, err := app.Program()
	if err != nil {
		return nil, err
	}
	g := &loadGroup{app: app, heard: make(chan heardMessage), done: make(chan struct{}), paths: len(o.Paths), patience: c.Patience}
	defer g.end()
	for i := range c.Processes {
		mine := o
		mine.Rate, mine.Seed, mine.InFlight = o.Rate/float64(c.Processes), o.Seed+uint64(i), max(1, o.InFlight/c.Processes) //nolint:gosec // i is not negative
		if err := g.start(program, loadSpec{mine, c.Limiters, c.Entities, c.Prefetch}); err != nil {
			return nil, g.broken(i, err)
		}
	}
	report, err := g.report(ctx, o)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return report, err
}

// report lets the processes that have started send their load, and merges what they report.
func (g *loadGroup) report(ctx context.Context, o load.Options) (*load.Report, error) {
	if _, err := g.collect(ctx, nil, func(p *loadProcess) bool { return p.ready }); err != nil {
		return nil, err
	}
	for _, p := range g.processes {
		_, _ = io.WriteString(p.in, "{}\n") // who does not read it any more has ended, which collect finds
	}
	events, err := g.collect(ctx, o.Progress, func(p *loadProcess) bool { return p.last != nil })
	if err != nil {
		return nil, err
	}
	var parts []*load.Part
	failed := 0
	for i, p := range g.processes {
		parts = append(parts, p.last.Part)
		if p.last.Failed != "" {
			err, failed = g.failed(i, p.last.Code, p.last.Failed), failed+1
		}
	}
	if failed == len(parts) {
		return nil, err
	}
	report, err := load.Merge(o, parts, events)
	if bad, ok := errors.AsType[*load.PartError](err); ok {
		return nil, g.broken(bad.Part, fmt.Errorf("%w: %w", errProcessRubbish, bad.Err))
	}
	return report, err
}

// start starts a process and gives it its task.
func (g *loadGroup) start(program string, spec loadSpec) error {
	name, _, _ := strings.Cut(g.app.store.url, " ")
	command := exec.Command(program, "loadtest-process", "--store", name, "--namespace", g.app.Namespace, "--timeout", g.app.Timeout.String())
	command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "ZAE_LIMITER_STORE=") || strings.HasPrefix(v, "ZAE_LIMITER_NAME=")
	})
	p := &loadProcess{command: command, at: g.app.Now(), over: make(chan struct{})}
	command.Stderr = &p.said
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if p.in, err = command.StdinPipe(); err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	g.processes = append(g.processes, p)
	go g.listen(len(g.processes)-1, p, out)
	return json.NewEncoder(p.in).Encode(spec)
}

// listen passes on what a process prints, and waits for its end.
func (g *loadGroup) listen(i int, p *loadProcess, out io.Reader) {
	decoder := json.NewDecoder(out)
	defer close(p.over)
	for {
		m := heardMessage{from: i}
		err := decoder.Decode(&m.message)
		if err == nil {
			g.tell(m)
			continue
		}
		if m.err = fmt.Errorf("%w: %w", errProcessRubbish, err); errors.Is(err, io.EOF) {
			m.err = nil
		} else {
			g.tell(m)
			_, _ = io.Copy(io.Discard, out)
		}
		err = p.command.Wait()
		if m.err == nil {
			m.err = p.ended(err)
			g.tell(m)
		}
		return
	}
}

// tell passes on a message, unless nobody collects any more.
func (g *loadGroup) tell(m heardMessage) {
	select {
	case g.heard <- m:
	case <-g.done:
	}
}

// ended says how a process has ended.
func (p *loadProcess) ended(err error) error {
	if err == nil {
		return errProcessEnded
	}
	return fmt.Errorf("%w: %w%s", errProcessEnded, err, p.said.last())
}

// collect takes what the processes print until each of them is as wanted. When ctx is done, they are told to stop, and report.
func (g *loadGroup) collect(ctx context.Context, show func(load.Progress), wanted func(*loadProcess) bool) (events []load.Event, err error) {
	ticks, stop := time.NewTicker(min(time.Second, g.patience)), ctx.Done()
	defer ticks.Stop()
	for !allOf(g.processes, wanted) {
		select {
		case m := <-g.heard:
			p := g.processes[m.from]
			switch {
			case m.err != nil && p.last == nil:
				return nil, g.broken(m.from, m.err)
			case m.message.Failed != "" && m.message.Part == nil:
				return nil, g.failed(m.from, m.message.Code, m.message.Failed)
			case slices.ContainsFunc(m.message.Events, func(e load.Event) bool { return e.Path < 0 || e.Path >= g.paths }):
				return nil, g.broken(m.from, errProcessRubbish)
			case m.err == nil:
				events = append(events, p.take(&m.message, g.app.Now())...)
			}
		case <-stop:
			stop = nil
			g.closeInputs()
		case <-ticks.C:
			if i := slices.IndexFunc(g.processes, func(p *loadProcess) bool { return !wanted(p) && g.app.Now().Sub(p.at) > g.patience }); i >= 0 {
				return nil, g.broken(i, fmt.Errorf("%w for %v", errProcessSilent, g.patience))
			}
			if show != nil {
				show(g.progress())
			}
		}
	}
	return events, nil
}

// take enters a message, and returns its events.
func (p *loadProcess) take(m *loadMessage, now time.Time) []load.Event {
	p.at = now
	switch {
	case m.Part != nil || m.Failed != "":
		p.last, p.ready = m, true
	case m.Progress != nil:
		p.now = *m.Progress
	case m.Ready:
		p.ready = true
	}
	return m.Events
}

// progress is that of all processes; percentiles are those of the slowest one.
func (g *loadGroup) progress() (all load.Progress) {
	for _, p := range g.processes {
		all.Add(&p.now)
	}
	return all
}

// failed is the error that process i has reported.
func (g *loadGroup) failed(i, code int, why string) error {
	return &commandError{code, fmt.Sprintf("process %d of the load test failed: %s", i+1, why), errProcessEnded}
}

// broken is the error of process i that does not report as it should.
func (g *loadGroup) broken(i int, why error) error {
	text := fmt.Sprintf("process %d of the load test failed: %v: all are stopped; run the test again, with fewer --processes if this machine is busy", i+1, why)
	return &commandError{exitFailed, text, why}
}

// end stops all processes, and ends those that do not stop by themselves.
func (g *loadGroup) end() {
	g.closeInputs()
	close(g.done)
	for _, p := range g.processes {
		timer := time.AfterFunc(min(g.patience, stopWithin), func() { _ = p.command.Process.Kill() })
		<-p.over
		timer.Stop()
	}
}

// stopWithin is how long a process may take to stop before it is ended.
const stopWithin = 5 * time.Second

func (g *loadGroup) closeInputs() {
	for _, p := range g.processes {
		_ = p.in.Close()
	}
}

func allOf[T any](all []T, f func(T) bool) bool {
	return !slices.ContainsFunc(all, func(x T) bool { return !f(x) })
}

// tail keeps the last line of what is written to it, up to a length.
type tail struct{ text []byte }

const maxTail = 500

// Write implements [io.Writer].
func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-maxTail):]
	return len(p), nil
}

// last is the last line, after a colon.
func (t *tail) last() string {
	lines := strings.Split(strings.TrimSpace(string(t.text)), "\n")
	if text := lines[len(lines)-1]; text != "" {
		return ": " + text
	}
	return ""
}
