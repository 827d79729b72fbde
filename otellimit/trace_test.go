package otellimit_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
	"github.com/zeroae/zae-limiter-go/otellimit"
)

// The calls that an acquire makes are spans below that of its caller; others have none.
func TestTrace(t *testing.T) {
	fault, recorder := limitertest.NewFault(memory.New(nil), nil), tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	clock := limitertest.NewClock(time.Time{})
	limiter, err := engine.New(otellimit.Trace(fault, provider), &engine.Options{Now: clock.Now, Sleep: clock.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = limiter.Close() }()
	r := request("a", engine.Tokens{"rpm": 1})
	r.Limits = []engine.Limit{engine.PerDay("rpm", 5)}
	if _, err := limiter.Allow(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if spans := recorder.Ended(); len(spans) > 0 {
		t.Errorf("calls of a caller without a span have %d", len(spans))
	}

	ctx, caller := provider.Tracer("test").Start(t.Context(), "request")
	if _, err := limiter.Allow(ctx, r); err != nil {
		t.Fatal(err)
	}
	fault.SetPlan(limitertest.Always(limitertest.Fail))
	if _, err := limiter.Allow(ctx, r); err == nil {
		t.Fatal("the store does not fail")
	}
	caller.End()
	var got []string
	for _, span := range recorder.Ended() {
		if span.Name() == "request" {
			continue
		}
		if span.Parent().SpanID() != caller.SpanContext().SpanID() {
			t.Errorf("%s is not below the caller", span.Name())
		}
		text := span.Name()
		for _, a := range span.Attributes() {
			text += fmt.Sprintf(" %s=%s", a.Key, a.Value.String())
		}
		if span.Status().Code == codes.Error {
			text += " failed"
		}
		got = append(got, text)
	}
	const call = "zae_limiter.store.apply zae_limiter.call=apply zae_limiter.records=1"
	if want := []string{call, call + " error.type=unavailable failed"}; !slices.Equal(slices.Compact(got), want) {
		t.Errorf("spans %q, want %q", got, want)
	}
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"zae_limiter.store.CALL", "zae_limiter.records", "error.type"} {
		if _, traces, _ := strings.Cut(string(text), "# Traces"); !strings.Contains(traces, name) {
			t.Errorf("doc.go does not list %s of spans", name)
		}
	}
}

// A store without I/O stays one.
func TestTraceKeepsCapabilities(t *testing.T) {
	store := memory.New(nil)
	before, after := store.Capabilities(), otellimit.Trace(store, nil).Capabilities()
	if !after.NoIO || after.HonorsContext != before.HonorsContext || after.Max != before.Max || (after.Scan == nil) != (before.Scan == nil) {
		t.Errorf("%+v becomes %+v", before, after)
	}
}
