package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/load"
)

// loadProgress tells on standard error how a load goes: on a terminal in a line that is drawn again each second, elsewhere
// in a line now and then.
type loadProgress struct {
	app   *App
	of    *loadtestCmd
	live  bool
	told  time.Duration // what of the duration had passed when a line was written
	every time.Duration
}

func newLoadProgress(app *App, c *loadtestCmd) *loadProgress {
	return &loadProgress{app: app, of: c, live: app.Terminal(app.Err), every: max(10*time.Second, c.Duration/10)}
}

// show is called from one goroutine at a time.
func (p *loadProgress) show(at load.Progress) {
	what, of := "", p.of.Duration
	if at.WarmingUp {
		what, of = "warming up, ", p.of.WarmUp
	}
	elapsed := min(at.Elapsed, of).Truncate(time.Second)
	line := fmt.Sprintf("%s%v of %v: %s admitted, %s denied", what, elapsed, of, thousands(at.Admitted), thousands(at.Denied))
	if n := at.Failed + at.Degraded; n > 0 {
		line += fmt.Sprintf(", %s failed or degraded", thousands(n))
	}
	line += fmt.Sprintf("; p50 %v, p99 %v, %d in flight", brisk(at.P50), brisk(at.P99), at.InFlight)
	switch {
	case p.live:
		fmt.Fprintf(p.app.Err, "\r%s\x1b[K", clip(line, 79))
	case !at.WarmingUp && at.Elapsed-p.told >= p.every:
		p.told = at.Elapsed
		p.app.say("%s", line)
	}
}

// end clears the line.
func (p *loadProgress) end() {
	if p.live {
		fmt.Fprint(p.app.Err, "\r\x1b[K")
	}
}

// brisk is a duration in three digits or so.
func brisk(d time.Duration) time.Duration {
	for unit := 10 * time.Nanosecond; ; unit *= 10 {
		if d < 1000*unit || unit >= time.Second {
			return d.Round(unit)
		}
	}
}

// thousands is a number with a comma each three digits.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	var parts []string
	for len(text) > 3 && text[0] != '-' {
		parts = append([]string{text[len(text)-3:]}, parts...)
		text = text[:len(text)-3]
	}
	return strings.Join(append([]string{text}, parts...), ",")
}
