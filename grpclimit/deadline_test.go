package grpclimit_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/grpclimit"
	"github.com/zeroae/zae-limiter-go/internal/pause"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// deadlines are calls of a server whose limiter has a policy.
type deadlines struct {
	*limitertest.Limiter
	intercept grpc.UnaryServerInterceptor
}

func newDeadlines(t *testing.T, policy engine.Policy) *deadlines {
	t.Helper()
	l := limitertest.New(t, &engine.Options{OnUnavailable: policy, Timeout: time.Minute})
	return &deadlines{l, grpclimit.UnaryServerInterceptor(l.Limiter, &grpclimit.Options{Limits: []engine.Limit{engine.PerDay("rpm", 5)}})}
}

// call makes a call with a deadline, and reports whether its handler has run with a degraded lease.
func (d *deadlines) call(ctx context.Context, lasts time.Duration) (degraded bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	_, err = d.intercept(ctx, nil, &grpc.UnaryServerInfo{FullMethod: "/" + service + "/Check"}, func(ctx context.Context, _ any) (any, error) {
		degraded = grpclimit.Lease(ctx).Degraded()
		return nil, nil
	})
	return degraded, err
}

// A caller whose deadline no store can keep is not admitted by a policy, and its calls do not look like an outage to others.
func TestShortDeadlines(t *testing.T) {
	for _, policy := range []engine.Policy{engine.PolicyBlock, engine.PolicyAllow} {
		synctest.Test(t, func(t *testing.T) { shortDeadlines(t, policy) })
	}
}

func shortDeadlines(t *testing.T, policy engine.Policy) {
	d := newDeadlines(t, policy)
	if _, err := d.call(t.Context(), time.Hour); err != nil { // the limits are known from now on
		t.Fatal(err)
	}
	d.Hang() // longer than the deadline
	for range 10 {
		if degraded, err := d.call(t.Context(), 5*time.Millisecond); degraded || status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("policy %v: degraded %v, %v", policy, degraded, err)
		}
	}
	d.Up()
	if degraded, err := d.call(t.Context(), time.Hour); degraded || err != nil {
		t.Errorf("policy %v: another caller is admitted without the store: %v, or not at all: %v", policy, degraded, err)
	}
}

// A caller whose deadline has passed is charged nothing.
func TestPassedDeadlines(t *testing.T) {
	d := newDeadlines(t, engine.PolicyAllow)
	for range 10 { // there are five tokens
		if degraded, err := d.call(t.Context(), -time.Second); degraded || status.Code(err) != codes.DeadlineExceeded {
			t.Fatalf("degraded %v, %v", degraded, err)
		}
	}
}

// A caller whose deadline is long enough for a store gets the answer of the policy before that.
func TestPolicyBeforeTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeadlines(t, engine.PolicyAllow)
		d.Hang()
		if degraded, err := d.call(t.Context(), 500*time.Millisecond); !degraded || err != nil {
			t.Errorf("degraded %v, %v", degraded, err)
		}
		_ = pause.For(t.Context(), time.Hour) // what hangs in the background ends
	})
}
