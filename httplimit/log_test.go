package httplimit_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/httplimit"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// logged returns a logger, and a function that returns the lines since the last call.
func logged() (*slog.Logger, func() []string) {
	var text strings.Builder
	handler := slog.NewTextHandler(&text, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	return slog.New(handler), func() []string {
		lines := strings.Split(strings.TrimSpace(text.String()), "\n")
		text.Reset()
		return lines
	}
}

// A flood of requests without limits writes a line a second, which says of what and how many, and hides no other error.
func TestFloodOfErrors(t *testing.T) {
	l, resource, cost := limitertest.New(t, nil), "unknown", engine.Tokens{"rpm": 1}
	log, lines := logged()
	limited := httplimit.New(l.Limiter, &httplimit.Options{
		Key: func(*http.Request) string { return "key-1" }, Resource: func(*http.Request) string { return resource },
		Cost: func(*http.Request) (engine.Tokens, error) { return cost, nil }, Logger: log, Now: l.Clock.Now,
	})(http.NotFoundHandler())
	flood := func(n int) {
		for range n {
			w := httptest.NewRecorder()
			limited.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != http.StatusInternalServerError {
				t.Fatal(w.Code)
			}
		}
	}
	const text = `level=ERROR msg="httplimit: a request could not be limited" error="engine: no limits are configured; ` +
		`store some, or give the request Limits: key-1 on unknown" entity=key-1 resource=unknown omitted=`
	flood(1_000)
	if got := lines(); len(got) != 1 || got[0] != text+"0" {
		t.Errorf("%d lines: %s", len(got), got[0])
	}
	l.Clock.Advance(time.Second)
	flood(10)
	if got := lines(); len(got) != 1 || got[0] != text+"999" {
		t.Errorf("%d lines: %s", len(got), got[0])
	}
	if err := l.SetResourceDefaults(t.Context(), "api", []engine.Limit{engine.PerMinute("rpm", 60)}); err != nil {
		t.Fatal(err)
	}
	resource, cost = "api", engine.Tokens{"other": 1}
	flood(2)
	if got := lines(); len(got) != 1 || !strings.Contains(got[0], "resource=api omitted=0") {
		t.Error(got)
	}
}

// While the store fails, leases that are not settled write a line a second.
func TestFloodOfUnsettledLeases(t *testing.T) {
	l := limitertest.New(t, nil)
	log, lines := logged()
	limited := httplimit.New(l.Limiter, &httplimit.Options{
		Limits: []engine.Limit{engine.PerMinute("rpm", 60)}, Logger: log, Now: l.Clock.Now,
	})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := httplimit.Lease(r.Context()).Adjust(engine.Tokens{"rpm": 1}); err != nil {
			t.Error(err)
		}
		l.Down()
	}))
	for range 10 {
		limited.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		l.Up()
	}
	if got := lines(); len(got) != 1 || !strings.HasPrefix(got[0], "level=WARN") || !strings.HasSuffix(got[0], "omitted=0") {
		t.Error(got)
	}
}
