package routers

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/httplimit"
)

// estimate is what a request takes before the model has answered.
const estimate = 500

// Options are those of the service: the entity is the id of the key that authentication has found, the resource is the model,
// and a request takes an estimate of the tokens that the answer will have.
func Options() *httplimit.Options {
	return &httplimit.Options{
		Key:      keyID,
		Resource: func(r *http.Request) string { return r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:] },
		Cost: func(*http.Request) (engine.Tokens, error) {
			return engine.Tokens{"rpm": 1, "tpm": estimate}, nil
		},
		Limits: []engine.Limit{engine.PerMinute("rpm", 2), engine.PerMinute("tpm", 10_000)},
		Style:  httplimit.OpenAI,
	}
}

// keyID stands for authentication: a real service finds the id of a key in its database.
func keyID(r *http.Request) string {
	return map[string]string{"Bearer secret-of-alice": "key-of-alice"}[r.Header.Get("Authorization")]
}

func ok(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }

// answer streams an answer of 120 tokens, and refunds the rest of the estimate.
func answer(w http.ResponseWriter, r *http.Request, model string) {
	for _, piece := range []string{"hello ", "from ", model} {
		fmt.Fprint(w, piece)
		if err := http.NewResponseController(w).Flush(); err != nil {
			return // the client has gone, and the estimate stays charged
		}
	}
	if err := httplimit.Lease(r.Context()).Adjust(engine.Tokens{"tpm": 120 - estimate}); err != nil {
		slog.ErrorContext(r.Context(), "the tokens of an answer were not adjusted", "error", err)
	}
}
