package grpclimit_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/grpclimit"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// A handler whose meter is denied returns the same status and details as a call that is not admitted.
func TestErrorOfAMeter(t *testing.T) {
	l := limitertest.New(t, nil)
	limits := []engine.Limit{engine.PerMinute("rpm", 100), engine.PerMinute("tpm", 600)}
	c := serve(t, func(ctx context.Context) error {
		meter := grpclimit.Lease(ctx).Meter("tpm", 400)
		first := meter.Add(ctx, 400)
		return errors.Join(first, grpclimit.Error(meter.Add(ctx, 50)), meter.Close(ctx))
	}, limited(l, &grpclimit.Options{Key: user, Limits: limits}))
	err := watch(metadata.AppendToOutgoingContext(t.Context(), "user", "u1"), c)
	retry, quota := details(err)
	if status.Code(err) != codes.ResourceExhausted || retry.GetRetryDelay().AsDuration() != 20*time.Second || len(quota.GetViolations()) != 1 {
		t.Errorf("%v: retry %v, quota %v", err, retry, quota)
	}
	l.AssertCharged("u1", service, engine.Tokens{"rpm": 1, "tpm": 450})
}

// Outages ask to retry, and other errors are not touched.
func TestErrorOfOthers(t *testing.T) {
	for err, want := range map[error]codes.Code{
		engine.ErrUnavailable: codes.Unavailable, engine.ErrContention: codes.Unavailable, io.EOF: codes.Unknown,
		status.Error(codes.NotFound, "no such thing"): codes.NotFound,
	} {
		got := grpclimit.Error(err)
		if retry, _ := details(got); status.Code(got) != want || (retry != nil) != (want == codes.Unavailable) {
			t.Errorf("%v becomes %v", err, got)
		}
		if want != codes.Unavailable && !errors.Is(got, err) {
			t.Errorf("%v becomes %v", err, got)
		}
	}
	if grpclimit.Error(nil) != nil {
		t.Error("nil becomes an error")
	}
}
