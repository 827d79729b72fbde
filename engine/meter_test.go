package engine_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// metered acquires one request and the 100 tokens of a prompt, of 1,000 a minute.
func metered(t *testing.T, o *engine.Options) (*limitertest.Limiter, *engine.Lease) {
	t.Helper()
	l := limitertest.New(t, o)
	lease, err := l.Acquire(t.Context(), engine.Request{
		Entity: "a", Resource: "r", Consume: engine.Tokens{"rpm": 1, "tpm": 100},
		Limits: []engine.Limit{engine.PerMinute("rpm", 10), engine.PerMinute("tpm", 1_000)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, lease
}

// charged is what is charged for the request and tpm tokens.
func charged(tpm int64) engine.Tokens { return engine.Tokens{"rpm": 1, "tpm": tpm} }

// A meter takes a step when the one before is used up, and Close refunds what is left of the last.
func TestMeterTakesSteps(t *testing.T) {
	l, lease := metered(t, nil)
	meter := lease.Meter("tpm", 100)
	for _, c := range []struct{ add, charged int64 }{
		{0, 100}, {1, 200}, {98, 200}, {1, 200}, {1, 300}, {250, 500}, {49, 500}, {1, 600},
	} {
		if err := meter.Add(t.Context(), c.add); err != nil {
			t.Fatal(err)
		}
		l.AssertCharged("a", "r", charged(c.charged))
	}
	if used := meter.Used(); used != 401 {
		t.Errorf("used %d, want 401", used)
	}
	for range 2 {
		if err := meter.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.AssertCharged("a", "r", charged(501))
	}
	writes := l.Store.Writes()
	if err := lease.Commit(t.Context()); err != nil || l.Store.Writes() != writes {
		t.Errorf("Commit after Close: %v, %d writes", err, l.Store.Writes()-writes)
	}
}

// A denial cuts the stream, and the tokens that the model has produced by then are charged, although that leads to debt.
func TestMeterIsDenied(t *testing.T) {
	l, lease := metered(t, nil)
	meter, pieces := lease.Meter("tpm", 400), 0
	var exceeded *engine.ExceededError
	for ; ; pieces++ {
		if err := meter.Add(t.Context(), 300); err != nil {
			if !errors.As(err, &exceeded) || exceeded.Primary().Limit.Name != "tpm" || exceeded.NeverFits {
				t.Fatal(err)
			}
			break
		}
	}
	l.AssertCharged("a", "r", charged(900))
	if pieces != 2 || exceeded.RetryAfter != 18*time.Second { // 300 of 400 tokens are missing
		t.Errorf("denied after %d pieces, for %v", pieces, exceeded.RetryAfter)
	}
	l.Clock.Advance(exceeded.RetryAfter)
	if err := meter.Add(t.Context(), 200); err != nil { // of the step, 300 were used before
		t.Errorf("after the denial's time: %v", err)
	}
	if err := meter.Add(t.Context(), 301); !errors.As(err, &exceeded) {
		t.Errorf("a further step: %v", err)
	}
	if err := meter.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.AssertCharged("a", "r", charged(100+3*300+200+301))
}

// A piece that is larger than a step fits if its tokens do, also where whole steps would be more than the capacity.
func TestMeterOfLargePieces(t *testing.T) {
	l, lease := metered(t, nil)
	meter := lease.Meter("tpm", 600)
	if err := meter.Add(t.Context(), 700); err != nil {
		t.Error(err)
	}
	l.AssertCharged("a", "r", charged(800))
	if err := meter.Add(t.Context(), 1_001); !errors.Is(err, engine.ErrNeverFits) {
		t.Errorf("more than the capacity: %v", err)
	}
	if err := meter.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.AssertCharged("a", "r", charged(100+1_701))
}

// Whole steps that are more than a request may ask for are not taken, but what is missing is.
func TestMeterOfTheLargestPieces(t *testing.T) {
	l := limitertest.New(t, nil)
	lease, err := l.Acquire(t.Context(), engine.Request{
		Entity: "a", Resource: "r", Consume: engine.Tokens{"tpm": 0}, Limits: []engine.Limit{engine.PerMinute("tpm", 1e15)},
	})
	if err != nil {
		t.Fatal(err)
	}
	meter := lease.Meter("tpm", 6e14)
	if err := meter.Add(t.Context(), 9e14); err != nil {
		t.Error(err)
	}
	l.AssertCharged("a", "r", engine.Tokens{"tpm": 9e14})
}

// localLease holds 100 tokens of a local bucket that has 500 when it is full.
func localLease(t *testing.T) *engine.Lease {
	t.Helper()
	l := limitertest.New(t, &engine.Options{OnUnavailable: engine.PolicyLocal, LocalShare: .5})
	l.Down()
	lease, err := l.Acquire(t.Context(), engine.Request{
		Entity: "a", Resource: "r", Consume: engine.Tokens{"tpm": 100}, Limits: []engine.Limit{engine.PerMinute("tpm", 1_000)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

// The meter of a lease that a local bucket has granted takes its steps there.
func TestMeterOfALocalLease(t *testing.T) {
	lease := localLease(t)
	meter := lease.Meter("tpm", 200)
	if err := meter.Add(t.Context(), 400); err != nil {
		t.Error(err)
	}
	var exceeded *engine.ExceededError
	if err := meter.Add(t.Context(), 1); !errors.As(err, &exceeded) {
		t.Errorf("beyond the share: %v", err)
	}
	if err := errors.Join(meter.Close(t.Context()), lease.Commit(t.Context())); err != nil {
		t.Error(err)
	}
}

// A step that only the store could admit does not cut a stream that a local bucket serves.
func TestMeterStepBeyondTheShare(t *testing.T) {
	lease := localLease(t)
	meter := lease.Meter("tpm", 600)
	for range 4 {
		if err := meter.Add(t.Context(), 100); err != nil {
			t.Error(err)
		}
	}
	var exceeded *engine.ExceededError
	if err := meter.Add(t.Context(), 1); !errors.As(err, &exceeded) {
		t.Errorf("more than the share has: %v", err)
	}
	if err := lease.Meter("tpm", 600).Add(t.Context(), 501); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("more than the share ever has: %v", err)
	}
	if err := errors.Join(meter.Close(t.Context()), lease.Commit(t.Context())); err != nil {
		t.Error(err)
	}
}

// Close settles although the context has ended, and again after an outage.
func TestMeterCloses(t *testing.T) {
	l, lease := metered(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	meter := lease.Meter("tpm", 400)
	if err := meter.Add(ctx, 20); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := meter.Add(ctx, 390); !errors.Is(err, context.Canceled) {
		t.Errorf("Add with an ended context: %v", err)
	}
	l.Down()
	if err := meter.Close(ctx); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("Close while the store is down: %v", err)
	}
	l.AssertCharged("a", "r", charged(500))
	l.Up()
	l.Clock.Advance(10 * time.Second)
	for range 2 {
		if err := meter.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	l.AssertCharged("a", "r", charged(510))
	if err := meter.Add(t.Context(), 1); !errors.Is(err, engine.ErrLeaseClosed) {
		t.Errorf("Add after Close: %v", err)
	}
}

// Without the store Add fails, whatever the policy, and the next one tries again.
func TestMeterWithoutTheStore(t *testing.T) {
	l, lease := metered(t, &engine.Options{OnUnavailable: engine.PolicyAllow})
	meter := lease.Meter("tpm", 100)
	l.Down()
	if err := meter.Add(t.Context(), 10); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("while the store is down: %v", err)
	}
	l.Up()
	l.Clock.Advance(10 * time.Second)
	if err := meter.Add(t.Context(), 10); err != nil {
		t.Error(err)
	}
	l.AssertCharged("a", "r", charged(200))
	if err := meter.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.AssertCharged("a", "r", charged(120))
}

func TestMeterOfBadInput(t *testing.T) {
	l, lease := metered(t, nil)
	var invalid *engine.ValidationError
	for _, step := range []int64{0, -1, math.MinInt64, 1e15 + 1, math.MaxInt64} {
		if err := lease.Meter("tpm", step).Add(t.Context(), 1); !errors.As(err, &invalid) || invalid.Field != "Meter.step" {
			t.Errorf("a step of %d: %v", step, err)
		}
	}
	meter := lease.Meter("tpm", 100)
	for _, n := range []int64{-1, math.MinInt64, 1e15 + 1, math.MaxInt64} {
		if err := meter.Add(t.Context(), n); !errors.As(err, &invalid) || invalid.Field != "Meter.Add" {
			t.Errorf("%d tokens: %v", n, err)
		}
	}
	if err := lease.Meter("other", 1).Add(t.Context(), 1); !errors.Is(err, engine.ErrUnknownLimit) {
		t.Errorf("an unknown limit: %v", err)
	}
	if err := lease.Meter("tpm", 2_000).Add(t.Context(), 1); !errors.Is(err, engine.ErrNeverFits) {
		t.Errorf("a step above the capacity: %v", err)
	}
	if err := meter.Add(t.Context(), 1e15); !errors.Is(err, engine.ErrNeverFits) { // counted
		t.Errorf("more than the capacity: %v", err)
	}
	if err := meter.Add(t.Context(), 1); !errors.Is(err, engine.ErrOutOfRange) {
		t.Errorf("more than 10^15 in all: %v", err)
	}
	l.AssertCharged("a", "r", charged(100))
	if err := lease.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := meter.Close(t.Context()); !errors.Is(err, engine.ErrLeaseClosed) {
		t.Errorf("Close after Commit: %v", err)
	}
	var none *engine.Lease
	meter = none.Meter("tpm", 1)
	if err := errors.Join(meter.Add(t.Context(), 5), meter.Close(t.Context())); err != nil {
		t.Errorf("the meter of no lease: %v", err)
	}
}

// Pieces that come at the same time are all charged, once.
func TestMeterIsShared(t *testing.T) {
	l, lease := metered(t, nil)
	meter := lease.Meter("tpm", 7)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if err := meter.Add(t.Context(), 2); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := meter.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.AssertCharged("a", "r", charged(900))
}
