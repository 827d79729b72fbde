package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/httplimit"
)

const maxAnswer = 16 << 20 // bytes of a whole answer

// gateway passes calls on to the upstream API.
type gateway struct {
	keys        keyring
	upstream    *url.URL
	upstreamKey string
	client      *http.Client
	log         *slog.Logger
}

// handler admits calls by the middleware limited, and answers them.
func (g *gateway) handler(limited func(http.Handler) http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/chat/completions", g.authenticate(limited(http.HandlerFunc(g.chat))))
	return mux
}

// authenticate finds the key, and only then reads the call.
func (g *gateway) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k, ok := g.keys.of(r)
		if !ok {
			writeError(w, http.StatusUnauthorized, "authentication_error", errNoKey)
			return
		}
		c, err := readCall(w, r)
		if err != nil {
			writeError(w, http.StatusBadRequest, "invalid_request_error", err)
			return
		}
		c.key = k
		next.ServeHTTP(w, withCall(r, c))
	})
}

// chat answers a call that was admitted. The middleware commits the lease afterwards.
func (g *gateway) chat(w http.ResponseWriter, r *http.Request) {
	c, lease := callOf(r), httplimit.Lease(r.Context())
	err := g.answer(w, r, c, lease)
	if err != nil {
		g.log.WarnContext(r.Context(), "llm-gateway: a call failed", "key", c.key.ID, "tokens", lease.Consumed()["tpm"], "error", err)
	}
}

func (g *gateway) answer(w http.ResponseWriter, r *http.Request, c *call, lease *engine.Lease) error {
	upstream, err := g.send(r.Context(), c)
	if err != nil {
		writeError(w, http.StatusBadGateway, "server_error", errUpstream)
		return keepPrompt(c, lease, err)
	}
	defer func() { _ = upstream.Body.Close() }()
	w.Header().Set("Content-Type", upstream.Header.Get("Content-Type"))
	switch {
	case upstream.StatusCode >= http.StatusBadRequest: // no tokens were used, but the upstream API counts the request
		w.WriteHeader(upstream.StatusCode)
		_, _ = io.Copy(w, io.LimitReader(upstream.Body, maxAnswer)) // the client may have gone
		return lease.Adjust(engine.Tokens{"tpm": -c.prompt() - c.output()})
	case c.Stream:
		return stream(w, r, c, lease, upstream.Body)
	}
	return whole(w, c, lease, upstream.Body)
}

// send sends a call to the upstream API. If the client goes away, the upstream API learns it.
func (g *gateway) send(ctx context.Context, c *call) (*http.Response, error) {
	body, err := c.upstream()
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.upstream.JoinPath("v1/chat/completions").String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+g.upstreamKey)
	return g.client.Do(r)
}

// keepPrompt charges a failed call its prompt, which the upstream API may bill, even if the client has gone.
func keepPrompt(c *call, lease *engine.Lease, err error) error {
	return errors.Join(err, lease.Adjust(engine.Tokens{"tpm": -c.output()}))
}

// usage is what the upstream API bills.
type usage struct {
	PromptTokens     int64 `json:"prompt_tokens"`
	CompletionTokens int64 `json:"completion_tokens"`
}

// whole passes an answer on that comes in one piece.
func whole(w http.ResponseWriter, c *call, lease *engine.Lease, upstream io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(upstream, maxAnswer))
	if err != nil {
		writeError(w, http.StatusBadGateway, "server_error", errUpstream)
		return keepPrompt(c, lease, err)
	}
	var answer struct{ Usage *usage }
	if err := json.Unmarshal(text, &answer); err != nil || answer.Usage == nil {
		answer.Usage = &usage{c.prompt(), tokensIn(text)}
	}
	used := answer.Usage.PromptTokens + answer.Usage.CompletionTokens
	if err := lease.Adjust(engine.Tokens{"tpm": used - c.prompt() - c.output()}); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("the client has gone: %w", err)
	}
	return nil
}
