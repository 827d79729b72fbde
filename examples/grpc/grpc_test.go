package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

const resource = "grpc.testing.TestService"

// serve starts a server on 127.0.0.1. stop stops it, and returns when it has ended.
func serve(t *testing.T, limiter *engine.Limiter, drain time.Duration, limits ...string) (target string, stop func()) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- (&serveCmd{Limit: limits, Drain: drain}).serve(ctx, limiter, listener) }()
	stop = func() {
		t.Helper()
		cancel()
		err := <-ended
		ended <- nil // it may be called again
		if err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

// fetch runs the client's command.
func fetch(t *testing.T, c fetchCmd) (printed string, err error) {
	t.Helper()
	var out strings.Builder
	if c.Limit == nil {
		c.Limit = []string{"rpm:600"}
	}
	err = c.Run(t.Context(), &out)
	return strings.TrimSpace(out.String()), err
}

// Unary calls take their bytes before they run. A client that may not wait gets the denial.
func TestUnary(t *testing.T) {
	l := limitertest.New(t, nil)
	target, _ := serve(t, l.Limiter, time.Minute, "rpm:60", "bytes:10000/s:10000")
	alice := fetchCmd{Target: target, Key: "secret-of-alice", Size: []int32{6000, 4000}, MaxWait: -1}
	if n, err := fetch(t, alice); n != "10000" || err != nil {
		t.Error(n, err)
	}
	l.AssertCharged("key-of-alice", resource, engine.Tokens{"rpm": 2, "bytes": 10_000})
	n, err := fetch(t, alice)
	if n != "0" || status.Code(err) != codes.ResourceExhausted || retryDelay(err) != 600*time.Millisecond {
		t.Error(n, err)
	}
	bob := fetchCmd{Target: target, Key: "secret-of-bob", Size: []int32{1}}
	if n, err := fetch(t, bob); n != "1" || err != nil {
		t.Error("another key is denied:", n, err)
	}
	if _, err := fetch(t, fetchCmd{Target: target, Key: "invented", Size: []int32{1}}); err != nil {
		t.Error(err)
	}
	l.AssertCharged("ip:127.0.0.1", resource, engine.Tokens{"rpm": 1, "bytes": 1})
}

// retryDelay is what the server asks to wait.
func retryDelay(err error) time.Duration {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// A stream takes its bytes while it runs, and is cut at the limit.
func TestStream(t *testing.T) {
	l := limitertest.New(t, nil)
	target, _ := serve(t, l.Limiter, time.Minute, "rpm:60", "bytes:25000")
	c := fetchCmd{Target: target, Key: "secret-of-alice", Stream: true, Size: []int32{7000, 7000}}
	if n, err := fetch(t, c); n != "14000" || err != nil {
		t.Error(n, err)
	}
	l.AssertCharged("key-of-alice", resource, engine.Tokens{"rpm": 1, "bytes": 14_000})
	c.Key = "secret-of-bob"
	c.Size = []int32{9000, 9000, 9000}
	n, err := fetch(t, c)
	if n != "18000" || status.Code(err) != codes.ResourceExhausted || retryDelay(err) != 12*time.Second {
		t.Error(n, err)
	}
	if err == nil || strings.Count(err.Error(), "rpc error") != 1 { // the status itself, and not another around it
		t.Error(err)
	}
	l.AssertCharged("key-of-bob", resource, engine.Tokens{"rpm": 1, "bytes": 27_000}) // the last piece too, which was not sent
}

// Health checks are free.
func TestHealth(t *testing.T) {
	l := limitertest.New(t, nil)
	l.Down()
	target, _ := serve(t, l.Limiter, time.Minute, "rpm:1")
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for range 3 {
		answer, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil || answer.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Error(answer, err)
		}
	}
}
