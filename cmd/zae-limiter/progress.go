package main

import (
	"fmt"
	"strings"
	"time"
)

// progress shows the progress of a long operation on standard error: a bar on a terminal, otherwise a line every few seconds.
type progress struct {
	app         *App
	what        string
	done, total int
	bar         bool
	shown       time.Time
}

// How often progress is shown, and the width of the bar in columns.
const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 5 * time.Second
	barWidth  = 40
)

func (a *App) progress(what string, total int) *progress {
	return &progress{app: a, what: what, total: total, bar: a.drawable(a.Err), shown: a.Now()}
}

// update sets how many parts are done. It must not be called concurrently.
func (p *progress) update(done int) {
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
		p.app.logf("%d of %d %s", done, p.total, p.what)
		return
	}
	filled := barWidth * done / max(p.total, 1)
	fmt.Fprintf(p.app.Err, "\r[%s%s] %d of %d %s", strings.Repeat("=", filled), strings.Repeat(" ", barWidth-filled), done, p.total, p.what)
}

// end removes the bar.
func (p *progress) end() {
	if p.bar {
		fmt.Fprint(p.app.Err, "\r\x1b[K")
	}
}
