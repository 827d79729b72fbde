package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/readable"
	"github.com/zeroae/zae-limiter-go/stack"
)

// stackWatch shows the progress of a stack on standard error: one line per event, or, on a terminal, a line for each finished
// resource and, below them, the resources in progress.
type stackWatch struct {
	app        *App
	stack      string
	redraws    bool
	begun      time.Time
	inProgress []resourceProgress // in the order in which they started
	done       int
	drawn      int    // number of lines at the bottom to redraw
	status     string // of the stack; empty until CloudFormation has started
	sawEvent   bool   // whether any event came
	activity   string // what happens outside of CloudFormation
}

// resourceProgress is a resource in progress.
type resourceProgress struct {
	stack.Event
	since time.Time
}

// watch starts to show the progress of a stack.
func (a *App) watch(name string) *stackWatch {
	return &stackWatch{app: a, stack: name, redraws: a.drawable(a.Err), begun: a.Now(), activity: "reading the current state"}
}

// event shows an event.
func (p *stackWatch) event(e stack.Event) {
	p.sawEvent = true
	own := e.Resource == p.stack && (e.Type == "" || e.Type == "AWS::CloudFormation::Stack")
	switch {
	case e.Type == "":
		p.activity = e.Reason
	case own:
		p.status, p.activity = e.Status, ""
	}
	if !p.redraws {
		line := fmt.Sprintf("%s  %-35s  %s", moment{e.Time}, cmp.Or(e.Status, "-"), e.Resource)
		if e.Type != "" {
			line += "  " + e.Type
		}
		if e.Reason != "" {
			line += "  " + oneLine(e.Reason)
		}
		fmt.Fprintln(p.app.Err, printable(line))
		return
	}
	p.erase()
	p.finish(e, own)
	p.draw()
}

// finish updates the resources in progress, and prints a line for a resource that is done.
func (p *stackWatch) finish(e stack.Event, own bool) {
	i := slices.IndexFunc(p.inProgress, func(u resourceProgress) bool { return u.Resource == e.Resource })
	switch {
	case e.Type == "":
		p.line("  %s", e.Reason)
		return
	case own:
		return
	case strings.HasSuffix(e.Status, "_IN_PROGRESS"):
		if i < 0 {
			p.inProgress = append(p.inProgress, resourceProgress{e, e.Time})
		} else {
			p.inProgress[i].Event = e
		}
		return
	}
	since := e.Time
	if i >= 0 {
		since = p.inProgress[i].since
		p.inProgress = slices.Delete(p.inProgress, i, i+1)
	}
	p.done++
	p.line("  %s  %s", p.row(e, since, e.Time), oneLine(e.Reason))
}

// row returns the line of a resource: its state and how long it takes.
func (p *stackWatch) row(e stack.Event, since, until time.Time) string {
	return fmt.Sprintf("%-24s %-32s %-18s %6s", e.Resource, strings.TrimPrefix(e.Type, "AWS::"), e.Status, readable.Wait(until.Sub(since).Truncate(time.Second)))
}

// maxShown is the maximum number of resources in progress that are drawn.
const maxShown = 8

// draw prints the resources in progress and the state of the stack.
func (p *stackWatch) draw() {
	now := p.app.Now()
	for i, u := range p.inProgress {
		if i == maxShown {
			p.line("  and %d more", len(p.inProgress)-maxShown)
			p.drawn++
			break
		}
		p.line("  %s", p.row(u.Event, u.since, now))
		p.drawn++
	}
	p.line("%s  %s  %d done  %s", p.stack, cmp.Or(p.activity, p.status), p.done, readable.Wait(now.Sub(p.begun).Truncate(time.Second)))
	p.drawn++
}

// erase removes what draw has printed.
func (p *stackWatch) erase() {
	if p.drawn > 0 {
		fmt.Fprintf(p.app.Err, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
}

// line prints a line, cut to the width of the terminal.
func (p *stackWatch) line(format string, args ...any) {
	text := []rune(strings.TrimRight(printable(fmt.Sprintf(format, args...)), " "))
	width, _ := p.app.Size(p.app.Err)
	fmt.Fprintln(p.app.Err, string(text[:min(len(text), width-1)]))
}

// sleep waits, and updates the elapsed time on the terminal every second.
func (p *stackWatch) sleep(ctx context.Context, d time.Duration) error {
	if !p.redraws {
		return p.app.Sleep(ctx, d)
	}
	pieces := max(1, (d+time.Second/2)/time.Second)
	for range pieces {
		p.erase()
		p.draw()
		if err := p.app.Sleep(ctx, d/pieces); err != nil {
			return err
		}
	}
	return nil
}

// end removes the lines in progress and returns the elapsed time.
func (p *stackWatch) end() time.Duration {
	p.erase()
	return p.app.Now().Sub(p.begun)
}

// interruptedError returns err, or, if the user stopped waiting, an error that says what was interrupted and how to complete it.
func (p *stackWatch) interruptedError(ctx context.Context, at target, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	text := "interrupted while " + p.activity + "; CloudFormation completes what it has started; to complete the rest, run the same command again"
	switch {
	case strings.HasSuffix(p.status, "_IN_PROGRESS"):
		text = fmt.Sprintf("interrupted: %s is in %s, and CloudFormation continues; to see the progress: zae-limiter status %s; to wait for it, run the same command again",
			at.name, p.status, at.flags())
	case p.activity == "":
		text = fmt.Sprintf("interrupted: %s is in %s; to continue, run the same command again", at.name, p.status)
	}
	return &stackError{text, exitInterrupted, err}
}
