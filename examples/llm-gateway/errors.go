package main

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/httplimit"
)

var (
	errNoKey    = errors.New("llm-gateway: the API key is missing or unknown: send a valid one as Authorization: Bearer KEY")
	errNoModel  = errors.New(`llm-gateway: the request has no model: set "model"`)
	errTooMany  = errors.New("llm-gateway: invalid max_tokens: it is not from 0 to 1000000")
	errBadKey   = errors.New("llm-gateway: the file of keys is invalid: a key has no id, no sha256 of 64 characters, or the sha256 of another key")
	errUnserved = errors.New("llm-gateway: the model is unknown: it has no limits")
	errUpstream = errors.New("llm-gateway: the upstream API does not answer: try again later")
	errBroken   = errors.New("llm-gateway: the upstream API has broken off: the answer is not complete")
)

// refuse answers a call that was not admitted. A model without limits is one that the gateway does not serve.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, engine.ErrNoLimits) {
		writeError(w, http.StatusNotFound, "invalid_request_error", errUnserved)
		return
	}
	httplimit.OpenAIError(w, r, err)
}

// writeError answers in the form of OpenAI's errors.
func writeError(w http.ResponseWriter, status int, kind string, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(errorBody(kind, err)) // the client may have gone
}

// errorBody says nothing of the limits of a parent.
func errorBody(kind string, err error) any {
	if exceeded, ok := errors.AsType[*engine.ExceededError](err); ok {
		err = exceeded.Public()
	}
	return map[string]any{"error": map[string]any{"message": err.Error(), "type": kind, "param": nil, "code": nil}}
}
