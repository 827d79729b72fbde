package main

import (
	"context"
	"net"
	"testing"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/ratelimit"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/grpclimit"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// The interceptors of go-grpc-middleware take the limiter: an admitted call runs, and a denied one has their status.
func TestGoGRPCMiddleware(t *testing.T) {
	l := limitertest.New(t, nil)
	limiter := grpclimit.NewLimiter(l.Limiter, &grpclimit.Options{Limits: []engine.Limit{engine.PerMinute("rpm", 2)}})
	server := grpc.NewServer(grpc.UnaryInterceptor(ratelimit.UnaryServerInterceptor(limiter)), grpc.StreamInterceptor(ratelimit.StreamServerInterceptor(limiter)))
	healthpb.RegisterHealthServer(server, health.NewServer())
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client := healthpb.NewHealthClient(conn)
	check := func(ctx context.Context) error {
		_, err := client.Check(ctx, &healthpb.HealthCheckRequest{})
		return err
	}
	watch := func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := client.Watch(ctx, &healthpb.HealthCheckRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	for _, call := range []func(context.Context) error{check, watch} {
		if err := call(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, call := range []func(context.Context) error{check, watch} {
		if err := call(t.Context()); status.Code(err) != codes.ResourceExhausted {
			t.Error(err)
		}
	}
	l.AssertCharged("ip:127.0.0.1", "grpc.health.v1.Health", engine.Tokens{"rpm": 2})
}
