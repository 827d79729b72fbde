package grpclimit_test

import (
	"context"
	"log/slog"
	"strings"
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

// A flood of calls without limits, and of leases that are not settled, writes a line a second of each, with how many were omitted.
func TestFloodOfErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, text, resource := limitertest.New(t, nil), &strings.Builder{}, "unknown"
		o := &grpclimit.Options{
			Key:      func(context.Context, string) string { return "key-1" },
			Resource: func(context.Context, string) string { return resource },
			Logger:   slog.New(slog.NewTextHandler(text, nil)),
		}
		intercept := grpclimit.UnaryServerInterceptor(l.Limiter, o)
		flood := func(n int, handler grpc.UnaryHandler, want codes.Code) {
			t.Helper()
			for range n {
				if _, err := intercept(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/a.B/C"}, handler); status.Code(err) != want {
					t.Fatal(err)
				}
				l.Up()
			}
		}
		// wantLine wants one line with these parts.
		wantLine := func(parts ...string) {
			t.Helper()
			for _, part := range parts {
				if strings.Count(text.String(), "\n") != 1 || !strings.Contains(text.String(), part) {
					t.Errorf("%q: %s", part, text)
				}
			}
			text.Reset()
		}
		flood(1_000, nil, codes.Internal)
		wantLine("ERROR", "no limits are configured", "entity=key-1 resource=unknown", "omitted=0")
		_ = pause.For(t.Context(), time.Second)
		flood(10, nil, codes.Internal)
		wantLine("omitted=999")

		resource = "api"
		if err := l.SetResourceDefaults(t.Context(), resource, []engine.Limit{engine.PerMinute("rpm", 60)}); err != nil {
			t.Fatal(err)
		}
		flood(10, func(ctx context.Context, _ any) (any, error) {
			defer l.Down()
			return nil, grpclimit.Lease(ctx).Adjust(engine.Tokens{"rpm": 1})
		}, codes.OK)
		wantLine("WARN", "omitted=0")
	})
}
