package engine_test

import (
	"context"
	"errors"
	"fmt"
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
	start := s.now()
	for range 3 {
		_, err := s.limiter.Wait(t.Context(), s.request(60))
		must(t, err)
	}
	equal(t, "minutes slept", s.now().Sub(start), 2*time.Minute)
}

// TestWaitReserves: others who come while somebody waits do not get its tokens.
func TestWaitReserves(t *testing.T) {
	s := newSleeper(t)
	_, err := s.limiter.Wait(t.Context(), s.request(60))
	must(t, err)
	var others []error
	s.wake = func() {
		_, err := s.limiter.Acquire(context.Background(), s.request(30))
		others = append(others, err)
	}
	lease, err := s.limiter.Wait(t.Context(), s.request(30))
	must(t, err)
	equal(t, "sleeps", len(s.slept), 1)
	equal(t, "remaining", lease.Statuses()[0].Remaining, 0)
	var exceeded *engine.ExceededError
	if len(others) != 1 || !errors.As(others[0], &exceeded) || exceeded.RetryAfter != 30*time.Second {
		t.Errorf("another one, at the time at which the tokens are due: %v, not to be retried before 30s", others)
	}
}

// TestWaitIsOneDecision: a Wait that has to wait is no denial, and each Wait is told of once, with the time that it took.
func TestWaitIsOneDecision(t *testing.T) {
	s := newSleeper(t)
	seen := new(watcher)
	l, err := engine.New(s.store, &engine.Options{Now: s.now, Observer: seen, Sleep: func(_ context.Context, d time.Duration) error {
		s.pass(d)
		return nil
	}})
	must(t, err)
	defer l.Close()
	for range 2 {
		_, err = l.Wait(t.Context(), s.request(60))
		must(t, err)
	}
	_, err = l.Wait(t.Context(), s.request(61))
	wants(t, "more than the capacity", err, engine.ErrNeverFits)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = l.Wait(ctx, s.request(60))
	wants(t, "a deadline that is too early", err, context.DeadlineExceeded)
	var got []string
	for _, e := range seen.of(engine.EventDecision) {
		got = append(got, fmt.Sprint(e.Allowed, e.Waited))
	}
	equal(t, "decisions", got, []string{"true 0s", "true 1m0s", "false 0s", "false 0s"})
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

// TestWaitCancelled: whoever is given up while it waits gets the denial, which is the context's error as well, and what it has
// reserved is there for others.
func TestWaitCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := engine.New(memory.New(nil), &engine.Options{Now: shifted})
		must(t, err)
		defer l.Close()
		q := engine.Request{Entity: "user-1", Resource: "gpt-4", Consume: engine.Tokens{"rps": 1}, Limits: []engine.Limit{engine.PerSecond("rps", 1)}}
		_, err = l.Wait(t.Context(), q)
		must(t, err)
		for _, cause := range []error{context.Canceled, errBroken} {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(300*time.Millisecond, func() { cancel(cause) })
			defer cancel(nil)
			_, err = l.Wait(ctx, q)
			var exceeded *engine.ExceededError
			if !errors.As(err, &exceeded) || !errors.Is(err, context.Canceled) || exceeded.RetryAfter > time.Second || exceeded.RetryAfter < 400*time.Millisecond {
				t.Errorf("Wait that is given up: %v, not a denial that is Canceled", err)
			}
		}
		states, err := l.BucketStates(t.Context(), []engine.BucketName{{Entity: "user-1", Resource: "gpt-4"}})
		must(t, err)
		if s := states[0]; s.Acquires != 1 || s.Limits[0].Used != 1 {
			t.Errorf("%d acquires and %d tokens are recorded, not 1 and 1", s.Acquires, s.Limits[0].Used)
		}
	})
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
