package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/load"
)

// loadProgress shows the progress of a load test on standard error: a line that is redrawn every second on a terminal, else
// a new line every ten seconds or more.
type loadProgress struct {
	app      *App
	cmd      *loadtestCmd
	live     bool
	lastLine time.Duration // elapsed time at the last line
	every    time.Duration
}

// show prints the progress. It must not be called concurrently.
func (p *loadProgress) show(at load.Progress) {
	what, of := "", p.cmd.Duration
	if at.WarmingUp {
		what, of = "warming up, ", p.cmd.WarmUp
	}
	elapsed := min(at.Elapsed, of).Truncate(time.Second)
	line := fmt.Sprintf("%s%v of %v: %s admitted, %s denied", what, elapsed, of, thousands(at.Admitted), thousands(at.Denied))
	if n := at.Failed + at.Degraded; n > 0 {
		line += fmt.Sprintf(", %s failed or degraded", thousands(n))
	}
	line += fmt.Sprintf("; p50 %v, p99 %v, %d in flight", roundDuration(at.P50), roundDuration(at.P99), at.InFlight)
	switch {
	case p.live:
		fmt.Fprintf(p.app.Err, "\r%s\x1b[K", clip(line, 79))
	case !at.WarmingUp && at.Elapsed-p.lastLine >= p.every:
		p.lastLine = at.Elapsed
		p.app.logf("%s", line)
	}
}

// end clears the line on a terminal.
func (p *loadProgress) end() {
	if p.live {
		fmt.Fprint(p.app.Err, "\r\x1b[K")
	}
}

// roundDuration rounds a duration to about three digits.
func roundDuration(d time.Duration) time.Duration {
	for unit := 10 * time.Nanosecond; ; unit *= 10 {
		if d < 1000*unit || unit >= time.Second {
			return d.Round(unit)
		}
	}
}

// thousands formats a number with a comma every three digits.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	var parts []string
	for len(text) > 3 && text[0] != '-' {
		parts = append([]string{text[len(text)-3:]}, parts...)
		text = text[:len(text)-3]
	}
	return strings.Join(append([]string{text}, parts...), ",")
}
