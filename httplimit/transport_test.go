package httplimit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/httplimit"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// remote is a real server that answers what a test wants, and a client that is limited to three requests a minute.
type remote struct {
	*httptest.Server
	client  *http.Client
	limiter *limitertest.Limiter
	answers []answer // the next ones; then "done"
	lock    sync.Mutex
	bodies  []string // of the requests that arrived
}

func newRemote(t *testing.T, o httplimit.TransportOptions, answers ...answer) *remote {
	t.Helper()
	s := &remote{limiter: limitertest.New(t, nil), answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		s.lock.Lock()
		defer s.lock.Unlock()
		if s.bodies = append(s.bodies, r.Method+string(text)); len(s.answers) == 0 {
			fmt.Fprint(w, "done")
			return
		}
		next := s.answers[0]
		s.answers = s.answers[1:]
		for name, values := range next.header {
			w.Header()[name] = values
		}
		w.WriteHeader(next.status)
		fmt.Fprint(w, next.body)
	}))
	t.Cleanup(s.Close)
	if o.Limits == nil {
		o.Limits = []engine.Limit{engine.PerMinute("rpm", 3)}
	}
	o.Resource = func(*http.Request) string { return "remote" }
	o.Base, o.Now, o.Sleep = s.Client().Transport, s.limiter.Clock.Now, s.limiter.Clock.Sleep
	s.client = &http.Client{Transport: httplimit.NewTransport(s.limiter.Limiter, &o)}
	return s
}

// arrived returns the requests that have arrived, and forgets them.
func (s *remote) arrived() string {
	s.lock.Lock()
	defer s.lock.Unlock()
	all := strings.Join(s.bodies, " ")
	s.bodies = nil
	return all
}

// do sends a request and returns the response's status and body.
func (s *remote) do(t *testing.T, method string, body io.Reader) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.client.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return fmt.Sprint(response.StatusCode, " ", string(text)), err
}

// A client waits for its own limit, and never exceeds it.
func TestTransportWaits(t *testing.T) {
	s := newRemote(t, httplimit.TransportOptions{MaxWait: time.Minute})
	start := s.limiter.Clock.Now()
	for range 6 {
		if got, err := s.do(t, http.MethodGet, nil); got != "200 done" || err != nil {
			t.Fatalf("%s, %v", got, err)
		}
	}
	if passed := s.limiter.Clock.Now().Sub(start); passed < time.Minute || passed > 61*time.Second {
		t.Errorf("six requests at three a minute, from full, took %v, want a minute", passed)
	}
	s.limiter.AssertCharged("http-client", "remote", engine.Tokens{"rpm": 6})
}

// If the tokens would come too late, nothing is sent, and the body is closed.
func TestTransportDoesNotWaitLonger(t *testing.T) {
	for _, most := range []time.Duration{10 * time.Second, -1} {
		s := newRemote(t, httplimit.TransportOptions{MaxWait: most})
		for range 3 {
			if _, err := s.do(t, http.MethodGet, nil); err != nil {
				t.Fatal(err)
			}
		}
		s.arrived()
		start, body := s.limiter.Clock.Now(), &watched{Reader: strings.NewReader("x")}
		_, err := s.do(t, http.MethodPost, body)
		var exceeded *engine.ExceededError
		if !errors.As(err, &exceeded) || exceeded.RetryAfter != 20*time.Second || s.arrived() != "" || !body.closed {
			t.Errorf("%v: %v, closed %v", most, err, body.closed)
		}
		if !s.limiter.Clock.Now().Equal(start) {
			t.Error("it waited all the same")
		}
	}
}

// watched is a body without GetBody.
type watched struct {
	io.Reader
	closed bool
}

func (w *watched) Close() error {
	w.closed = true
	return nil
}

func busy(status int, retryAfter string) answer {
	return answer{status: status, header: http.Header{"Retry-After": {retryAfter}}, body: "busy"}
}

func TestTransportResends(t *testing.T) {
	const start = "Sun, 01 Mar 2026 12:00:05 GMT" // 5 s after the clock's start
	again := busy(429, "5")
	for _, c := range []struct {
		name, method string
		body         io.Reader
		answers      []answer
		want         string
		arrived      string
		passed       time.Duration
	}{
		{"429", "GET", nil, []answer{again}, "200 done", "GET GET", 5 * time.Second},
		{"503", "GET", nil, []answer{busy(503, "5")}, "200 done", "GET GET", 5 * time.Second},
		{"date", "GET", nil, []answer{busy(429, start)}, "200 done", "GET GET", 5 * time.Second},
		{"past", "GET", nil, []answer{busy(429, "Sun, 01 Mar 2026 11:00:00 GMT")}, "200 done", "GET GET", 0},
		{"at once", "GET", nil, []answer{busy(429, "0")}, "200 done", "GET GET", 0},
		{"twice", "GET", nil, []answer{again, busy(503, "7")}, "200 done", "GET GET GET", 12 * time.Second},
		{"too often", "GET", nil, []answer{again, again, again, again}, "429 busy", "GET GET GET", 10 * time.Second},
		{"delete", "DELETE", nil, []answer{again}, "200 done", "DELETE DELETE", 5 * time.Second},
		{"body again", "POST", strings.NewReader("x"), []answer{again}, "200 done", "POSTx POSTx", 5 * time.Second},
		{"not idempotent", "POST", nil, []answer{again}, "429 busy", "POST", 0},
		{"body once", "PUT", &watched{Reader: strings.NewReader("x")}, []answer{again}, "429 busy", "PUTx", 0},
		{"too late", "GET", nil, []answer{busy(429, "31")}, "429 busy", "GET", 0},
		{"far too late", "GET", nil, []answer{busy(429, "99999999999999999")}, "429 busy", "GET", 0},
		{"too late in all", "GET", nil, []answer{busy(429, "20"), busy(429, "20")}, "429 busy", "GET GET", 20 * time.Second},
		{"rubbish", "GET", nil, []answer{busy(429, "soon")}, "429 busy", "GET", 0},
		{"negative", "GET", nil, []answer{busy(429, "-1")}, "429 busy", "GET", 0},
		{"none", "GET", nil, []answer{{status: 429, body: "busy"}}, "429 busy", "GET", 0},
		{"other status", "GET", nil, []answer{busy(500, "1")}, "500 busy", "GET", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newRemote(t, httplimit.TransportOptions{MaxResends: 2}, c.answers...)
			from := s.limiter.Clock.Now()
			got, err := s.do(t, c.method, c.body)
			arrived, passed := s.arrived(), s.limiter.Clock.Now().Sub(from)
			if got != c.want || err != nil || arrived != c.arrived || passed != c.passed {
				t.Errorf("got %q, %v after %v; arrived: %q; want %q after %v; %q", got, err, passed, arrived, c.want, c.passed, c.arrived)
			}
			sent := int64(strings.Count(arrived, c.method)) // each took a token
			s.limiter.AssertCharged("http-client", "remote", engine.Tokens{"rpm": sent})
		})
	}
}

// A request that would be sent again, but whose new tokens would come too late, fails as if it were the first sending.
func TestTransportHasNoTokensToSendAgain(t *testing.T) {
	s := newRemote(t, httplimit.TransportOptions{Limits: []engine.Limit{engine.PerMinute("rpm", 1)}}, busy(429, "5"))
	var exceeded *engine.ExceededError
	if _, err := s.do(t, http.MethodGet, nil); !errors.As(err, &exceeded) || exceeded.RetryAfter != 55*time.Second || s.arrived() != "GET" {
		t.Error(err)
	}
}

// The lease is in the response's request, and is committed when the body is closed.
func TestTransportAdjusts(t *testing.T) {
	s := newRemote(t, httplimit.TransportOptions{
		Entity: func(*http.Request) string { return "us" },
		Cost:   func(*http.Request) (engine.Tokens, error) { return engine.Tokens{"tpm": 500}, nil },
		Limits: []engine.Limit{engine.PerMinute("tpm", 1_000)},
	})
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	response, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := httplimit.Lease(response.Request.Context()).Adjust(engine.Tokens{"tpm": -180}); err != nil {
		t.Error(err)
	}
	s.limiter.AssertCharged("us", "remote", engine.Tokens{"tpm": 500})
	for range 2 {
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	s.limiter.AssertCharged("us", "remote", engine.Tokens{"tpm": 320})
}

// bare answers without saying to what, as a Base may.
type bare struct{}

func (bare) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
}

// The lease is found also if Base does not name the response's request.
func TestTransportOverABareBase(t *testing.T) {
	l := limitertest.New(t, nil)
	client := &http.Client{Transport: httplimit.NewTransport(l.Limiter, &httplimit.TransportOptions{
		Base: bare{}, Resource: func(*http.Request) string { return "remote" }, Limits: []engine.Limit{engine.PerMinute("rpm", 3)},
	})}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.example.com", nil)
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if response.Request == nil {
		t.Fatal("the response has no request")
	}
	err = httplimit.Lease(response.Request.Context()).Adjust(engine.Tokens{"rpm": 1})
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Error(err)
	}
	l.AssertCharged("http-client", "remote", engine.Tokens{"rpm": 2})
}

// A request that is not limited has no lease, also if a handler sends it whose own request has one.
func TestTransportHidesTheHandlersLease(t *testing.T) {
	s := newRemote(t, httplimit.TransportOptions{Cost: func(*http.Request) (engine.Tokens, error) { return nil, nil }})
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sent, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, s.URL, nil)
		response, err := s.client.Do(sent)
		if err != nil {
			t.Error(err)
			return
		}
		err = httplimit.Lease(response.Request.Context()).Adjust(engine.Tokens{"rpm": 5})
		if err := errors.Join(err, response.Body.Close()); err != nil {
			t.Error(err)
		}
	})
	limited := httplimit.New(s.limiter.Limiter, &httplimit.Options{
		Key: func(*http.Request) string { return "caller" }, Limits: []engine.Limit{engine.PerMinute("rpm", 3)},
	})
	limited(handler).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	s.limiter.AssertCharged("caller", "api", engine.Tokens{"rpm": 1})
}

func TestTransportErrors(t *testing.T) {
	failing := errors.New("too large")
	s := newRemote(t, httplimit.TransportOptions{Cost: func(r *http.Request) (engine.Tokens, error) {
		if r.Method == http.MethodPut {
			return nil, failing
		}
		if r.Method == http.MethodHead {
			return nil, nil // not limited
		}
		return engine.Tokens{"rpm": 1}, nil
	}})
	if _, err := s.do(t, http.MethodPut, nil); !errors.Is(err, failing) {
		t.Errorf("without cost: %v", err)
	}
	s.limiter.Down()
	if _, err := s.do(t, http.MethodGet, nil); !errors.Is(err, engine.ErrUnavailable) || s.arrived() != "" {
		t.Errorf("without the store: %v", err)
	}
	if got, err := s.do(t, http.MethodHead, nil); got != "200 " || err != nil {
		t.Errorf("not limited: %q, %v", got, err)
	}
	s.limiter.Up()
	s.limiter.Clock.Advance(10 * time.Second)
	s.Close()
	if _, err := s.do(t, http.MethodGet, nil); err == nil {
		t.Error("the server is gone")
	}
	s.limiter.AssertCharged("http-client", "remote", engine.Tokens{"rpm": 1}) // it may have been sent
}

// A client that has given up is not sent again.
func TestTransportStopsWithItsContext(t *testing.T) {
	s := newRemote(t, httplimit.TransportOptions{}, busy(429, "5"))
	ctx, cancel := context.WithCancel(t.Context())
	s.client.Transport.(*httplimit.Transport).Sleep = func(ctx context.Context, d time.Duration) error {
		cancel()
		return s.limiter.Clock.Sleep(ctx, d)
	}
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	response, err := s.client.Do(r)
	if err == nil {
		response.Body.Close()
	}
	if !errors.Is(err, context.Canceled) || s.arrived() != "GET" {
		t.Errorf("%v", err)
	}
	s.client.CloseIdleConnections()
}

// A client whose own deadline comes before Retry-After gets the response at once, and not the end of its context later.
func TestTransportHeedsTheDeadline(t *testing.T) {
	s := newRemote(t, httplimit.TransportOptions{}, busy(429, "20"))
	s.client.Timeout = 10 * time.Second
	start := s.limiter.Clock.Now()
	got, err := s.do(t, http.MethodGet, nil)
	if got != "429 busy" || err != nil || s.arrived() != "GET" || !s.limiter.Clock.Now().Equal(start) {
		t.Errorf("%q, %v", got, err)
	}
}

// By default the resource is the host, however it is written, which has brackets if it is an IPv6 address. What a resource cannot have is
// written otherwise.
func TestTransportResource(t *testing.T) {
	for url, want := range map[string]string{
		"http://api.example.com/v1": "api.example.com", "http://127.0.0.1:8080": "127.0.0.1:8080",
		"HTTP://API.Example.com:80": "api.example.com", "https://api.example.com:443": "api.example.com", "https://api.example.com:80": "api.example.com:80",
		"http://[2001:db8::1]:80": "2001:db8::1", "http://[2001:db8::1]:81": "2001:db8::1:81", "http://[2001:db8::80]": "2001:db8::80", "http://[::1]": "1",
		"http://[fe80::1%25eth0]:81": "fe80::1.25eth0:81", "http://bücher.example": "b.C3.BCcher.example", "http://例.example": "E4.BE.8B.example",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := httplimit.NewTransport(nil, nil).Resource(r); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}
