package readable

import (
	"math"
	"strings"
	"time"
)

// Wait returns a duration as text, rounded up so that waiting for that long is enough: to milliseconds below a second, to tenths
// of a second below a minute, to seconds below an hour, else to minutes. [time.ParseDuration] can parse it. Examples: "91ms",
// "59.9s", "1m9s", "2h0m".
func Wait(d time.Duration) string {
	unit := time.Minute
	switch {
	case d < time.Second:
		unit = time.Millisecond
	case d < time.Minute:
		unit = time.Second / 10
	case d < time.Hour:
		unit = time.Second
	}
	if rest := d % unit; rest > 0 {
		if d -= rest; d <= math.MaxInt64-unit {
			d += unit
		}
	}
	text := d.String()
	if d >= time.Hour {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}
