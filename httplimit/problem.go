package httplimit

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/readable"
)

// unavailableSeconds is the Retry-After of responses while the store cannot be reached.
const unavailableSeconds = "1"

const unavailable = "The rate limiter cannot be reached. Try again later."

// quotaExceeded is the problem type that the draft of the RateLimit headers defines.
const quotaExceeded = "https://iana.org/assignments/http-problem-types#quota-exceeded"

// problem is a document as in RFC 9457.
type problem struct {
	Type     string   `json:"type,omitempty"` // "": the status says it all
	Title    string   `json:"title"`
	Status   int      `json:"status"`
	Detail   string   `json:"detail,omitempty"`
	Violated []string `json:"violated-policies,omitempty"` // the limits that did not admit the request, as the headers name them
}

// writeProblem is the default ErrorHandler.
func (m *middleware) writeProblem(w http.ResponseWriter, _ *http.Request, err error) {
	status := statusOf(err)
	p := problem{Title: http.StatusText(status), Status: status}
	var exceeded *engine.ExceededError
	switch {
	case errors.As(err, &exceeded):
		p.describe(m, exceeded)
	case status == http.StatusBadRequest:
		p.Detail = forClients(err)
	case status == http.StatusServiceUnavailable:
		p.Detail = unavailable
	}
	text, _ := json.Marshal(p) // strings and a number
	w.Header().Set("Content-Type", "application/problem+json")
	write(w, status, text)
}

// write writes a document.
func write(w http.ResponseWriter, status int, text []byte) {
	w.Header().Del("Content-Length")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the client may have gone
}

// describe says of a denial what its own entity may know.
func (p *problem) describe(m *middleware, e *engine.ExceededError) {
	p.Type, p.Title = quotaExceeded, "Rate limit exceeded"
	p.Detail = advice(e)
	for _, s := range e.Public().Violations() {
		if name := m.shownName(s.Limit.Name); name != "" {
			p.Violated = append(p.Violated, name)
		}
	}
}

// advice says what the client of a denied request can do.
func advice(e *engine.ExceededError) string {
	if e.NeverFits {
		return "The request is larger than a limit and can never be admitted. Send a smaller one."
	}
	return "Try again in " + readable.Wait(e.RetryAfter) + "."
}
