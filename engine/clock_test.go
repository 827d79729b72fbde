package engine_test

import (
	"context"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

// TestSystemClock: without Options.Now everything that asks for the time works, and takes the system's.
func TestSystemClock(t *testing.T) {
	l, err := engine.New(memory.New(nil), nil)
	must(t, err)
	ctx := t.Context()
	must(t, l.SetLimits(ctx, "user-1", "gpt-4", []engine.Limit{engine.PerHour("rpm", 1)}))
	request := engine.Request{Entity: "user-1", Resource: "gpt-4", Consume: engine.Tokens{"rpm": 1}}
	must(t, l.Do(ctx, request, func(context.Context, *engine.Lease) error { return nil }))
	if d, err := l.Allow(ctx, request); err != nil || d.Allowed || d.RetryAfter <= 0 {
		t.Errorf("the second of one an hour: %+v, %v", d, err)
	}
	if s, err := l.Status(ctx); err != nil || !s.Reachable || s.Latency < 0 {
		t.Errorf("Status: %+v, %v", s, err)
	}
	must(t, l.ResetBucket(ctx, "user-1", "gpt-4"))
	must(t, l.DeleteEntity(ctx, "user-1", nil))
	must(t, l.Close())
}
