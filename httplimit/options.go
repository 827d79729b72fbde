package httplimit

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Options configure the middleware. The zero value of each field is its default; nil options are all defaults. Functions are
// called once for each request, concurrently.
type Options struct {
	// Key returns the id of the key, user or tenant that authentication has found, which is the entity, or "" for a caller that
	// is not authenticated: it is limited by its address, as the entity "ip:192.0.2.1" or "ip:2001:db8::/64". Never return a
	// secret. Default: all callers are limited by their address.
	Key func(*http.Request) string

	// Resource returns what the request uses. Default: "api".
	Resource func(*http.Request) string

	// Cost returns the tokens that the request takes, which the handler may adjust later. No tokens mean that the request is
	// not limited. An error is answered with status 400. Default: one token of limit "rpm".
	Cost func(*http.Request) (engine.Tokens, error)

	// Limits are used if no limits are stored. Default: none.
	Limits []engine.Limit

	// TrustedProxies are the networks of proxies whose X-Forwarded-For is believed. The client is the last address in it that
	// is not a trusted proxy's. An IPv4 network may be written as IPv6, ::ffff:10.0.0.0/104 for 10.0.0.0/8; other IPv6 networks have
	// no IPv4 addresses. New panics at an invalid prefix. Default: none, so that the client is the peer of the connection.
	TrustedProxies []netip.Prefix

	// Style chooses the headers of responses. Default: IETF.
	Style Style

	// Names maps names of limits to the names that responses show. A limit that is mapped to "" is not shown, and other limits
	// keep their names. Names must have letters, digits and _.- only, else New panics. Default: for OpenAI and Anthropic, "rpm" is
	// "requests" and "tpm" is "tokens".
	Names map[string]string

	// ErrorHandler writes the response if the request is not admitted: a denial is an *engine.ExceededError, and the other
	// errors are those of Acquire and Cost. The headers of the response are set already, Retry-After included; show
	// clients the Public form of a denial. Default: a problem document, with status 429, 503, 400 or 500.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)

	// Logger gets errors that are the program's, such as a resource without limits, and leases that could not be settled: at most one
	// of each kind a second, with the number that was omitted. Default: slog.Default().
	Logger *slog.Logger

	// Now is the clock of the times in Anthropic's headers, and of the log. Default: the system's.
	Now func() time.Time
}

// Style is a family of headers that tell clients about limits.
type Style uint8

// The styles. For limits rpm and tpm, in OpenAI's and Anthropic's style called requests and tokens:
const (
	IETF      Style = iota // RateLimit-Policy: "rpm";q=60;w=60 and RateLimit: "rpm";r=59;t=1
	OpenAI                 // X-Ratelimit-Limit-Requests: 60, X-Ratelimit-Remaining-Requests: 59, X-Ratelimit-Reset-Requests: 1s
	Anthropic              // Anthropic-Ratelimit-Requests-Limit: 60, …-Remaining: 59, …-Reset: 2026-03-01T12:00:01Z
)

const defaultResource = "api"

// systemClock is the default of Now.
var systemClock = time.Now

var defaultCost = engine.Tokens{"rpm": 1}

func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Key == nil {
		r.Key = func(*http.Request) string { return "" }
	}
	if r.Resource == nil {
		r.Resource = func(*http.Request) string { return defaultResource }
	}
	if r.Cost == nil {
		r.Cost = func(*http.Request) (engine.Tokens, error) { return defaultCost, nil }
	}
	if r.Names == nil && r.Style != IETF {
		r.Names = map[string]string{"rpm": "requests", "tpm": "tokens"}
	}
	for limit, name := range r.Names {
		if !isName(name) {
			panic(fmt.Sprintf("httplimit.New: Options.Names[%q] is %q: use letters, digits and _.- only", limit, name))
		}
	}
	r.TrustedProxies = plainPrefixes(r.TrustedProxies)
	if r.Logger == nil {
		r.Logger = slog.Default()
	}
	if r.Now == nil {
		r.Now = systemClock
	}
	return r
}

// isName reports whether a name can be part of the name of a header, or a string in one, as it is.
func isName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-') {
			return false
		}
	}
	return true
}
