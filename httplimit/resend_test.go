package httplimit_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/httplimit"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// endless is the body of a response that never ends: it has bytes more, and then a Read waits until the body is closed.
type endless struct {
	more   int
	read   int
	closed chan struct{}
	once   sync.Once
}

func (e *endless) Read(p []byte) (int, error) {
	if e.more > 0 {
		n := min(len(p), e.more)
		e.more -= n
		e.read += n
		return n, nil
	}
	<-e.closed
	return 0, http.ErrBodyReadAfterClose
}

func (e *endless) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}

// rejects answers the first request with 429 and a body, and the others with 200.
type rejects struct {
	body io.ReadCloser
	sent int
}

func (r *rejects) RoundTrip(*http.Request) (*http.Response, error) {
	if r.sent++; r.sent > 1 {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
	}
	return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}, Body: r.body}, nil
}

// sendsAgain wants a request to be sent a second time, and answered.
func sendsAgain(t *testing.T, l *limitertest.Limiter, base *rejects) {
	t.Helper()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.example.com", nil)
	response, err := transport(l, base).RoundTrip(r)
	if err != nil || response.StatusCode != http.StatusOK || base.sent != 2 {
		t.Fatalf("%v, sent %d times", err, base.sent)
	}
	_ = response.Body.Close()
}

// transport sends three requests a minute, by the limiter's clock.
func transport(l *limitertest.Limiter, base http.RoundTripper) http.RoundTripper {
	return httplimit.NewTransport(l.Limiter, &httplimit.TransportOptions{
		Base: base, Limits: []engine.Limit{engine.PerMinute("rpm", 3)}, Now: l.Clock.Now, Sleep: l.Clock.Sleep,
	})
}

// The body of a response that is given up does not hold the request, whether it stalls at once, later, or has no end.
func TestTransportGivesUpEndlessBodies(t *testing.T) {
	for name, c := range map[string]struct {
		more     int
		mostRead int
		mostTime time.Duration
	}{
		"stalls":       {0, 0, 100 * time.Millisecond},
		"stalls later": {1_000, 1_000, 100 * time.Millisecond},
		"has no end":   {1 << 40, 128 << 10, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, body := limitertest.New(t, nil), &endless{more: c.more, closed: make(chan struct{})}
				start := time.Now()
				sendsAgain(t, l, &rejects{body: body})
				<-body.closed
				if took := time.Since(start); body.read > c.mostRead || took > c.mostTime {
					t.Errorf("it has read %d bytes for %v", body.read, took)
				}
				l.AssertCharged("http-client", "api.example.com", engine.Tokens{"rpm": 2})
			})
		})
	}
}

// A real server that answers 429 and never ends the body holds no request either, over HTTP/1 and HTTP/2.
func TestTransportGivesUpAStalledServer(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			l, stalled, sent := limitertest.New(t, nil), make(chan struct{}), 0
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if sent++; sent > 1 {
					_, _ = io.WriteString(w, r.Proto)
					return
				}
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done() // the client has closed the connection, or the stream
				close(stalled)
			}))
			server.EnableHTTP2 = protocol == "HTTP/2.0"
			server.StartTLS()
			defer server.Close()
			client := &http.Client{Transport: transport(l, server.Client().Transport)}
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			<-stalled
			if text, err := io.ReadAll(response.Body); string(text) != protocol || err != nil {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

// A Base that answers without a body, as net/http's client admits, is asked again, too.
func TestTransportResendsWithoutABody(t *testing.T) {
	sendsAgain(t, limitertest.New(t, nil), &rejects{})
}

// writable is a Base that answers with a body that can be written, too, as the connection of a switched protocol.
type writable struct {
	*bytes.Buffer
	status int
}

func (w writable) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: w.status, Header: http.Header{}, Body: w}, nil
}

func (writable) Close() error { return nil }

// A switched protocol is the caller's connection, and its lease ends at once. Any other response has its lease until it is closed.
func TestTransportOfWritableBodies(t *testing.T) {
	for status, want := range map[int]error{http.StatusOK: nil, http.StatusSwitchingProtocols: engine.ErrLeaseClosed} {
		transport := httplimit.NewTransport(limitertest.New(t, nil).Limiter, &httplimit.TransportOptions{
			Base: writable{new(bytes.Buffer), status}, Limits: []engine.Limit{engine.PerMinute("rpm", 3)},
		})
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.example.com", nil)
		response, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := httplimit.Lease(response.Request.Context()).Adjust(engine.Tokens{"rpm": 1}); !errors.Is(err, want) {
			t.Errorf("status %d: %v", status, err)
		}
		if _, writes := response.Body.(io.Writer); writes != (status == http.StatusSwitchingProtocols) {
			t.Errorf("status %d: the body can be written: %v", status, writes)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}
