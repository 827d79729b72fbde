package httplimit

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// These bound what is read of a body that nobody wants, so that its connection can be used again. If there is more, or if it takes longer,
// the connection is closed, which costs less.
const (
	mostDiscarded = 64 << 10 // bytes
	discardTime   = 50 * time.Millisecond
)

// retryAfter is how long a response asks to wait before the request is sent again; false if it does not ask for that.
func retryAfter(response *http.Response, now time.Time) (time.Duration, bool) {
	if response.StatusCode != http.StatusTooManyRequests && response.StatusCode != http.StatusServiceUnavailable {
		return 0, false
	}
	value := strings.TrimSpace(response.Header.Get("Retry-After"))
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		if n < 0 {
			return 0, false
		}
		return time.Duration(min(n, int64(noCap/time.Second))) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return max(at.Sub(now), 0), true
}

// canResend reports whether the request may be sent again, and its body can.
func canResend(r *http.Request) bool {
	if r.GetBody != nil {
		return true
	}
	if r.Body != nil && r.Body != http.NoBody {
		return false
	}
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// again is the request with a body that was not read.
func again(r *http.Request) (*http.Request, error) {
	if r.GetBody == nil {
		return r, nil
	}
	unread, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	next := r.WithContext(r.Context()) // a copy: a RoundTripper does not change its request
	next.Body = unread
	return next, nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// discard gives up a response. Closing its body ends a Read that waits for the server, as it does in net/http.
func discard(response *http.Response) {
	if response.Body == nil { // Base is no http.Transport
		return
	}
	late := time.AfterFunc(discardTime, func() { _ = response.Body.Close() })
	defer late.Stop()
	_, _ = io.CopyN(io.Discard, response.Body, mostDiscarded)
	_ = response.Body.Close()
}
