package main

import (
	"fmt"
	"strings"
	"time"
)

// progress shows how far something long has come, on standard error: a bar on a terminal, elsewhere a line now and then.
type progress struct {
	app         *App
	what        string
	done, total int
	bar         bool
	shown       time.Time
}

// How often it is shown.
const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 5 * time.Second
	barWidth  = 40
)

func (a *App) progress(what string, total int) *progress {
	term := a.Getenv("TERM")
	return &progress{app: a, what: what, total: total, bar: a.Terminal(a.Err) && term != "" && term != "dumb", shown: a.Now()}
}

// at tells that done of all are done. One call at a time.
func (p *progress) at(done int) {
	p.done = done
	every := lineEvery
	if p.bar {
		every = barEvery
	}
	now := p.app.Now()
	if now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	if !p.bar {
		p.app.say("%d of %d %s", done, p.total, p.what)
		return
	}
	filled := barWidth * done / max(p.total, 1)
	fmt.Fprintf(p.app.Err, "\r[%s%s] %d of %d %s", strings.Repeat("=", filled), strings.Repeat(" ", barWidth-filled), done, p.total, p.what)
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar {
		fmt.Fprint(p.app.Err, "\r\x1b[K")
	}
}
