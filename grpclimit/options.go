package grpclimit

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/grpc/peer"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Options configure the server's interceptors. The zero value of each field is its default; nil options are all defaults.
// Functions are called once for each call, concurrently. A method is a full name, such as "/grpc.health.v1.Health/Check".
type Options struct {
	// Key returns the id of the key, user or tenant that authentication has found, which is the entity, or "" for a caller that
	// is not authenticated: it is limited by its address, as the entity "ip:192.0.2.1" or "ip:2001:db8::/64". Never return a
	// secret. Default: all callers are limited by their address.
	Key func(ctx context.Context, method string) string

	// Resource returns what the call uses. Default: the service, such as "grpc.health.v1.Health".
	Resource func(ctx context.Context, method string) string

	// Cost returns the tokens that the call takes, which the handler may adjust later. The request is nil if it is a stream. No
	// tokens mean that the call is not limited, such as a health check. An error is sent as it is if it has a status, else with
	// INVALID_ARGUMENT. Default: one token of limit "rpm".
	Cost func(ctx context.Context, method string, request any) (engine.Tokens, error)

	Limits []engine.Limit // used if no limits are stored, default none

	// Logger gets errors that are the program's, such as a resource without limits, and leases that were not settled: at most one of
	// each kind a second, with the number that was omitted. Default: slog.Default().
	Logger *slog.Logger
}

// systemClock is the clock of the log, and the default of ClientOptions.Now.
var systemClock = time.Now

var defaultCost = engine.Tokens{"rpm": 1}

func costOne(context.Context, string, any) (engine.Tokens, error) { return defaultCost, nil }

func serviceOf(_ context.Context, method string) string {
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	return service
}

func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Key == nil {
		r.Key = func(context.Context, string) string { return "" }
	}
	if r.Resource == nil {
		r.Resource = serviceOf
	}
	if r.Cost == nil {
		r.Cost = costOne
	}
	if r.Logger == nil {
		r.Logger = slog.Default()
	}
	return r
}

// clientAddress is the entity of a caller that is not authenticated.
func clientAddress(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return "ip:unknown"
	}
	at, err := netip.ParseAddrPort(p.Addr.String())
	if err != nil {
		return "ip:unknown" // such as a Unix socket
	}
	address := at.Addr().Unmap().WithZone("")
	if address.Is4() {
		return "ip:" + address.String()
	}
	prefix, _ := address.Prefix(64)
	return "ip:" + prefix.String()
}
