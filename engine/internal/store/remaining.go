package store

import (
	"context"
	"math"
	"time"
)

// Remaining is how long ctx lasts. Deadlines are of the system's clock, whatever Options.Now says.
func Remaining(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return math.MaxInt64
	}
	return time.Until(deadline)
}
