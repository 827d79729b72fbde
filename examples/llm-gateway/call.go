package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/zeroae/zae-limiter-go/engine"
)

const (
	maxBody       = 4 << 20 // bytes of a request
	maxOutput     = 1_000_000
	usualOutput   = 1_000 // tokens of a whole answer, if the request does not bound it
	bytesPerToken = 4     // of English text, about
)

// call is a request of a client.
type call struct {
	Model               string
	Messages            []map[string]json.RawMessage // whose content is a text, or parts
	Stream              bool
	MaxTokens           int64
	MaxCompletionTokens int64
	StreamOptions       struct {
		IncludeUsage bool `json:"include_usage"`
	}

	key  key
	body map[string]json.RawMessage // all of the request, for the upstream API
}

// parse takes what the gateway needs from the body by the exact names, as the upstream API does. Package json would also take "Model" for
// the model, so that a client could name one model for the limits and another one for the upstream API.
func (c *call) parse(text []byte) error {
	if err := json.Unmarshal(text, &c.body); err != nil {
		return err
	}
	var failed error
	for name, field := range map[string]any{
		"model": &c.Model, "messages": &c.Messages, "stream": &c.Stream, "stream_options": &c.StreamOptions,
		"max_tokens": &c.MaxTokens, "max_completion_tokens": &c.MaxCompletionTokens,
	} {
		if value, given := c.body[name]; given {
			failed = errors.Join(failed, json.Unmarshal(value, field))
		}
	}
	return failed
}

// readCall reads and checks a request.
func readCall(w http.ResponseWriter, r *http.Request) (*call, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("llm-gateway: the request cannot be read: %w", err)
	}
	c := &call{}
	if err := c.parse(text); err != nil {
		return nil, fmt.Errorf("llm-gateway: the request is invalid: %w", err)
	}
	switch most := max(c.MaxTokens, c.MaxCompletionTokens); {
	case c.Model == "":
		return nil, errNoModel
	case min(c.MaxTokens, c.MaxCompletionTokens) < 0 || most > maxOutput:
		return nil, errTooMany
	}
	return c, nil
}

// tokensIn estimates the tokens of a text.
func tokensIn(text []byte) int64 { return int64(len(text)+bytesPerToken-1) / bytesPerToken }

// prompt estimates the tokens of the messages.
func (c *call) prompt() (n int64) {
	for _, m := range c.Messages {
		n += tokensIn(m["content"])
	}
	return max(n, 1)
}

// output estimates the tokens of a whole answer, 0 for a stream, which is charged while it runs.
func (c *call) output() int64 {
	most := max(c.MaxTokens, c.MaxCompletionTokens)
	switch {
	case c.Stream:
		return 0
	case most > 0:
		return most
	}
	return usualOutput
}

// cost is what the call takes before the upstream API has answered.
func (c *call) cost() engine.Tokens { return engine.Tokens{"rpm": 1, "tpm": c.prompt() + c.output()} }

// upstream is the body for the upstream API. A stream must tell its usage at the end.
func (c *call) upstream() ([]byte, error) {
	if c.Stream {
		c.body["stream_options"] = json.RawMessage(`{"include_usage":true}`)
	}
	return json.Marshal(c.body)
}

type callKey struct{}

func withCall(r *http.Request, c *call) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), callKey{}, c))
}

// callOf returns the call that a request has been read into.
func callOf(r *http.Request) *call { return r.Context().Value(callKey{}).(*call) }
