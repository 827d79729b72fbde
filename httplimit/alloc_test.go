package httplimit_test

import (
	"context"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/httplimit"
)

var generous = []engine.Limit{engine.PerSecond("rpm", 1e7), engine.PerSecond("tpm", 1e10)}

// writer is a ResponseWriter that costs nothing.
type writer struct{ header http.Header }

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) Write(p []byte) (int, error) { return len(p), nil }
func (w *writer) WriteHeader(int)             {}

// ways are an admission through the middleware, and the engine's own calls that it makes.
func ways(tb testing.TB, style httplimit.Style) (through, own func()) {
	tb.Helper()
	limiter, err := engine.New(memory.New(nil), nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = limiter.Close() })
	request := engine.Request{Entity: "key-1", Resource: "api", Consume: engine.Tokens{"rpm": 1, "tpm": 500}, Limits: generous}
	handler := httplimit.New(limiter, &httplimit.Options{
		Key:    func(*http.Request) string { return request.Entity },
		Cost:   func(*http.Request) (engine.Tokens, error) { return request.Consume, nil },
		Limits: request.Limits, Style: style,
	})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://127.0.0.1/", nil)
	if err != nil {
		tb.Fatal(err)
	}
	w := &writer{http.Header{}}
	through = func() { handler.ServeHTTP(w, r) }
	own = func() {
		lease, err := limiter.Acquire(r.Context(), request)
		if err != nil || lease.Commit(r.Context()) != nil {
			tb.Fatal(err)
		}
	}
	through()
	own()
	if w.header.Get("Ratelimit")+w.header.Get("X-Ratelimit-Limit-Requests")+w.header.Get("Anthropic-Ratelimit-Requests-Limit") == "" {
		tb.Fatalf("no headers: %v", w.header)
	}
	return through, own
}

// An admission with its headers allocates at most four times more than Acquire and Commit.
func TestAllocations(t *testing.T) {
	for _, style := range []httplimit.Style{httplimit.IETF, httplimit.OpenAI, httplimit.Anthropic} {
		through, own := ways(t, style)
		if with, without := testing.AllocsPerRun(1000, through), testing.AllocsPerRun(1000, own); with > without+4 {
			t.Errorf("style %d: the middleware allocates %v times, Acquire and Commit %v: at most 4 more are allowed", style, with, without)
		}
	}
}

// BenchmarkMiddleware tells what the middleware adds to Acquire and Commit. It alternates between both, since other programs on the
// machine disturb both alike, and reports the fastest of all batches.
func BenchmarkMiddleware(b *testing.B) {
	for name, style := range map[string]httplimit.Style{"IETF": httplimit.IETF, "OpenAI": httplimit.OpenAI, "Anthropic": httplimit.Anthropic} {
		b.Run(name, func(b *testing.B) {
			const batch = 100
			through, own := ways(b, style)
			fastest := [2]time.Duration{math.MaxInt64, math.MaxInt64}
			for b.Loop() {
				for i, call := range []func(){own, through} {
					began := time.Now()
					for range batch {
						call()
					}
					fastest[i] = min(fastest[i], time.Since(began))
				}
			}
			b.ReportMetric(float64(fastest[0].Nanoseconds())/batch, "own-ns")
			b.ReportMetric(float64((fastest[1]-fastest[0]).Nanoseconds())/batch, "added-ns")
		})
	}
}
