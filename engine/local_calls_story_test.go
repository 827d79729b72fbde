package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// localBeyondShare: a request above the share is no denial, because the store could admit it.
func localBeyondShare(r *story) {
	l, q := r.limiter(locally(.1)), request(tokens("a", 11), stored("a", 100))
	r.mustAcquire(l, q)
	r.down()
	_, err := l.Acquire(r.Context(), q)
	if !errors.Is(err, engine.ErrUnavailable) || errors.As(err, new(*engine.ExceededError)) || !strings.Contains(err.Error(), "at most 10") {
		r.Errorf("11 of a share of 10: %v", err)
	}
	lease := r.mustAcquire(l, request(tokens("a", 1), stored("a", 100)))
	r.wantError("Consume above the share", lease.Consume(r.Context(), tokens("a", 11)), engine.ErrUnavailable)
}

// localMistakes: a mistake is an error, and no local bucket decides it; nor does one what the store has denied.
func localMistakes(r *story) {
	l, good := r.limiter(locally(1)), request(tokens("a", 10), stored("a", 10))
	r.mustAcquire(l, good)
	r.down()
	r.mustDeny(l, good) // the last record that was seen says so
	r.pass(time.Minute)
	for range 8 { // with a closed breaker and an open one
		_, err := l.Acquire(r.Context(), request(tokens("x", 1), stored("a", 10)))
		r.wantError("an unknown name", err, engine.ErrUnknownLimit)
		_, err = l.Acquire(r.Context(), request(tokens("a", -1), stored("a", 10)))
		r.wantInvalid("a negative amount", err)
		_, err = l.Acquire(r.Context(), request(tokens("a", 1), stored("a", -10)))
		r.wantInvalid("an invalid limit", err)
		_, err = l.Acquire(r.Context(), request(nil, stored("a", 10)))
		r.wantInvalid("nothing asked for", err)
	}
	done, cancel := context.WithCancel(r.Context())
	cancel()
	_, err := l.Acquire(done, good)
	r.wantError("a caller who has given up", err, context.Canceled)
	lease := r.mustAcquire(l, good)
	r.wantInvalid("Consume of a negative amount", lease.Consume(r.Context(), tokens("a", -1)))
	r.wantInvalid("Consume of nothing", lease.Consume(r.Context(), nil))
	if len(r.events.of(engine.EventDegraded)) != 1 {
		r.Errorf("%d admissions without the store were reported", len(r.events.of(engine.EventDegraded)))
	}
}

// localZeros: a request of zeros is denied by debt only, and counts as nothing.
func localZeros(r *story) {
	l, limit := r.limiter(locally(.1)), stored("a", 100)
	r.down()
	zero := request(tokens("a", 0), limit)
	r.must(r.mustAcquire(l, zero).Commit(r.Context()))
	lease := r.mustAcquire(l, request(tokens("a", 1), limit))
	r.must(lease.Adjust(tokens("a", 20)))
	r.must(lease.Commit(r.Context()))
	r.mustDeny(l, zero)
	r.up()
	r.must(l.Close())
	r.wantCounted("zeros", "a:21", 1)
}

// localWait: callers wait for a local bucket while the store is away, and are admitted by the store when it is back.
func localWait(r *story) {
	r.waiters(func(w *waiters) {
		l := w.limiter(virtual, locally(.1)) // one token each second
		q := request(tokens("a", 1), engine.PerSecond("a", 10))
		w.mustAcquire(l, q)
		w.down()
		start := time.Now()
		for i := range 4 {
			lease, err := l.Wait(context.Background(), q)
			if took := time.Since(start); err != nil || !lease.Degraded() || took < time.Duration(i)*time.Second || took > time.Duration(i)*time.Second+time.Second/2 {
				w.Errorf("waiter %d: %v after %v, degraded is %v", i, err, took, lease.Degraded())
			}
		}
		short, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		_, err := l.Wait(short, q)
		if !errors.As(err, new(*engine.ExceededError)) || !errors.Is(err, context.DeadlineExceeded) {
			w.Errorf("too short a deadline: %v", err)
		}
		gone, giveUp := context.WithCancel(context.Background())
		time.AfterFunc(time.Second/2, giveUp)
		if _, err = l.Wait(gone, q); !errors.Is(err, context.Canceled) || time.Since(start) > 4*time.Second {
			w.Errorf("a waiter that gives up: %v after %v", err, time.Since(start))
		}
		w.up()
		w.wait(longestPause)
		if lease, err := l.Wait(context.Background(), q); err != nil || lease.Degraded() {
			w.Errorf("when the store is back: degraded is %v, %v", lease.Degraded(), err)
		}
	})
}

// localWaitEvents: a caller that waits for a local bucket has one decision, which says how long it has waited.
func localWaitEvents(r *story) {
	r.waiters(func(w *waiters) {
		var seen deciding
		l := w.limiter(virtual, locally(.1), func(o *engine.Options) { o.Observer = &seen })
		w.down()
		for range 2 {
			_, err := l.Wait(context.Background(), request(tokens("a", 1), engine.PerSecond("a", 10)))
			w.must(err)
		}
		short, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		_, err := l.Wait(short, request(tokens("a", 1), engine.PerSecond("a", 10)))
		w.wantError("too short a deadline", err, context.DeadlineExceeded)
		var told []string
		for _, e := range seen.all {
			if e.Kind == engine.EventDecision {
				told = append(told, fmt.Sprint(e.Allowed, e.Degraded, e.Waited.Round(time.Second), e.Limit))
			}
		}
		if got, want := fmt.Sprint(told), "[true true 0s true true 1s false true 0sa]"; got != want {
			w.Errorf("decisions are observed as %s, not %s", got, want)
		}
		w.up()
		w.must(l.Close())
	})
}

// localDo: Do runs its function and settles by the local bucket.
func localDo(r *story) {
	l, q := r.limiter(locally(.1)), request(tokens("a", 5), stored("a", 100))
	r.down()
	r.must(l.Do(r.Context(), q, func(_ context.Context, lease *engine.Lease) error { return lease.Adjust(tokens("a", -2)) }))
	failed := errors.New("failed")
	r.wantError("Do", l.Do(r.Context(), q, func(context.Context, *engine.Lease) error { return failed }), failed)
	meter := r.mustAcquire(l, request(tokens("a", 0), stored("a", 100))).Meter("a", 2)
	for err, n := error(nil), 0; err == nil; n++ {
		if err = meter.Add(r.Context(), 1); n > 6 && err != nil || n <= 6 && err == nil && n > 7 {
			r.Errorf("after %d tokens: %v", n, err)
		}
	}
	r.must(meter.Close(r.Context()))
	r.up()
	r.must(l.Close())
	r.wantCounted("Do", fmt.Sprint("a:", 3+meter.Used()), 2)
}

// localMany: local buckets are bounded, and none makes room before its usage is written. What is written back comes one by one.
func localMany(r *story) {
	const most = 20
	l := r.limiter(locally(.1), func(o *engine.Options) { o.CacheSize = most })
	q := func(i int) engine.Request {
		q := request(tokens("a", 1), engine.PerMinute("a", 100))
		q.Entity = fmt.Sprint("user-", i)
		return q
	}
	r.virtually(func(r *story) {
		r.down()
		for i := range most {
			r.mustAcquire(l, q(i))
		}
		_, err := l.Acquire(context.Background(), q(most))
		if !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "CacheSize") {
			r.Errorf("one too many: %v", err)
		}
		r.mustAcquire(l, q(0))
		r.wait(10 * time.Millisecond) // a write-back fails
		r.up()
		r.pass(longestPause)
		writes := r.faults.Calls(limitertest.OpApply)
		r.wait(time.Second - 10*time.Millisecond + 50*time.Millisecond)
		if n := r.faults.Calls(limitertest.OpApply) - writes; n < 9 || n > 11 {
			r.Errorf("%d write-backs in the first 50 ms", n)
		}
		r.wait(time.Second)
		if n := r.faults.Calls(limitertest.OpApply) - writes; n != most {
			r.Errorf("%d write-backs for %d buckets", n, most)
		}
		r.pass(time.Minute)
		r.down()
		for i := range most { // those that are full and written make room
			r.mustAcquire(l, q(most+i))
		}
		r.up()
		r.must(l.Close())
	})
}

// localClockSetBack: a clock that is set back admits nothing more.
func localClockSetBack(r *story) {
	l, q := r.limiter(locally(.1)), request(tokens("a", 1), engine.PerMinute("a", 100))
	r.down()
	r.take(l, q)
	for range 3 {
		r.pass(-time.Hour)
		r.mustDeny(l, q)
	}
	r.pass(3 * time.Hour)
	r.mustDeny(l, q)
	r.pass(6 * time.Second)
	if n := r.take(l, q); n != 1 {
		r.Errorf("%d admitted in six seconds, of 1", n)
	}
}

// TestLocalHotBucket: a bucket that the store throttles because it is too hot denies; no local bucket admits anything.
func TestLocalHotBucket(t *testing.T) {
	store := hot{Backend: memory.New(nil), on: new(atomic.Bool), asked: new(atomic.Int64)}
	store.on.Store(true)
	l, err := engine.New(store, &engine.Options{
		OnUnavailable: engine.PolicyLocal, LocalShare: 1, Sleep: func(context.Context, time.Duration) error { return nil },
	})
	must(t, err)
	defer l.Close()
	for range 20 {
		lease, err := l.Acquire(t.Context(), engine.Request{Entity: "e", Resource: "r", Limits: []engine.Limit{engine.PerSecond("a", 5)}, Consume: tokens("a", 1)})
		if exceeded := (*engine.ExceededError)(nil); !errors.As(err, &exceeded) || exceeded.Primary().Limit.Capacity != 5 {
			t.Errorf("a hot bucket: %v, %v", lease, err)
		}
	}
}
