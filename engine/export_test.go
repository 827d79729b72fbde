package engine

// Started is when this process started.
var Started = started

// SystemClock is the default of Options.Now, in ns since the Unix epoch.
func SystemClock() int64 { return new(clock).now() }
