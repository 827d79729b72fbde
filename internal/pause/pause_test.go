package pause_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// It takes as long as was asked for, or until its context ends.
func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := pause.For(ctx, time.Second); err != nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if err := pause.For(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// Left is the time to the deadline of a context, of which there may be none.
func TestLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if left := pause.Left(t.Context()); left != math.MaxInt64 {
			t.Errorf("without a deadline: %v", left)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if left := pause.Left(ctx); left != time.Minute {
			t.Errorf("of a minute: %v", left)
		}
		_ = pause.For(t.Context(), time.Hour)
		if left := pause.Left(ctx); left != -59*time.Minute {
			t.Errorf("59 minutes after the deadline: %v", left)
		}
	})
}
