package grpclimit

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
	"github.com/zeroae/zae-limiter-go/internal/quiet"
)

// UnaryServerInterceptor returns an interceptor that calls a handler for the calls that the limiter admits.
func UnaryServerInterceptor(limiter *engine.Limiter, o *Options) grpc.UnaryServerInterceptor {
	s := &server{limiter: limiter, Options: o.withDefaults()}
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		lease, err := s.acquire(ctx, info.FullMethod, request)
		if err != nil {
			return nil, err
		}
		defer s.settle(ctx, lease) // also if the handler panics
		return handler(withLease(ctx, lease), request)
	}
}

// StreamServerInterceptor returns an interceptor that calls a handler for the streams that the limiter admits. A stream takes its
// tokens when it opens; to charge it while it runs, use [engine.Lease.Meter] of the lease in its context.
func StreamServerInterceptor(limiter *engine.Limiter, o *Options) grpc.StreamServerInterceptor {
	s := &server{limiter: limiter, Options: o.withDefaults()}
	return func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		ctx := stream.Context()
		lease, err := s.acquire(ctx, info.FullMethod, nil)
		if err != nil {
			return err
		}
		defer s.settle(ctx, lease)
		return handler(service, &leasedStream{stream, withLease(ctx, lease)})
	}
}

// Limiter has the method that the rate limiting interceptors of go-grpc-middleware call. They answer an error with status
// RESOURCE_EXHAUSTED and without details. Safe for concurrent use.
type Limiter struct{ server }

// NewLimiter returns a limiter for go-grpc-middleware. Options.Cost gets no request.
func NewLimiter(limiter *engine.Limiter, o *Options) *Limiter {
	return &Limiter{server{limiter: limiter, Options: o.withDefaults()}}
}

// Limit takes the tokens of the call whose context it is. It returns nil if the call is admitted, and else an error with a status, as the
// interceptors of this package do.
func (l *Limiter) Limit(ctx context.Context) error {
	method, _ := grpc.Method(ctx)
	lease, err := l.acquire(ctx, method, nil)
	if err == nil {
		l.settle(ctx, lease)
	}
	return err
}

type server struct {
	limiter *engine.Limiter
	Options

	noLimits, failed, unsettled quiet.Line // each of its own, so that clients with invented resources hide no other line
}

// acquire returns the lease of a call, nil if it is not limited, or an error with a status.
func (s *server) acquire(ctx context.Context, method string, request any) (*engine.Lease, error) {
	cost, err := s.Cost(ctx, method, request)
	if err != nil {
		return nil, costStatus(err)
	}
	if len(cost) == 0 {
		return nil, nil
	}
	entity := s.Key(ctx, method)
	if entity == "" {
		entity = clientAddress(ctx)
	}
	r := engine.Request{Entity: entity, Resource: s.Resource(ctx, method), Consume: cost, Limits: s.Limits}
	deciding, end := decisionContext(ctx)
	defer end()
	lease, err := s.limiter.Acquire(deciding, r)
	if err != nil {
		return nil, s.status(ctx, &r, err)
	}
	return lease, nil
}

// shortestDeadline is what a decision takes at most while the store is well. Only a deadline that is later shows that it is not.
const shortestDeadline = 100 * time.Millisecond

// decisionContext is a call's context for the limiter. The limiter takes a deadline that passes for a failure of the store, but the caller
// has chosen this one: with deadlines that no store keeps, it would be admitted by a policy, and open the limiter's breaker for all
// others. So a short deadline ends the decision as if the caller had left.
func decisionContext(ctx context.Context) (context.Context, func()) {
	if pause.Left(ctx) >= shortestDeadline {
		return ctx, func() {}
	}
	deciding, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	if ctx.Err() != nil { // AfterFunc tells it a moment later
		cancel()
	}
	return deciding, func() {
		stop()
		cancel()
	}
}

// settle commits the lease, unless the handler has ended it.
func (s *server) settle(ctx context.Context, lease *engine.Lease) {
	if err := lease.Commit(ctx); err != nil && !errors.Is(err, engine.ErrLeaseClosed) {
		if omitted, due := s.unsettled.Due(systemClock()); due {
			s.Logger.WarnContext(ctx, "grpclimit: the lease of a call was not settled; what it would have refunded refills",
				"error", err, "omitted", omitted)
		}
	}
}

// leasedStream is a stream whose context has the lease.
type leasedStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements [grpc.ServerStream].
func (s *leasedStream) Context() context.Context { return s.ctx }

type leaseKey struct{}

func withLease(ctx context.Context, lease *engine.Lease) context.Context {
	if lease == nil { // another interceptor may have limited the call
		return ctx
	}
	return context.WithValue(ctx, leaseKey{}, lease)
}

// Lease returns the lease of the call whose context it is, for adjusting what the call has used, or nil if the call is not limited.
// The methods of a nil lease do nothing. The lease is committed when the handler returns.
func Lease(ctx context.Context) *engine.Lease {
	lease, _ := ctx.Value(leaseKey{}).(*engine.Lease)
	return lease
}
