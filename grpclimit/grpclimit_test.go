package grpclimit_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/grpclimit"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

const service = "grpc.health.v1.Health"

// server is a service whose calls do what the test says.
type server struct {
	health.UnimplementedHealthServer
	check func(context.Context) error
}

func (s *server) Check(ctx context.Context, _ *health.HealthCheckRequest) (*health.HealthCheckResponse, error) {
	return &health.HealthCheckResponse{Status: health.HealthCheckResponse_SERVING}, s.check(ctx)
}

func (s *server) Watch(_ *health.HealthCheckRequest, stream grpc.ServerStreamingServer[health.HealthCheckResponse]) error {
	if err := s.check(stream.Context()); err != nil {
		return err
	}
	return stream.Send(&health.HealthCheckResponse{Status: health.HealthCheckResponse_SERVING})
}

// serve starts a server on 127.0.0.1 and returns its client.
func serve(t *testing.T, check func(context.Context) error, so []grpc.ServerOption, co ...grpc.DialOption) health.HealthClient {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(so...)
	if check == nil {
		check = func(context.Context) error { return nil }
	}
	health.RegisterHealthServer(s, &server{check: check})
	done := make(chan error)
	go func() { done <- s.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), append(co, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return health.NewHealthClient(conn)
}

// limited are a server's interceptors.
func limited(l *limitertest.Limiter, o *grpclimit.Options) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(grpclimit.UnaryServerInterceptor(l.Limiter, o)),
		grpc.ChainStreamInterceptor(grpclimit.StreamServerInterceptor(l.Limiter, o)),
	}
}

func check(ctx context.Context, c health.HealthClient) error {
	_, err := c.Check(ctx, &health.HealthCheckRequest{})
	return err
}

func watch(ctx context.Context, c health.HealthClient) error {
	stream, err := c.Watch(ctx, &health.HealthCheckRequest{})
	if err != nil {
		return err
	}
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) { // the server's interceptors have returned
		return nil
	}
	return err
}

// details returns the details of an error.
func details(err error) (retry *errdetails.RetryInfo, quota *errdetails.QuotaFailure) {
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.RetryInfo:
			retry = d
		case *errdetails.QuotaFailure:
			quota = d
		}
	}
	return retry, quota
}

func user(ctx context.Context, _ string) string {
	md, _ := metadata.FromIncomingContext(ctx)
	return strings.Join(md.Get("user"), "")
}

func cost(tokens engine.Tokens) func(context.Context, string, any) (engine.Tokens, error) {
	return func(context.Context, string, any) (engine.Tokens, error) { return tokens, nil }
}

// The server denies calls and streams above the limit, and says how long to wait and which limit it is.
func TestDenial(t *testing.T) {
	for name, call := range map[string]func(context.Context, health.HealthClient) error{"unary": check, "stream": watch} {
		t.Run(name, func(t *testing.T) {
			l := limitertest.New(t, nil)
			c := serve(t, nil, limited(l, &grpclimit.Options{Key: user, Limits: []engine.Limit{engine.PerMinute("rpm", 2)}}))
			ctx := metadata.AppendToOutgoingContext(t.Context(), "user", "u1")
			for range 2 {
				if err := call(ctx, c); err != nil {
					t.Fatal(err)
				}
			}
			err := call(ctx, c)
			retry, quota := details(err)
			if status.Code(err) != codes.ResourceExhausted || retry.GetRetryDelay().AsDuration() != 30*time.Second {
				t.Fatalf("denied by %v, retry %v", err, retry)
			}
			if len(quota.GetViolations()) != 1 {
				t.Fatal(quota)
			}
			v := quota.GetViolations()[0]
			if v.GetSubject() != "u1" || v.GetQuotaId() != "rpm" || v.GetQuotaValue() != 2 || v.GetQuotaDimensions()["resource"] != service {
				t.Error(v)
			}
			if err := call(metadata.AppendToOutgoingContext(t.Context(), "user", "u2"), c); err != nil {
				t.Error("another user is denied: ", err)
			}
			l.Clock.Advance(30 * time.Second)
			if err := call(ctx, c); err != nil {
				t.Error("denied after the wait: ", err)
			}
		})
	}
}

// A denial shows no limits of parents, and one that can never fit does not ask to retry.
func TestDenialsOfParentsAndForever(t *testing.T) {
	l := limitertest.New(t, nil)
	for _, err := range []error{
		l.CreateEntity(t.Context(), engine.Entity{ID: "org"}, nil),
		l.CreateEntity(t.Context(), engine.Entity{ID: "u1", Parent: "org", Cascade: true}, nil),
		l.SetLimits(t.Context(), "org", "", []engine.Limit{engine.PerMinute("rpm", 1)}),
		l.SetLimits(t.Context(), "u1", "", []engine.Limit{engine.PerMinute("rpm", 4)}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "user", "u1")
	c := serve(t, nil, limited(l, &grpclimit.Options{Key: user}))
	if err := check(ctx, c); err != nil {
		t.Fatal(err)
	}
	err := check(ctx, c)
	if retry, quota := details(err); retry == nil || quota != nil || strings.Contains(err.Error(), "org") {
		t.Errorf("%v: retry %v, quota %v", err, retry, quota)
	}
	c = serve(t, nil, limited(l, &grpclimit.Options{Key: user, Cost: cost(engine.Tokens{"rpm": 5})}))
	err = check(ctx, c)
	if retry, quota := details(err); status.Code(err) != codes.ResourceExhausted || retry != nil || len(quota.GetViolations()) != 1 {
		t.Errorf("%v: retry %v, quota %v", err, retry, quota)
	}
}

// The handler adjusts the lease in its context, which is committed at the end, also if the client has gone or the handler fails.
func TestLease(t *testing.T) {
	for name, call := range map[string]func(context.Context, health.HealthClient) error{"unary": check, "stream": watch} {
		t.Run(name, func(t *testing.T) {
			l := limitertest.New(t, nil)
			gone, stop := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), "user", "u1"))
			ended := make(chan struct{}) // when the limiter's interceptor, which is the inner one, has returned
			o := &grpclimit.Options{Key: user, Limits: []engine.Limit{engine.PerDay("tpm", 1000)}, Cost: cost(engine.Tokens{"tpm": 500})}
			c := serve(t, func(ctx context.Context) error {
				stop()
				<-ctx.Done()
				return grpclimit.Lease(ctx).Adjust(engine.Tokens{"tpm": -380})
			}, append(limited(l, o),
				grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
					defer close(ended)
					return handler(ctx, r)
				}),
				grpc.StreamInterceptor(func(s any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
					defer close(ended)
					return handler(s, stream)
				}),
			))
			if err := call(gone, c); status.Code(err) != codes.Canceled {
				t.Fatal(err)
			}
			<-ended
			l.AssertCharged("u1", service, engine.Tokens{"tpm": 120})
		})
	}
}

// An interceptor that does not limit a call leaves the handler the lease of the one before.
func TestLeaseOfAChain(t *testing.T) {
	l := limitertest.New(t, nil)
	limiting := &grpclimit.Options{Key: user, Limits: []engine.Limit{engine.PerDay("tpm", 1000)}, Cost: cost(engine.Tokens{"tpm": 500})}
	c := serve(t, func(ctx context.Context) error {
		return grpclimit.Lease(ctx).Adjust(engine.Tokens{"tpm": -380})
	}, append(limited(l, limiting), limited(l, &grpclimit.Options{Cost: cost(nil)})...))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "user", "u1")
	if err := errors.Join(check(ctx, c), watch(ctx, c)); err != nil {
		t.Fatal(err)
	}
	l.AssertCharged("u1", service, engine.Tokens{"tpm": 240})
}

// Errors have the codes that tell clients whether to retry.
func TestErrors(t *testing.T) {
	limits := []engine.Limit{engine.PerMinute("rpm", 1)}
	denied := status.Error(codes.PermissionDenied, "not yours")
	for name, c := range map[string]struct {
		options grpclimit.Options
		down    bool
		want    codes.Code
	}{
		"no limits":   {grpclimit.Options{}, false, codes.Internal},
		"unavailable": {grpclimit.Options{Limits: limits}, true, codes.Unavailable},
		"cost": {grpclimit.Options{Limits: limits, Cost: func(context.Context, string, any) (engine.Tokens, error) {
			return nil, errors.New("no model")
		}}, false, codes.InvalidArgument},
		"cost with a status": {grpclimit.Options{Limits: limits, Cost: func(context.Context, string, any) (engine.Tokens, error) {
			return nil, denied
		}}, false, codes.PermissionDenied},
		"negative": {grpclimit.Options{Limits: limits, Cost: cost(engine.Tokens{"rpm": -1})}, false, codes.InvalidArgument},
		"free":     {grpclimit.Options{Cost: cost(nil)}, true, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			l := limitertest.New(t, nil)
			client := serve(t, nil, limited(l, &c.options))
			if c.down {
				l.Down()
			}
			err := check(t.Context(), client)
			if retry, _ := details(err); status.Code(err) != c.want || (retry != nil) != (c.want == codes.Unavailable) {
				t.Errorf("%v with retry %v, want %v", err, retry, c.want)
			}
		})
	}
}

// Callers without a key are limited by their address.
func TestAddress(t *testing.T) {
	l := limitertest.New(t, nil)
	c := serve(t, nil, limited(l, &grpclimit.Options{Limits: []engine.Limit{engine.PerMinute("rpm", 5)}}))
	if err := check(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	l.AssertCharged("ip:127.0.0.1", service, engine.Tokens{"rpm": 1})
}

// One customer of a provider has a /64 prefix of IPv6, and an IPv4 address has one form only.
func TestAddressPrefix(t *testing.T) {
	l := limitertest.New(t, nil)
	limiter := grpclimit.NewLimiter(l.Limiter, &grpclimit.Options{
		Resource: func(context.Context, string) string { return service }, Limits: []engine.Limit{engine.PerMinute("rpm", 9)},
	})
	for _, address := range []string{"[2001:db8::1]:1", "[2001:db8::ffff:2]:2", "[2001:db8:0:1::1]:1", "192.0.2.1:1", "[::ffff:192.0.2.1]:2"} {
		from := peer.NewContext(t.Context(), &peer.Peer{Addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))})
		if err := limiter.Limit(from); err != nil {
			t.Fatal(err)
		}
	}
	for entity, n := range map[string]int64{"ip:2001:db8::/64": 2, "ip:2001:db8:0:1::/64": 1, "ip:192.0.2.1": 2} {
		l.AssertCharged(entity, service, engine.Tokens{"rpm": n})
	}
}

// Limiter is what go-grpc-middleware's interceptors call.
func TestLimiter(t *testing.T) {
	l := limitertest.New(t, nil)
	var limiter interface{ Limit(context.Context) error } = grpclimit.NewLimiter(l.Limiter, &grpclimit.Options{
		Key: user, Limits: []engine.Limit{engine.PerMinute("rpm", 1)},
	})
	c := serve(t, nil, []grpc.ServerOption{grpc.UnaryInterceptor(
		func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if err := limiter.Limit(ctx); err != nil {
				return nil, err
			}
			return handler(ctx, request)
		},
	)})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "user", "u1")
	if err := check(ctx, c); err != nil {
		t.Fatal(err)
	}
	if err := check(ctx, c); status.Code(err) != codes.ResourceExhausted {
		t.Error(err)
	}
	l.AssertCharged("u1", service, engine.Tokens{"rpm": 1})
}
