package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/zeroae/zae-limiter-go/internal/readable"
	"github.com/zeroae/zae-limiter-go/stack"
)

// stackWatch shows on standard error how a stack comes along: a line an event; on a terminal a line for each resource that
// is done, and below these what goes on.
type stackWatch struct {
	app    *App
	stack  string
	live   bool
	begun  time.Time
	going  []underway // in the order in which they were begun
	done   int
	drawn  int    // lines at the bottom that are to be drawn anew
	status string // of the stack; "" while nothing is known to have begun
	seen   bool   // that anything happened
	says   string // what is done before CloudFormation does something
}

// underway is a resource that is worked on.
type underway struct {
	stack.Event
	since time.Time
}

// watch begins to show.
func (a *App) watch(name string) *stackWatch {
	live := a.Terminal(a.Err) && a.Getenv("TERM") != "dumb" && a.Getenv("TERM") != ""
	return &stackWatch{app: a, stack: name, live: live, begun: a.Now(), says: "looking at what there is"}
}

// event takes one in.
func (p *stackWatch) event(e stack.Event) {
	p.seen = true
	own := e.Resource == p.stack && (e.Type == "" || e.Type == "AWS::CloudFormation::Stack")
	switch {
	case e.Type == "":
		p.says = e.Reason
	case own:
		p.status, p.says = e.Status, ""
	}
	if !p.live {
		status := e.Status
		if status == "" {
			status = "-"
		}
		line := fmt.Sprintf("%s  %-35s  %s", moment{e.Time}, status, e.Resource)
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

// finish moves a resource that is done up to the lines that stay.
func (p *stackWatch) finish(e stack.Event, own bool) {
	i := slices.IndexFunc(p.going, func(u underway) bool { return u.Resource == e.Resource })
	switch {
	case e.Type == "":
		p.line("  %s", e.Reason)
		return
	case own:
		return
	case strings.HasSuffix(e.Status, "_IN_PROGRESS"):
		if i < 0 {
			p.going = append(p.going, underway{e, e.Time})
		} else {
			p.going[i].Event = e
		}
		return
	}
	since := e.Time
	if i >= 0 {
		since = p.going[i].since
		p.going = slices.Delete(p.going, i, i+1)
	}
	p.done++
	p.line("  %s  %s", p.row(e, since, e.Time), oneLine(e.Reason))
}

// row is a resource with its state.
func (p *stackWatch) row(e stack.Event, since, until time.Time) string {
	return fmt.Sprintf("%-24s %-32s %-18s %6s", e.Resource, strings.TrimPrefix(e.Type, "AWS::"), e.Status, readable.Wait(until.Sub(since).Truncate(time.Second)))
}

// mostShown is how many resources are shown that are worked on.
const mostShown = 8

// draw shows what goes on, with the time since.
func (p *stackWatch) draw() {
	now := p.app.Now()
	for i, u := range p.going {
		if i == mostShown {
			p.line("  and %d more", len(p.going)-mostShown)
			p.drawn++
			break
		}
		p.line("  %s", p.row(u.Event, u.since, now))
		p.drawn++
	}
	state := p.status
	if p.says != "" || state == "" {
		state = p.says
	}
	p.line("%s  %s  %d done  %s", p.stack, state, p.done, readable.Wait(now.Sub(p.begun).Truncate(time.Second)))
	p.drawn++
}

// erase removes what draw has drawn.
func (p *stackWatch) erase() {
	if p.drawn > 0 {
		fmt.Fprintf(p.app.Err, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
}

// line writes one that no terminal breaks.
func (p *stackWatch) line(format string, args ...any) {
	text := []rune(strings.TrimRight(printable(fmt.Sprintf(format, args...)), " "))
	fmt.Fprintln(p.app.Err, string(text[:min(len(text), width(p.app.Err)-1)]))
}

// width is how many columns a terminal has.
func width(stream any) int {
	if f, ok := stream.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 20 {
			return columns
		}
	}
	return 100
}

// sleep waits, and lets people see that time passes.
func (p *stackWatch) sleep(ctx context.Context, d time.Duration) error {
	if !p.live {
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

// end takes away what only was for the time meanwhile, and tells how long it was.
func (p *stackWatch) end() time.Duration {
	p.erase()
	return p.app.Now().Sub(p.begun)
}

// interrupted is err, or, where it is that somebody did not want to wait, what that means.
func (p *stackWatch) interrupted(ctx context.Context, at target, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	state := "CloudFormation goes on with what it has begun"
	if p.status != "" {
		state = fmt.Sprintf("%s is in %s, and CloudFormation goes on", at.name, p.status)
	}
	return &stackError{fmt.Sprintf("interrupted: %s; look at it: zae-limiter status %s; to wait for it, enter the same command again", state, at.flags()), exitInterrupted, err}
}
