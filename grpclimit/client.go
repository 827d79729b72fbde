package grpclimit

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// ClientOptions configure the client's interceptors. The zero value of each field is its default; nil options are all defaults.
// Functions are called once for each call, concurrently. A method is a full name, such as "/grpc.health.v1.Health/Check".
type ClientOptions struct {
	Entity   func(ctx context.Context, method string) string // who calls: never a secret. Default: "grpc-client"
	Resource func(ctx context.Context, method string) string // what is used. Default: the service

	// Cost returns the tokens that each sending of the call takes. The request is nil if it is a stream. No tokens mean that the
	// call is not limited. An error fails the call. Default: one token of limit "rpm".
	Cost func(ctx context.Context, method string, request any) (engine.Tokens, error)

	// Settle may adjust the lease of a unary call that succeeded to what was used, by the reply. Default: nothing is adjusted.
	Settle func(lease *engine.Lease, reply any)

	Limits []engine.Limit // used if no limits are stored, default none

	// MaxWait is how long a call may wait in all: for tokens, and for the server's RetryInfo. It runs from the beginning, so what the
	// server takes to answer counts, too. The limiter's store has no more time either: choose far more than it takes. Default 30 s;
	// < 0: not at all.
	MaxWait time.Duration

	// MaxResends is how often a unary call is sent again after RESOURCE_EXHAUSTED or UNAVAILABLE with RetryInfo. Default 3; < 0:
	// never.
	MaxResends int

	Now   func() time.Time                           // the clock of waits, default the system's
	Sleep func(context.Context, time.Duration) error // waits for RetryInfo, default a timer
}

func (o *ClientOptions) withDefaults() ClientOptions {
	var r ClientOptions
	if o != nil {
		r = *o
	}
	if r.Entity == nil {
		r.Entity = func(context.Context, string) string { return "grpc-client" }
	}
	if r.Resource == nil {
		r.Resource = serviceOf
	}
	if r.Cost == nil {
		r.Cost = costOne
	}
	if r.Settle == nil {
		r.Settle = func(*engine.Lease, any) {}
	}
	if r.MaxWait == 0 {
		r.MaxWait = 30 * time.Second
	}
	if r.MaxResends == 0 {
		r.MaxResends = 3
	}
	if r.Now == nil {
		r.Now = systemClock
	}
	if r.Sleep == nil {
		r.Sleep = pause.For
	}
	return r
}

type client struct {
	limiter *engine.Limiter
	ClientOptions
}

// UnaryClientInterceptor returns an interceptor that takes a call's tokens, waits for them up to MaxWait, and sends the call. If the
// server answers RESOURCE_EXHAUSTED or UNAVAILABLE with RetryInfo, it waits as long as that says and sends the call again, with
// new tokens; if RetryInfo is longer than what is left of MaxWait or of the call's context, the caller gets the server's answer.
//
// If the tokens of a sending, the first or a later one, would come too late, the error is an *engine.ExceededError; if the context
// ends before, it is gRPC's status for that. What was sent stays charged, whatever the outcome.
func UnaryClientInterceptor(limiter *engine.Limiter, o *ClientOptions) grpc.UnaryClientInterceptor {
	c := &client{limiter, o.withDefaults()}
	return func(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		until := c.Now().Add(c.MaxWait)
		for sent := 0; ; sent++ {
			lease, err := c.acquire(ctx, method, request, until.Sub(c.Now()))
			if err != nil {
				return err
			}
			if err = invoke(ctx, method, request, reply, cc, opts...); err == nil {
				c.Settle(lease, reply)
			}
			_ = lease.Commit(ctx) // if it cannot be settled, its charge stays
			wait, ok := retryDelay(err)
			if !ok || sent >= c.MaxResends || wait > min(until.Sub(c.Now()), pause.Left(ctx)) {
				return err
			}
			if err := c.Sleep(ctx, wait); err != nil {
				return status.FromContextError(err).Err()
			}
		}
	}
}

// StreamClientInterceptor returns an interceptor that takes a stream's tokens, waits for them up to MaxWait, and opens the stream. The
// tokens stay charged, and a stream is not opened again.
func StreamClientInterceptor(limiter *engine.Limiter, o *ClientOptions) grpc.StreamClientInterceptor {
	c := &client{limiter, o.withDefaults()}
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		lease, err := c.acquire(ctx, method, nil, c.MaxWait)
		if err != nil {
			return nil, err
		}
		_ = lease.Commit(ctx) // nothing was adjusted
		return open(ctx, desc, cc, method, opts...)
	}
}

// acquire takes the tokens of a call, at once or after a wait. The lease is nil if the call is not limited.
func (c *client) acquire(ctx context.Context, method string, request any, most time.Duration) (*engine.Lease, error) {
	cost, err := c.Cost(ctx, method, request)
	if err != nil || len(cost) == 0 {
		return nil, err
	}
	r := engine.Request{Entity: c.Entity(ctx, method), Resource: c.Resource(ctx, method), Consume: cost, Limits: c.Limits}
	lease, err := c.wait(ctx, r, most)
	if err != nil && ctx.Err() != nil {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	return lease, err
}

func (c *client) wait(ctx context.Context, r engine.Request, most time.Duration) (*engine.Lease, error) {
	if most <= 0 {
		return c.limiter.Acquire(ctx, r)
	}
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return c.limiter.Wait(waiting, r)
}
