package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

// sleeper is a limiter whose sleep lets its clock go on, and notes for how long.
type sleeper struct {
	*world
	limiter *engine.Limiter
	slept   []time.Duration
	wake    func() // runs at the end of each sleep
}

func newSleeper(t *testing.T) *sleeper {
	s := &sleeper{world: newWorld(t)}
	l, err := engine.New(s.store, &engine.Options{Now: s.now, Sleep: func(ctx context.Context, d time.Duration) error {
		s.slept = append(s.slept, d)
		s.pass(d)
		if s.wake != nil {
			s.wake()
		}
		return ctx.Err()
	}})
	must(t, err)
	t.Cleanup(func() { l.Close() })
	s.limiter = l
	return s
}

func (s *sleeper) request(n int64) engine.Request {
	return engine.Request{
		Entity: "user-1", Resource: "gpt-4", Consume: engine.Tokens{"rpm": n}, Limits: []engine.Limit{engine.PerMinute("rpm", 60)},
	}
}

func TestWaitSleepsUntilAdmitted(t *testing.T) {
	s := newSleeper(t)
	for range 3 {
		_, err := s.limiter.Wait(t.Context(), s.request(60))
		must(t, err)
	}
	if len(s.slept) != 2 {
		t.Fatalf("slept %v: once for each minute", s.slept)
	}
	for _, d := range s.slept {
		if d < time.Minute || d > time.Minute+10*time.Millisecond {
			t.Errorf("slept %v, a minute and 10 ms of jitter at most", d)
		}
	}
}

// TestWaitAgain lets another take the tokens that were waited for.
func TestWaitAgain(t *testing.T) {
	s := newSleeper(t)
	_, err := s.limiter.Wait(t.Context(), s.request(60))
	must(t, err)
	s.wake = func() {
		if len(s.slept) < 4 {
			_, err := s.limiter.Acquire(t.Context(), s.request(30))
			must(t, err)
		}
	}
	_, err = s.limiter.Wait(t.Context(), s.request(30))
	must(t, err)
	equal(t, "sleeps", len(s.slept), 4)
}

func TestWaitNeverFits(t *testing.T) {
	s := newSleeper(t)
	_, err := s.limiter.Wait(t.Context(), s.request(61))
	wants(t, "Wait", err, engine.ErrNeverFits)
	equal(t, "sleeps", len(s.slept), 0)
}

// TestWaitDeadlineTooEarly: the denial comes at once, and is the deadline's error as well.
func TestWaitDeadlineTooEarly(t *testing.T) {
	s := newSleeper(t)
	_, err := s.limiter.Wait(t.Context(), s.request(60))
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 59*time.Second)
	defer cancel()
	lease, err := s.limiter.Wait(ctx, s.request(60))
	var exceeded *engine.ExceededError
	if lease != nil || !errors.As(err, &exceeded) || !errors.Is(err, context.DeadlineExceeded) || exceeded.RetryAfter != time.Minute {
		t.Errorf("Wait with a deadline before the time of the denial: %v, %v", lease, err)
	}
	if errors.Is(err, engine.ErrNeverFits) || errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("%v is more than that", err)
	}
	equal(t, "sleeps", len(s.slept), 0)
}

func TestWaitCancelled(t *testing.T) {
	s := newSleeper(t)
	_, err := s.limiter.Wait(t.Context(), s.request(60))
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	s.wake = cancel
	_, err = s.limiter.Wait(ctx, s.request(1))
	wants(t, "Wait, given up while it sleeps", err, context.Canceled)
	equal(t, "sleeps", len(s.slept), 1)
}

// TestWaitByTimer has the sleep that is the default, in virtual time: many wait for one limit, and all are served in the
// time that it takes to refill.
func TestWaitByTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Until(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
		l, err := engine.New(memory.New(nil), &engine.Options{Now: func() time.Time { return time.Now().Add(begin) }})
		must(t, err)
		defer l.Close()
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		done := make(chan error)
		for range 30 {
			go func() {
				_, err := l.Wait(ctx, engine.Request{
					Entity: "user-1", Resource: "gpt-4", Consume: engine.Tokens{"rps": 1}, Limits: []engine.Limit{engine.PerSecond("rps", 10)},
				})
				done <- err
			}()
		}
		for range 30 {
			must(t, <-done)
		}
		if took := time.Since(start); took < 2*time.Second || took > 3*time.Second {
			t.Errorf("30 of 10 a second took %v, about 2s", took)
		}
	})
}
