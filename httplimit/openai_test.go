package httplimit_test

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/httplimit"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

func status(entity, limit string, requested int64) engine.LimitStatus {
	return engine.LimitStatus{Entity: entity, Resource: "gpt-4", Limit: engine.PerMinute(limit, 60), Requested: requested, RetryAfter: 1500 * time.Millisecond}
}

// The body is an error of OpenAI's form, which says nothing of a parent's limits.
func TestOpenAIError(t *testing.T) {
	const denied = `{"error":{"message":"Rate limit exceeded. Try again in 1.5s.","type":"`
	for name, c := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"requests": {limitertest.Exceeded(status("key-1", "rpm", 1)), 429, denied + `requests","param":null,"code":"rate_limit_exceeded"}}`},
		"tokens":   {limitertest.Exceeded(status("key-1", "tpm", 1)), 429, denied + `tokens","param":null,"code":"rate_limit_exceeded"}}`},
		"a parent's": {
			limitertest.Exceeded(engine.LimitStatus{Entity: "key-1", Limit: engine.PerMinute("rpm", 2), Remaining: 1}, status("tenant", "tpm", 1)), 429,
			denied + `requests","param":null,"code":"rate_limit_exceeded"}}`,
		},
		"too large": {
			limitertest.Exceeded(status("key-1", "tpm", 61)), 429,
			`{"error":{"message":"Rate limit exceeded. The request is larger than a limit and can never be admitted. Send a smaller one.",` +
				`"type":"tokens","param":null,"code":"rate_limit_exceeded"}}`,
		},
		"outage": {engine.ErrUnavailable, 503, `{"error":{"message":"The rate limiter cannot be reached. Try again later.","type":"server_error","param":null}}`},
		"a bug":  {errors.ErrUnsupported, 500, `{"error":{"message":"Internal Server Error","type":"server_error","param":null}}`},
		"invalid": {
			&engine.ValidationError{Field: "Resource", Value: "", Reason: "must not be empty"}, 400,
			`{"error":{"message":"Resource \"\": must not be empty","type":"invalid_request_error","param":null}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			httplimit.OpenAIError(w, nil, c.err)
			if w.Code != c.status || w.Body.String() != c.body+"\n" || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%d %v\n got %s\nwant %s", w.Code, w.Header(), w.Body, c.body)
			}
			if stops := w.Header().Get("X-Should-Retry") == "false"; stops != (name == "too large") {
				t.Errorf("X-Should-Retry: %q", w.Header().Get("X-Should-Retry"))
			}
		})
	}
}
