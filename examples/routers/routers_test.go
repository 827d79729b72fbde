package routers_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/examples/routers"
	"github.com/zeroae/zae-limiter-go/httplimit"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// Each router lets the middleware admit, adjust and deny, and leaves other routes alone.
func TestRouters(t *testing.T) {
	for name, router := range map[string]func(func(http.Handler) http.Handler) http.Handler{
		"chi": routers.Chi, "gin": routers.Gin, "echo": routers.Echo,
	} {
		t.Run(name, func(t *testing.T) {
			limiter := limitertest.New(t, nil)
			server := httptest.NewServer(router(httplimit.New(limiter.Limiter, routers.Options())))
			t.Cleanup(server.Close)
			send := func(method, path string) (status int, header http.Header, body string) {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer secret-of-alice")
				response, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				text, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				return response.StatusCode, response.Header, string(text)
			}
			for n, remaining := range []string{"1", "0"} {
				status, header, body := send(http.MethodPost, "/v1/chat/gpt-4")
				if status != 200 || body != "hello from gpt-4" || header.Get("X-Ratelimit-Remaining-Requests") != remaining {
					t.Errorf("request %d: %d %q, %v", n, status, body, header)
				}
			}
			limiter.AssertCharged("key-of-alice", "gpt-4", engine.Tokens{"rpm": 2, "tpm": 240})
			if status, header, body := send(http.MethodPost, "/v1/chat/gpt-4"); status != 429 || header.Get("Retry-After") != "30" {
				t.Errorf("the third: %d %q, %v", status, body, header)
			}
			if status, header, body := send(http.MethodGet, "/health"); status != 200 || body != "ok" || header.Get("X-Ratelimit-Limit-Requests") != "" {
				t.Errorf("a route without limits: %d %q, %v", status, body, header)
			}
			limiter.AssertCharged("key-of-alice", "gpt-4", engine.Tokens{"rpm": 2, "tpm": 240})
		})
	}
}
