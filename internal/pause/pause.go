package pause

import (
	"context"
	"time"
)

// For waits for d, or not at all if d is not positive. It returns ctx's error if ctx is done first, else nil. It is safe for
// concurrent use.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
