package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

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

// TestSystemClockIsMonotonic: the system's clock is one start of the process and the monotonic time since, so that a
// wall clock that is set back denies nobody.
func TestSystemClockIsMonotonic(t *testing.T) {
	start, now := engine.Started, engine.SystemClock()
	if start.Round(0) == start {
		t.Error("the start has no monotonic reading")
	}
	if passed := time.Since(start); now < start.UnixNano() || now > start.UnixNano()+int64(passed) {
		t.Errorf("the clock says %d, %v after %v", now, passed, start)
	}
	moved := start.Add(time.Hour).Round(0) // a wall clock that was ahead when somebody looked at it
	if later := engine.SystemClock(); later < now || later > moved.UnixNano() {
		t.Errorf("the clock says %d after %d", later, now)
	}
}

// TestClockOutOfRangeIsShownAsADate: the error of a clock outside 2020 to 2200 shows where the clock is.
func TestClockOutOfRangeIsShownAsADate(t *testing.T) {
	at := time.Date(2019, 12, 31, 23, 59, 59, 0, time.UTC)
	l, err := engine.New(memory.New(nil), &engine.Options{Now: func() time.Time { return at }})
	must(t, err)
	defer l.Close()
	_, err = l.Acquire(t.Context(), ask(1, engine.PerDay("a", 10)))
	wants(t, "Acquire", err, engine.ErrOutOfRange)
	if !strings.Contains(err.Error(), "2019-12-31T23:59:59Z") {
		t.Errorf("%v does not show the time", err)
	}
}
