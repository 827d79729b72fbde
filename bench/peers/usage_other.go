//go:build !unix

package peers

import "time"

// used stands for the processor time where none is told: it is the time itself.
func used() time.Duration { return time.Since(epoch) }
