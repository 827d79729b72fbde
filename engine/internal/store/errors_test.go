package store

import (
	"context"
	"errors"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

// TestLostAndCanceled: a caller who gives up while it loses against other writers learns both, and only then. No policy may let it
// through.
func TestLostAndCanceled(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, cause := range []error{ErrContention, backend.ErrContention, backend.ErrThrottled} {
		for ctx, want := range map[context.Context]bool{t.Context(): false, gone: true} {
			err := Failure(ctx, cause)
			if !errors.Is(err, ErrContention) || errors.Is(err, context.Canceled) != want || errors.Is(err, ErrUnavailable) {
				t.Errorf("%v, with a context that ends: %v: %v", cause, want, err)
			}
			if again := Failure(ctx, err); again.Error() != err.Error() {
				t.Errorf("told twice: %v", again)
			}
		}
	}
}
