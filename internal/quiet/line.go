package quiet

import (
	"sync/atomic"
	"time"
)

// Line is a line of a log that is written at most once a second. The zero value is ready. Safe for concurrent use.
type Line struct {
	last    atomic.Int64 // when it was written, in nanoseconds; 0: never
	omitted atomic.Int64 // how often it was not written since then
}

// Due reports whether the line is to be written now, and how often it was not written since the last time. A clock that was set back
// makes it due.
func (l *Line) Due(now time.Time) (omitted int64, due bool) {
	at, last := now.UnixNano(), l.last.Load()
	recent := last != 0 && time.Duration(at-last).Abs() < time.Second // callers that meet may have times in another order
	if recent || !l.last.CompareAndSwap(last, at) {
		l.omitted.Add(1)
		return 0, false
	}
	return l.omitted.Swap(0), true
}
