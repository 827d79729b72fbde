package pause

import (
	"context"
	"math"
	"time"
)

// Left is how long ctx lasts: below zero if its deadline has passed, and math.MaxInt64 if it has none. Deadlines are of the
// system's clock, whatever clock the caller goes by.
func Left(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return math.MaxInt64
	}
	return time.Until(deadline)
}
