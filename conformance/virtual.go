package conformance

import "time"

// virtualNow is the time inside of [rig.virtually], where it goes on only while all goroutines wait.
func virtualNow() time.Time { return time.Now() }

// virtuallySince is how much of that time has gone by.
func virtuallySince(t time.Time) time.Duration { return virtualNow().Sub(t) }
