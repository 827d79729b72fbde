package dynamotest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
)

// Fate says what happens to a request and to its reply; nil lets both pass.
type Fate struct {
	// Lost keeps the request from the emulator. Otherwise it takes effect there before anything is done to its reply.
	Lost bool
	// Until delays the reply until the channel is closed or the client is gone. Nil delays nothing.
	Until <-chan struct{}
	// Delay delays the reply in real time, or until the client is gone.
	Delay time.Duration
	// Answer replaces the reply. With nil the reply stays, unless the request is lost.
	Answer *Answer
	// Cut closes the connection instead of answering.
	Cut bool
}

// Common fates.
var (
	// DropReply lets the request take effect and closes the connection.
	DropReply = &Fate{Cut: true}
	// DropRequest closes the connection before the request takes effect.
	DropRequest = &Fate{Lost: true, Cut: true}
	// FailReply lets the request take effect and answers with a 500.
	FailReply = &Fate{Answer: InternalServerError}
)

// Choose returns the fate of the n-th request of an operation; n counts from 1 in the order in which requests arrive. It is
// called by several goroutines at a time.
type Choose func(n int, operation string) *Fate

// Proxy is an endpoint between a client and an emulator that spoils replies.
type Proxy struct {
	Endpoint string
	Counter

	upstream string
	choose   Choose
	client   *http.Client
}

// NewProxy returns a proxy to the emulator at an endpoint, until the test ends.
func NewProxy(t testing.TB, endpoint string, choose Choose) *Proxy {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true}
	p := &Proxy{upstream: endpoint, choose: choose, client: &http.Client{Transport: transport}}
	server := httptest.NewServer(p)
	p.Endpoint = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	return p
}

// Options returns a copy of o with the proxy as endpoint.
func (p *Proxy) Options(o *dynamo.Options) *dynamo.Options { return at(o, p.Endpoint) }

// at returns a copy of o with another endpoint.
func at(o *dynamo.Options, endpoint string) *dynamo.Options {
	changed := *o
	changed.Endpoint = endpoint
	if o.Config != nil {
		config := o.Config.Copy()
		config.BaseEndpoint = aws.String(endpoint)
		changed.Config = &config
	}
	return &changed
}

// ServeHTTP implements [http.Handler].
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := operationOf(r)
	n := p.add(operation)
	fate := p.choose(n, operation)
	if fate == nil {
		fate = &Fate{}
	} else {
		p.spoil()
	}
	answer := fate.Answer
	if !fate.Lost {
		reply, err := p.pass(r)
		if err != nil {
			panic(http.ErrAbortHandler) // as the client would see it without us
		}
		if answer == nil {
			answer = reply
		}
	}
	fate.hold(r)
	if fate.Cut || answer == nil {
		panic(http.ErrAbortHandler)
	}
	answer.write(w)
}

// hold waits as long as the reply is delayed.
func (f *Fate) hold(r *http.Request) {
	if f.Until != nil {
		select {
		case <-f.Until:
		case <-r.Context().Done():
		}
	}
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
	}
}

// pass sends the request to the emulator. It takes effect even if the client is gone meanwhile.
func (p *Proxy) pass(r *http.Request) (*Answer, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(r.Method, p.upstream+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = r.Header.Clone()
	reply, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(reply.Body)
	return &Answer{Status: reply.StatusCode, header: reply.Header, body: text}, err
}
