package httplimit

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/zeroae/zae-limiter-go/engine"
)

// OpenAIError is an Options.ErrorHandler for APIs of OpenAI's form: the body is an error as OpenAI's clients read it. A denial has
// code rate_limit_exceeded, and its type is the name of the limit that decides, "requests" or "tokens" by the default Names.
// OpenAI's clients send a denied request again; one that can never fit has the header that stops them.
func OpenAIError(w http.ResponseWriter, _ *http.Request, err error) {
	status := statusOf(err)
	body := openAIError{Type: "server_error", Message: http.StatusText(status)}
	var exceeded *engine.ExceededError
	switch {
	case errors.As(err, &exceeded):
		body.Type, body.Code = "requests", "rate_limit_exceeded"
		if name := exceeded.Public().Primary().Limit.Name; openAINames[name] != "" {
			body.Type = openAINames[name]
		}
		body.Message = "Rate limit exceeded. " + advice(exceeded)
		if exceeded.NeverFits {
			w.Header().Set("X-Should-Retry", "false")
		}
	case status == http.StatusBadRequest:
		body.Type, body.Message = "invalid_request_error", forClients(err)
	case status == http.StatusServiceUnavailable:
		body.Message = unavailable
	}
	text, _ := json.Marshal(map[string]openAIError{"error": body}) // strings only
	w.Header().Set("Content-Type", "application/json")
	write(w, status, text)
}

// openAIError is the document that OpenAI's clients expect.
type openAIError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"` // always null
	Code    string  `json:"code,omitempty"`
}

// openAINames are the names that OpenAI has for limits.
var openAINames = map[string]string{"rpm": "requests", "tpm": "tokens"}
