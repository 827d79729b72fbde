package httplimit_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/httplimit"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

var perMinute = []engine.Limit{engine.PerMinute("rpm", 2), engine.PerMinute("tpm", 1_000)}

// byID is authentication for tests: the key "secret-x" has the id "key-x".
func byID(r *http.Request) string {
	if id, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer secret-"); ok {
		return "key-" + id
	}
	return ""
}

// service is a real server with the middleware, and a client for it.
type service struct {
	*httptest.Server
	limiter *limitertest.Limiter
	t       *testing.T
}

// serve starts a server whose handler is limited to two requests and 1,000 tokens a minute, unless the options say otherwise.
func serve(t *testing.T, handler http.HandlerFunc, o httplimit.Options, eo *engine.Options) *service {
	t.Helper()
	s := &service{limiter: limitertest.New(t, eo), t: t}
	if o.Key == nil {
		o.Key = byID
	}
	if o.Limits == nil {
		o.Limits = perMinute
	}
	o.Now, o.Logger = s.limiter.Clock.Now, slog.New(slog.DiscardHandler)
	s.Server = httptest.NewServer(httplimit.New(s.limiter.Limiter, &o)(handler))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	t.Cleanup(s.Close)
	return s
}

// answer is what a client gets.
type answer struct {
	status int
	header http.Header
	body   string
}

// get sends a request with the key "secret-1", unless other headers are given: name, value, name, value.
func (s *service) get(headers ...string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer secret-1")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

func hello(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }

// The entity is the id of the key, which the store gets instead of the secret, and an invented secret is no new bucket.
func TestKeys(t *testing.T) {
	s := serve(t, hello, httplimit.Options{}, nil)
	for n, want := range []int{200, 200, 429, 429} {
		if got := s.get(); got.status != want {
			t.Errorf("request %d: %d, want %d", n, got.status, want)
		}
	}
	s.limiter.AssertCharged("key-1", "api", engine.Tokens{"rpm": 2})
	for n, want := range []int{200, 200, 429, 429} {
		if got := s.get("Authorization", fmt.Sprint("invented ", n)); got.status != want {
			t.Errorf("invented secret %d: %d, want %d", n, got.status, want)
		}
	}
	s.limiter.AssertCharged("ip:127.0.0.1", "api", engine.Tokens{"rpm": 2})
	if got := s.get("Authorization", "Bearer secret-2"); got.status != 200 || got.body != "hello" {
		t.Errorf("another key: %+v", got)
	}
}

func TestDenial(t *testing.T) {
	s := serve(t, hello, httplimit.Options{}, nil)
	s.get()
	s.get()
	s.limiter.Clock.Advance(100 * time.Millisecond)
	got := s.get()
	want := answer{status: 429, header: http.Header{
		"Retry-After": {"30"}, "Content-Type": {"application/problem+json"}, "Ratelimit-Policy": {`"rpm";q=2;w=60, "tpm";q=1000;w=60`},
		"Ratelimit": {`"rpm";r=0;t=30, "tpm";r=1000;t=0`},
	}}
	for name, values := range want.header {
		if !cmp.Equal(got.header[name], values) {
			t.Errorf("%s is %q, want %q", name, got.header[name], values)
		}
	}
	document := map[string]any{}
	if err := json.Unmarshal([]byte(got.body), &document); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	if difference := cmp.Diff(map[string]any{
		"type":  "https://iana.org/assignments/http-problem-types#quota-exceeded",
		"title": "Rate limit exceeded", "status": 429.0, "detail": "Try again in 29.9s.", "violated-policies": []any{"rpm"},
	}, document); got.status != 429 || difference != "" {
		t.Errorf("%d, %s", got.status, difference)
	}
}

// OpenAI and Anthropic tell of a denial, too, when each limit is full, and not when the request may come again.
func TestResetsOfADenial(t *testing.T) {
	for style, want := range map[httplimit.Style][2]string{httplimit.OpenAI: {"1m0s", "42s"}, httplimit.Anthropic: {"2026-03-01T12:01:00Z", "2026-03-01T12:00:42Z"}} {
		s := serve(t, hello, httplimit.Options{
			Style: style, Cost: func(*http.Request) (engine.Tokens, error) { return engine.Tokens{"rpm": 1, "tpm": 350}, nil },
		}, nil)
		for range 2 {
			s.get()
		}
		h := s.get().header
		got := [2]string{
			h.Get("X-Ratelimit-Reset-Requests") + h.Get("Anthropic-Ratelimit-Requests-Reset"),
			h.Get("X-Ratelimit-Reset-Tokens") + h.Get("Anthropic-Ratelimit-Tokens-Reset"),
		}
		if got != want || h.Get("Retry-After") != "30" {
			t.Errorf("style %d: %q and %v, want %q", style, got, h, want)
		}
	}
}

// A denial by a parent says when to come again, and nothing of the parent.
func TestDenialByParent(t *testing.T) {
	s := serve(t, hello, httplimit.Options{}, nil)
	ctx := t.Context()
	for _, err := range []error{
		s.limiter.CreateEntity(ctx, engine.Entity{ID: "the-org"}, nil),
		s.limiter.CreateEntity(ctx, engine.Entity{ID: "key-1", Parent: "the-org", Cascade: true}, nil),
		s.limiter.SetLimits(ctx, "the-org", "", []engine.Limit{engine.PerMinute("rpm", 1)}),
		s.limiter.SetLimits(ctx, "key-1", "", []engine.Limit{engine.PerMinute("rpm", 10)}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := s.get(); got.header.Get("Ratelimit") != `"rpm";r=9;t=6` || got.header.Get("Ratelimit-Policy") != `"rpm";q=10;w=60` {
		t.Errorf("an admission: %v", got.header)
	}
	got := s.get()
	if got.status != 429 || got.header.Get("Retry-After") != "60" || got.header.Get("Ratelimit") != `"rpm";r=9;t=6` ||
		strings.Contains(fmt.Sprint(got), "the-org") || strings.Contains(got.body, "violated") {
		t.Errorf("a denial by the parent: %+v", got)
	}
}

// If only a parent has limits, there is nothing to show.
func TestLimitsOfAParentOnly(t *testing.T) {
	s := serve(t, hello, httplimit.Options{Limits: []engine.Limit{}}, nil)
	ctx := t.Context()
	for _, err := range []error{
		s.limiter.CreateEntity(ctx, engine.Entity{ID: "the-org"}, nil),
		s.limiter.CreateEntity(ctx, engine.Entity{ID: "key-1", Parent: "the-org", Cascade: true}, nil),
		s.limiter.SetLimits(ctx, "the-org", "", []engine.Limit{engine.PerMinute("rpm", 1)}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{200, 429} {
		if got := s.get(); got.status != want || got.header.Get("Ratelimit") != "" || got.header.Get("Ratelimit-Policy") != "" {
			t.Errorf("%+v, want %d without limits", got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	failing, cost := errors.New("max_tokens is missing"), engine.Tokens{"rpm": 1}
	resource, key := "api", "key-1"
	var costErr error
	s := serve(t, hello, httplimit.Options{
		Key: func(*http.Request) string { return key }, Resource: func(*http.Request) string { return resource },
		Cost: func(*http.Request) (engine.Tokens, error) { return cost, costErr },
	}, nil)
	for _, c := range []struct {
		name       string
		set        func()
		status     int
		retryAfter string
		detail     string
	}{
		{"no cost", func() { costErr = failing }, 400, "", "max_tokens is missing"},
		{"negative cost", func() { cost = engine.Tokens{"rpm": -1} }, 400, "", "rpm"},
		{"bad resource", func() { resource = "<script>" }, 400, "", "Resource"},
		{"bad key", func() { key = "\x00" }, 500, "", ""},
		{"unknown limit", func() { cost = engine.Tokens{"other": 1} }, 500, "", ""},
		{"never fits", func() { cost = engine.Tokens{"tpm": 1_001} }, 429, "", "can never be admitted"},
		{"store down", s.limiter.Down, 503, "1", "cannot be reached"},
		{"not limited", func() { s.limiter.Down(); cost = nil }, 200, "", ""},
	} {
		s.limiter.Up()
		cost, resource, key, costErr = engine.Tokens{"rpm": 1}, "api", "key-1", nil
		c.set()
		got := s.get()
		if got.status != c.status || got.header.Get("Retry-After") != c.retryAfter || !strings.Contains(got.body, c.detail) ||
			c.status != 200 && got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// By policy a request is admitted without the store, and then nothing is said of limits.
func TestPolicyAllow(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, httplimit.Lease(r.Context()).Degraded())
	}, httplimit.Options{}, &engine.Options{OnUnavailable: engine.PolicyAllow})
	s.limiter.Down()
	if got := s.get(); got.status != 200 || got.body != "true" || got.header.Get("Ratelimit") != "" {
		t.Errorf("%+v", got)
	}
}

func TestErrorHandler(t *testing.T) {
	s := serve(t, hello, httplimit.Options{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
		var exceeded *engine.ExceededError
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, errors.As(err, &exceeded))
	}}, nil)
	s.get()
	s.get()
	if got := s.get(); got.status != http.StatusTeapot || got.body != "true" || got.header.Get("Retry-After") != "30" || got.header.Get("Ratelimit") == "" {
		t.Errorf("%+v", got)
	}
}

// The lease is in the context, is adjusted by the handler, and committed although the client has gone.
func TestLeaseOfAClientThatGoes(t *testing.T) {
	gone, settled := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "first")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
		close(gone)
		if err := httplimit.Lease(r.Context()).Adjust(engine.Tokens{"tpm": -300}); err != nil {
			t.Error(err)
		}
	}, httplimit.Options{Cost: func(*http.Request) (engine.Tokens, error) { return engine.Tokens{"rpm": 1, "tpm": 500}, nil }}, nil)
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(settled)
		inner.ServeHTTP(w, r)
	})
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	r.Header.Set("Authorization", "Bearer secret-1")
	response, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if line, err := bufio.NewReader(response.Body).ReadString('\n'); err != nil || line != "first\n" { // before the handler has ended
		t.Errorf("the stream begins with %q, %v", line, err)
	}
	s.limiter.AssertCharged("key-1", "api", engine.Tokens{"rpm": 1, "tpm": 500})
	cancel()
	<-gone
	<-settled
	s.limiter.AssertCharged("key-1", "api", engine.Tokens{"rpm": 1, "tpm": 200})
}

// A handler that panics is charged, what it adjusted included, and the panic goes on; one that rolls back is not.
func TestPanics(t *testing.T) {
	rollback := false
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		lease := httplimit.Lease(r.Context())
		if rollback {
			if err := lease.Rollback(r.Context()); err != nil {
				t.Error(err)
			}
		} else if err := lease.Adjust(engine.Tokens{"tpm": 70}); err != nil {
			t.Error(err)
		}
		panic("a bug")
	}, httplimit.Options{}, nil)
	for _, rollback = range []bool{false, true} {
		var recovered any
		func() {
			defer func() { recovered = recover() }()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer secret-1")
			s.Config.Handler.ServeHTTP(httptest.NewRecorder(), r)
		}()
		if recovered != "a bug" {
			t.Errorf("recovered %v", recovered)
		}
		s.limiter.AssertCharged("key-1", "api", engine.Tokens{"rpm": 1, "tpm": 70})
	}
}

// The handler has the server's own writer: it can hijack the connection and hand over files.
func TestWriterIsTheServers(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(io.ReaderFrom); !ok {
			t.Error("the writer is no io.ReaderFrom")
		}
		connection, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		_, _ = buffer.WriteString("HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		if err := buffer.Flush(); err != nil {
			t.Error(err)
		}
	}, httplimit.Options{}, nil)
	if got := s.get(); got.status != http.StatusTeapot {
		t.Errorf("%+v", got)
	}
	s.limiter.AssertCharged("key-1", "api", engine.Tokens{"rpm": 1})
}

// What the handler's request finds is also in that of the server, which removes the files of a form, and of handlers outside.
func TestFindingsAreReturned(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // where forms have their files
	mux := http.NewServeMux()
	mux.HandleFunc("POST /files/{name}", func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(0); err != nil || r.PathValue("name") != "a" {
			t.Error(err)
		}
	})
	s, pattern := serve(t, mux.ServeHTTP, httplimit.Options{}, nil), ""
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		pattern = r.Pattern
	})
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "a")
	if err == nil {
		_, err = file.Write(make([]byte, 11<<20)) // 10 MB stay in memory
	}
	if err := errors.Join(err, form.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/files/a", &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	response, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	s.Close()
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) != 0 || response.StatusCode != 200 || pattern != "POST /files/{name}" {
		t.Errorf("%v: status %d, pattern %q, files %v", err, response.StatusCode, pattern, left)
	}
}

// Without the middleware there is no lease, and its methods do nothing.
func TestNoLease(t *testing.T) {
	lease := httplimit.Lease(t.Context())
	if err := lease.Adjust(engine.Tokens{"tpm": 1}); lease != nil || err != nil {
		t.Errorf("%v, %v", lease, err)
	}
}
