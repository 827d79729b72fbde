package pause

import (
	"context"
	"time"
)

// For waits for d on the system's timer, not at all where d is not positive. It returns ctx's error if that ends first,
// else nil. Safe for concurrent use.
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
