package limitertest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

var request = engine.Request{
	Entity: "user-123", Resource: "gpt-4", Consume: engine.Tokens{"rpm": 1, "tpm": 500},
	Limits: []engine.Limit{engine.PerMinute("rpm", 2), engine.PerMinute("tpm", 10_000)},
}

// charge acquires and commits the request, and returns the error.
func charge(t *testing.T, l *limitertest.Limiter) error {
	t.Helper()
	lease, err := l.Acquire(t.Context(), request)
	if err != nil {
		return err
	}
	if lease.Degraded() {
		return errDegraded
	}
	return lease.Commit(t.Context())
}

var errDegraded = errors.New("degraded")

// The clock stands until it is set, and a wait of the limiter moves it.
func TestLimiterHasTheClock(t *testing.T) {
	l := limitertest.New(t, nil)
	for range 2 {
		if err := charge(t, l); err != nil {
			t.Fatal(err)
		}
	}
	var exceeded *engine.ExceededError
	if err := charge(t, l); !errors.As(err, &exceeded) || exceeded.RetryAfter != 30*time.Second {
		t.Fatalf("the third request of two a minute: %v", err)
	}
	l.Clock.Advance(30 * time.Second)
	if err := charge(t, l); err != nil {
		t.Fatal(err)
	}
	before := l.Clock.Now()
	lease, err := l.Wait(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if passed := l.Clock.Now().Sub(before); passed < 30*time.Second || passed > 31*time.Second {
		t.Errorf("Wait took %v of the clock, not 30s", passed)
	}
	if err := lease.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestCharged(t *testing.T) {
	l := limitertest.New(t, nil)
	l.AssertCharged("user-123", "gpt-4", nil)
	lease, err := l.Acquire(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	l.AssertCharged("user-123", "gpt-4", engine.Tokens{"rpm": 1, "tpm": 500})
	if err := lease.Adjust(engine.Tokens{"tpm": 150}); err != nil {
		t.Fatal(err)
	}
	if err := lease.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.Clock.Advance(time.Minute) // refilled tokens stay charged
	l.Down()
	l.AssertCharged("user-123", "gpt-4", engine.Tokens{"rpm": 1, "tpm": 650})
}

// A reset fills the bucket, and what was charged before it stays charged.
func TestChargedAfterAReset(t *testing.T) {
	l := limitertest.New(t, nil)
	if err := errors.Join(charge(t, l), charge(t, l), l.ResetBucket(t.Context(), "user-123", "gpt-4"), charge(t, l)); err != nil {
		t.Fatal(err)
	}
	l.AssertCharged("user-123", "gpt-4", engine.Tokens{"rpm": 3, "tpm": 1_500})
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name    string
		fail    func(*limitertest.Limiter)
		policy  engine.Policy
		want    error
		charged engine.Tokens
		after   time.Duration // of the bubble
		lost    int           // replies
	}{
		{"Down", (*limitertest.Limiter).Down, engine.PolicyBlock, engine.ErrUnavailable, nil, 0, 0},
		{"DownAllow", (*limitertest.Limiter).Down, engine.PolicyAllow, errDegraded, nil, 0, 0},
		{"Hang", (*limitertest.Limiter).Hang, engine.PolicyBlock, engine.ErrUnavailable, nil, time.Second, 0},
		{"Slow", func(l *limitertest.Limiter) { l.Slow(300 * time.Millisecond) }, engine.PolicyBlock, nil, request.Consume, 300 * time.Millisecond, 0},
		{"TooSlow", func(l *limitertest.Limiter) { l.Slow(2 * time.Second) }, engine.PolicyBlock, engine.ErrUnavailable, nil, time.Second, 0},
		{"LoseReplies", func(l *limitertest.Limiter) { l.LoseReplies(2) }, engine.PolicyBlock, nil, request.Consume, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limitertest.New(t, &engine.Options{OnUnavailable: c.policy})
				if _, err := l.Available(t.Context(), "user-123", "gpt-4", request.Limits...); err != nil { // reads the configuration
					t.Fatal(err)
				}
				c.fail(l)
				start := time.Now()
				if err := charge(t, l); !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				if took := time.Since(start); took != c.after {
					t.Errorf("took %v, want %v", took, c.after)
				}
				l.AssertCharged("user-123", "gpt-4", c.charged)
				if n := l.Store.Count(limitertest.OpApply, limitertest.LoseReply); n != c.lost {
					t.Errorf("%d replies were lost, want %d", n, c.lost)
				}
				l.Up()
				l.Clock.Advance(time.Minute)
				if err := charge(t, l); err != nil {
					t.Errorf("after the fault: %v", err)
				}
			})
		})
	}
}

// recorder is a test that must fail.
type recorder struct {
	testing.TB
	texts []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.texts = append(r.texts, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r)
}

func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }

// The failures say what was charged to whom, and what is wrong with options.
func TestFailureTexts(t *testing.T) {
	r := &recorder{TB: t}
	l := limitertest.New(r, nil)
	if err := charge(t, l); err != nil {
		t.Fatal(err)
	}
	l.AssertCharged("user-123", "gpt-4", engine.Tokens{"rpm": 1, "tpm": 400, "other": 1})
	l.AssertCharged("user-123", "gpt-4", engine.Tokens{"tpm": 500})
	l.AssertCharged("user-123", "gpt-4", engine.Tokens{"rpm": 1, "tpm": 500})
	want := "limitertest: wrong charge to user-123 on gpt-4: other is 0, want 1; tpm is 500, want 400\n" +
		"limitertest: wrong charge to user-123 on gpt-4: rpm is 1, want 0"
	if got := strings.Join(r.texts, "\n"); got != want {
		t.Errorf("the failures read\n%s\nwant\n%s", got, want)
	}
	for _, o := range []*engine.Options{{Now: time.Now}, {Namespace: "no namespace"}} {
		r := &recorder{TB: t}
		func() {
			defer func() { _ = recover() }()
			limitertest.New(r, o)
		}()
		if len(r.texts) != 1 || !strings.HasPrefix(r.texts[0], "limitertest.New: ") {
			t.Errorf("New with %+v: %q", *o, r.texts)
		}
	}
}

// A caller whose deadline is shorter than Options.Timeout leaves behind a read that others may share. The limiter waits for its
// end when it is closed, else the bubble would end before its goroutines.
func TestFaultsEndWithTheLimiter(t *testing.T) {
	for name, fault := range map[string]func(*limitertest.Limiter){
		"Hang": (*limitertest.Limiter).Hang,
		"Slow": func(l *limitertest.Limiter) { l.Slow(900 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limitertest.New(t, nil)
				fault(l)
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer cancel()
				start := time.Now()
				if _, err := l.Acquire(ctx, request); !errors.Is(err, engine.ErrUnavailable) || time.Since(start) != 400*time.Millisecond {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
			})
		})
	}
}
