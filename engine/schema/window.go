package schema

import "time"

// Window is a kind of span of time, in UTC, for which usage is added up.
type Window string

// The kinds of windows.
const (
	Hourly  Window = "hourly"
	Daily   Window = "daily"
	Monthly Window = "monthly"
)

// Windows are all kinds, from short to long.
var Windows = []Window{Hourly, Daily, Monthly}

// Start is when the window begins in which an instant lies. Both are counted from the Unix epoch: the instant in ns, not
// before it; the start in seconds.
func (w Window) Start(ns int64) int64 {
	s := ns / int64(time.Second)
	switch w {
	case Hourly:
		return s - s%3600
	case Daily:
		return s - s%86400
	}
	t := time.Unix(s, 0).UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC).Unix()
}

// End is when the window ends that begins at start, both in seconds since the Unix epoch: the first second behind it.
func (w Window) End(start int64) int64 {
	switch w {
	case Hourly:
		return start + 3600
	case Daily:
		return start + 86400
	}
	t := time.Unix(start, 0).UTC()
	return t.AddDate(0, 1, 0).Unix()
}

// letter stands for the kind of window in keys.
func (w Window) letter() string { return string(w[:1]) }

// windowOf is the kind of window of a letter, "" where there is none.
func windowOf(letter string) Window {
	for _, w := range Windows {
		if w.letter() == letter {
			return w
		}
	}
	return ""
}
