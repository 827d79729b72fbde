package grpclimit_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/grpclimit"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// busy returns an error of the server, with RetryInfo unless wait is 0.
func busy(code codes.Code, wait time.Duration) error {
	s := status.New(code, "busy")
	if wait > 0 {
		s, _ = s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	}
	return s.Err()
}

// The client waits for RetryInfo and sends again, with new tokens, if it may; else the caller gets the server's error.
func TestClientHonoursRetryInfo(t *testing.T) {
	for name, c := range map[string]struct {
		answers []error
		options grpclimit.ClientOptions
		want    codes.Code
		waits   []time.Duration
	}{
		"exhausted":    {[]error{busy(codes.ResourceExhausted, 4*time.Second), nil}, grpclimit.ClientOptions{}, codes.OK, []time.Duration{4 * time.Second}},
		"unavailable":  {[]error{busy(codes.Unavailable, time.Second), busy(codes.Unavailable, 2*time.Second), nil}, grpclimit.ClientOptions{}, codes.OK, []time.Duration{time.Second, 2 * time.Second}},
		"no RetryInfo": {[]error{busy(codes.ResourceExhausted, 0)}, grpclimit.ClientOptions{}, codes.ResourceExhausted, nil},
		"other code":   {[]error{busy(codes.Internal, time.Second)}, grpclimit.ClientOptions{}, codes.Internal, nil},
		"too long":     {[]error{busy(codes.ResourceExhausted, 31*time.Second)}, grpclimit.ClientOptions{}, codes.ResourceExhausted, nil},
		"too long in all": {
			[]error{busy(codes.ResourceExhausted, 6*time.Second), busy(codes.ResourceExhausted, 6*time.Second)},
			grpclimit.ClientOptions{MaxWait: 10 * time.Second},
			codes.ResourceExhausted,
			[]time.Duration{6 * time.Second},
		},
		"never":     {[]error{busy(codes.ResourceExhausted, time.Second)}, grpclimit.ClientOptions{MaxResends: -1}, codes.ResourceExhausted, nil},
		"not again": {[]error{busy(codes.ResourceExhausted, 1), busy(codes.ResourceExhausted, 1)}, grpclimit.ClientOptions{MaxResends: 1}, codes.ResourceExhausted, []time.Duration{1}},
	} {
		t.Run(name, func(t *testing.T) {
			l := limitertest.New(t, nil)
			var waits []time.Duration
			c.options.Limits, c.options.Now = []engine.Limit{engine.PerDay("rpm", 100)}, l.Clock.Now
			c.options.Sleep = func(ctx context.Context, d time.Duration) error {
				waits = append(waits, d)
				return l.Clock.Sleep(ctx, d)
			}
			var sent atomic.Int64
			client := serve(t, func(context.Context) error { return c.answers[sent.Add(1)-1] }, nil,
				grpc.WithUnaryInterceptor(grpclimit.UnaryClientInterceptor(l.Limiter, &c.options)))
			if err := check(t.Context(), client); status.Code(err) != c.want {
				t.Errorf("%v, want %v", err, c.want)
			}
			if !slices.Equal(waits, c.waits) || int(sent.Load()) != len(c.answers) {
				t.Errorf("waited %v, want %v; sent %d times", waits, c.waits, sent.Load())
			}
			l.AssertCharged("grpc-client", service, engine.Tokens{"rpm": sent.Load()})
		})
	}
}

// A caller whose own deadline comes before RetryInfo gets the server's answer at once, and one that leaves meanwhile gets a status.
func TestClientHeedsTheContext(t *testing.T) {
	for name, c := range map[string]struct {
		lasts time.Duration
		want  codes.Code
		waits int
	}{
		"deadline": {10 * time.Second, codes.ResourceExhausted, 0},
		"leaves":   {time.Hour, codes.Canceled, 1},
	} {
		t.Run(name, func(t *testing.T) {
			l, waits := limitertest.New(t, nil), 0
			ctx, leave := context.WithTimeout(t.Context(), c.lasts)
			defer leave()
			client := serve(t, func(context.Context) error { return busy(codes.ResourceExhausted, 20*time.Second) }, nil,
				grpc.WithUnaryInterceptor(grpclimit.UnaryClientInterceptor(l.Limiter, &grpclimit.ClientOptions{
					Limits: []engine.Limit{engine.PerDay("rpm", 100)}, Now: l.Clock.Now,
					Sleep: func(ctx context.Context, d time.Duration) error {
						waits++
						leave()
						return l.Clock.Sleep(ctx, d)
					},
				})))
			if err := check(ctx, client); status.Code(err) != c.want || waits != c.waits {
				t.Errorf("%v after %d waits", err, waits)
			}
		})
	}
}

// A caller whose context ends before its call has tokens gets the status that gRPC has for that, as without the interceptors.
func TestClientThatLeavesWhileItWaits(t *testing.T) {
	l := limitertest.New(t, nil)
	o := &grpclimit.ClientOptions{Limits: []engine.Limit{engine.PerMinute("rpm", 1)}}
	c := serve(t, nil, nil, grpc.WithUnaryInterceptor(grpclimit.UnaryClientInterceptor(l.Limiter, o)),
		grpc.WithStreamInterceptor(grpclimit.StreamClientInterceptor(l.Limiter, o)))
	left, leave := context.WithCancel(t.Context())
	leave()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for name, call := range map[string]func(context.Context, health.HealthClient) error{"unary": check, "stream": watch} {
		if err := call(left, c); status.Code(err) != codes.Canceled {
			t.Errorf("%s, canceled: %v", name, err)
		}
		if err := call(late, c); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("%s, late: %v", name, err)
		}
	}
	l.AssertCharged("grpc-client", service, engine.Tokens{})
}

// Against a limited server, the client waits as long as the server's denial says.
func TestClientAndServer(t *testing.T) {
	theirs, ours := limitertest.New(t, nil), limitertest.New(t, nil)
	client := serve(t, nil, limited(theirs, &grpclimit.Options{Limits: []engine.Limit{engine.PerMinute("rpm", 1)}}),
		grpc.WithUnaryInterceptor(grpclimit.UnaryClientInterceptor(ours.Limiter, &grpclimit.ClientOptions{
			Limits: []engine.Limit{engine.PerDay("rpm", 100)}, MaxWait: 2 * time.Minute, Now: ours.Clock.Now,
			Sleep: func(_ context.Context, d time.Duration) error {
				theirs.Clock.Advance(d)
				return nil
			},
		})))
	for range 3 {
		if err := check(t.Context(), client); err != nil {
			t.Fatal(err)
		}
	}
	ours.AssertCharged("grpc-client", service, engine.Tokens{"rpm": 5}) // two were denied
}

// A call or stream whose tokens would come too late is not sent.
func TestClientLimits(t *testing.T) {
	l := limitertest.New(t, nil)
	o := &grpclimit.ClientOptions{Limits: []engine.Limit{engine.PerHour("rpm", 2)}, MaxWait: -1}
	var sent atomic.Int64
	client := serve(t, func(context.Context) error { sent.Add(1); return nil }, nil,
		grpc.WithUnaryInterceptor(grpclimit.UnaryClientInterceptor(l.Limiter, o)),
		grpc.WithStreamInterceptor(grpclimit.StreamClientInterceptor(l.Limiter, o)))
	if err := errors.Join(check(t.Context(), client), watch(t.Context(), client)); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{check(t.Context(), client), watch(t.Context(), client)} {
		var exceeded *engine.ExceededError
		if !errors.As(err, &exceeded) {
			t.Error(err)
		}
	}
	if sent.Load() != 2 {
		t.Errorf("%d calls were sent, want 2", sent.Load())
	}
}

// Settle adjusts the lease of a call that succeeded.
func TestClientSettles(t *testing.T) {
	l := limitertest.New(t, nil)
	client := serve(t, nil, nil, grpc.WithUnaryInterceptor(grpclimit.UnaryClientInterceptor(l.Limiter, &grpclimit.ClientOptions{
		Limits: []engine.Limit{engine.PerDay("tpm", 1000)}, Cost: cost(engine.Tokens{"tpm": 500}),
		Settle: func(lease *engine.Lease, reply any) {
			if err := lease.Adjust(engine.Tokens{"tpm": -380}); err != nil || reply == nil {
				t.Error(err, reply)
			}
		},
	})))
	if err := check(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	l.AssertCharged("grpc-client", service, engine.Tokens{"tpm": 120})
}
