package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/zeroae/zae-limiter-go/engine"
)

const (
	meterStep = 500     // tokens that a stream takes at a time
	maxEvent  = 1 << 20 // bytes of an event of a stream
)

// event is a piece of a streamed answer.
type event struct {
	Choices []struct {
		Delta struct {
			Content   string
			ToolCalls []struct {
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
	}
	Usage *usage // in the last one
}

// tokens estimates the tokens of the piece.
func (e *event) tokens() (n int64) {
	for _, choice := range e.Choices {
		text := choice.Delta.Content
		for _, tool := range choice.Delta.ToolCalls {
			text += tool.Function.Name + tool.Function.Arguments
		}
		n += tokensIn([]byte(text))
	}
	return n
}

// stream passes a streamed answer on, and charges it while it runs. However it ends, what was used is charged.
func stream(w http.ResponseWriter, r *http.Request, c *call, lease *engine.Lease, upstream io.Reader) error {
	meter := lease.Meter("tpm", meterStep)
	err := passEvents(w, upstream, func(e *event) (show bool, err error) {
		if e.Usage != nil { // the exact amounts, instead of the estimates
			difference := e.Usage.PromptTokens + e.Usage.CompletionTokens - c.prompt() - meter.Used()
			return c.StreamOptions.IncludeUsage, lease.Adjust(engine.Tokens{"tpm": difference})
		}
		err = meter.Add(r.Context(), e.tokens())
		if exceeded := (*engine.ExceededError)(nil); !errors.As(err, &exceeded) {
			return true, r.Context().Err() // if the store does not answer, the stream goes on, and Close charges it
		}
		return true, err
	})
	return errors.Join(err, meter.Close(r.Context())) // Close works although the client has gone
}

// passEvents passes the events on for which charge says so, until it returns an error.
func passEvents(w http.ResponseWriter, upstream io.Reader, charge func(*event) (bool, error)) error {
	lines := bufio.NewScanner(upstream)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		var e event
		data, isData := bytes.CutPrefix(lines.Bytes(), []byte("data:")) // a space behind it is optional
		if isData && json.Unmarshal(data, &e) == nil {                  // [DONE] is no JSON
			show, err := charge(&e)
			if err != nil {
				return errors.Join(err, writeEvent(w, errorBody("tokens", err)))
			}
			if !show {
				continue
			}
		}
		if err := writeLine(w, lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return errors.Join(err, writeEvent(w, errorBody("server_error", errBroken)))
	}
	return nil
}

// writeLine writes a line, and sends it with the empty line that ends an event.
func writeLine(w http.ResponseWriter, line []byte) error {
	_, err := fmt.Fprintf(w, "%s\n", line)
	if err == nil && len(line) == 0 {
		err = http.NewResponseController(w).Flush()
	}
	return err
}

// writeEvent ends a stream that is cut.
func writeEvent(w http.ResponseWriter, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "data: %s\n\n", text)
	return err
}
