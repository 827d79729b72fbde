package dynamotest

import (
	"net/http"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
)

// Inject answers the n-th request of an operation without sending it; nil sends it. n counts from 1. It is called by
// several goroutines at a time.
type Inject func(n int, operation string) *Answer

// Injector is an HTTP client for the SDK that answers some requests itself and counts all. It is safe for concurrent
// use.
type Injector struct {
	Counter

	next   *http.Transport
	inject Inject
}

// NewInjector returns a client that works until the test ends. With a nil inject it only counts.
func NewInjector(t testing.TB, inject Inject) *Injector {
	t.Helper()
	i := &Injector{next: &http.Transport{MaxIdleConnsPerHost: 100}, inject: inject}
	t.Cleanup(i.next.CloseIdleConnections)
	return i
}

// Options returns a copy of o with the injector as HTTP client.
func (i *Injector) Options(o *dynamo.Options) *dynamo.Options {
	changed := *o
	config := o.Config.Copy()
	config.HTTPClient = i
	changed.Config = &config
	return &changed
}

// Do implements the SDK's aws.HTTPClient.
func (i *Injector) Do(r *http.Request) (*http.Response, error) { return i.RoundTrip(r) }

// RoundTrip implements [http.RoundTripper].
func (i *Injector) RoundTrip(r *http.Request) (*http.Response, error) {
	operation := operationOf(r)
	n := i.add(operation)
	if i.inject != nil {
		if answer := i.inject(n, operation); answer != nil {
			i.spoil()
			if r.Body != nil {
				_ = r.Body.Close() // as RoundTrip must
			}
			return answer.response(r), nil
		}
	}
	return i.next.RoundTrip(r)
}
