package httplimit

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// TransportOptions configure a [Transport]. The zero value of each field is its default; nil options are all defaults. Functions
// are called once for each request, concurrently.
type TransportOptions struct {
	Base http.RoundTripper // sends requests, default http.DefaultTransport

	Entity   func(*http.Request) string // who sends: never a secret. Default: "http-client"
	Resource func(*http.Request) string // what is used. Default: the host of the URL in lower case, with its port unless that is the default

	// Cost returns the tokens that each sending of the request takes. No tokens mean that the request is not limited. An error
	// fails the request. Default: one token of limit "rpm".
	Cost func(*http.Request) (engine.Tokens, error)

	Limits []engine.Limit // used if no limits are stored, default none

	// MaxWait is how long a request may wait in all: for tokens, and for Retry-After. It runs from the beginning, so what servers take
	// to answer counts, too. The limiter's store has no more time either: choose far more than it takes. Default 30 s; < 0: not at all.
	MaxWait time.Duration

	// MaxResends is how often a request is sent again after status 429 or 503 with Retry-After. Default 3; < 0: never.
	MaxResends int

	Now   func() time.Time                           // the clock of waits and of dates in Retry-After, default the system's
	Sleep func(context.Context, time.Duration) error // waits for Retry-After, default a timer
}

// Transport is an [http.RoundTripper] that sends requests as fast as limits allow. Make one with [NewTransport]. Safe for
// concurrent use.
type Transport struct {
	limiter *engine.Limiter
	TransportOptions
}

// NewTransport returns a transport for [http.Client]:
//
//	client := &http.Client{Transport: httplimit.NewTransport(limiter, &httplimit.TransportOptions{
//		Limits: []engine.Limit{engine.PerMinute("rpm", 60)},
//	})}
func NewTransport(limiter *engine.Limiter, o *TransportOptions) *Transport {
	t := &Transport{limiter: limiter}
	if o != nil {
		t.TransportOptions = *o
	}
	if t.Base == nil {
		t.Base = http.DefaultTransport
	}
	if t.Entity == nil {
		t.Entity = func(*http.Request) string { return "http-client" }
	}
	if t.Resource == nil {
		t.Resource = hostOf
	}
	if t.Cost == nil {
		t.Cost = func(*http.Request) (engine.Tokens, error) { return defaultCost, nil }
	}
	if t.MaxWait == 0 {
		t.MaxWait = 30 * time.Second
	}
	if t.MaxResends == 0 {
		t.MaxResends = 3
	}
	if t.Now == nil {
		t.Now = systemClock
	}
	if t.Sleep == nil {
		t.Sleep = pause.For
	}
	return t
}

// defaultPorts are what a URL of a scheme need not write.
var defaultPorts = map[string]string{"http": ":80", "https": ":443"}

// hostOf is the host as the name of a resource, which has neither brackets nor percent signs, and letters of ASCII only. One host has
// one name: in lower case, and without the default port.
func hostOf(r *http.Request) string {
	host := strings.ToLower(r.URL.Host)
	if port := defaultPorts[r.URL.Scheme]; port == ":"+r.URL.Port() {
		host = strings.TrimSuffix(host, port)
	}
	host = strings.TrimLeft(strings.Replace(host, "]", "", 1), "[:")
	return strings.TrimLeft(strings.ReplaceAll(url.PathEscape(host), "%", "."), ".")
}

// RoundTrip implements [http.RoundTripper]. It takes the request's tokens, waits for them up to MaxWait, and sends the request. If
// the server answers 429 or 503 with Retry-After, it waits as long as that says and sends the request again, with new tokens.
// It does so only for a request whose body can be sent again (it has none, or GetBody) and that is idempotent or has GetBody.
// If Retry-After is longer than what is left of MaxWait or of the request's context, the response is returned as it is.
//
// If the tokens of a sending, the first or a later one, would come too late, the error is an *engine.ExceededError; other errors are
// those of [engine.Limiter.Wait]. What was sent stays charged, whatever the outcome. To adjust the charge to what was used, find
// the lease in the response's request before the body is closed, because that commits the lease:
//
//	httplimit.Lease(response.Request.Context()).Adjust(engine.Tokens{"tpm": used - estimate})
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	cost, err := t.Cost(r)
	if err != nil {
		closeBody(r)
		return nil, &costError{err}
	}
	if len(cost) == 0 {
		return t.Base.RoundTrip(r.WithContext(&leaseContext{r.Context(), nil})) // not with the lease of the handler that sends it
	}
	until := t.Now().Add(t.MaxWait)
	request := engine.Request{Entity: t.Entity(r), Resource: t.Resource(r), Consume: cost, Limits: t.Limits}
	for sent := 0; ; sent++ {
		response, err := t.send(r, request, until.Sub(t.Now()))
		if err != nil {
			return nil, err
		}
		wait, ok := retryAfter(response, t.Now())
		if !ok || sent >= t.MaxResends || !canResend(r) || wait > min(until.Sub(t.Now()), pause.Left(r.Context())) {
			return response, nil
		}
		discard(response)
		if err := t.Sleep(r.Context(), wait); err != nil {
			return nil, err
		}
		if r, err = again(r); err != nil {
			return nil, err
		}
	}
}

// CloseIdleConnections closes those of Base, for http.Client's method of the same name.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.Base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// send sends the request once, when it has its tokens.
func (t *Transport) send(r *http.Request, request engine.Request, mostWait time.Duration) (*http.Response, error) {
	ctx := r.Context()
	lease, err := t.wait(ctx, request, mostWait)
	if err != nil {
		closeBody(r)
		return nil, err
	}
	limited := r.WithContext(&leaseContext{ctx, lease})
	response, err := t.Base.RoundTrip(limited)
	if err != nil {
		_ = lease.Commit(ctx) // nothing was adjusted; the request may have been sent
		return nil, err
	}
	if response.Request == nil { // Base is no http.Transport
		response.Request = limited
	}
	if response.StatusCode == http.StatusSwitchingProtocols || response.Body == nil { // the connection is the caller's
		_ = lease.Commit(ctx)
		return response, nil
	}
	response.Body = &body{ReadCloser: response.Body, settle: sync.OnceValue(func() error { return lease.Commit(ctx) })}
	return response, nil
}

// wait takes the tokens, at once or after a wait.
func (t *Transport) wait(ctx context.Context, request engine.Request, most time.Duration) (*engine.Lease, error) {
	if most <= 0 {
		return t.limiter.Acquire(ctx, request)
	}
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return t.limiter.Wait(waiting, request)
}

// body commits the lease of a request when its response is closed.
type body struct {
	io.ReadCloser
	settle func() error
}

// Close closes the body, and returns what went wrong with that. If the lease cannot be settled, its charge stays.
func (b *body) Close() error {
	_ = b.settle()
	return b.ReadCloser.Close()
}
