package peers

import "time"

// epoch is what single decisions are timed against: since it, the clock is read without the wall's part.
var epoch = now()

func now() time.Time { return time.Now() }
