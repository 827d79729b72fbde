package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// broker is a store that does as its function says for each key before a call; what that returns befalls the call.
type broker struct {
	backend.Backend
	lock sync.Mutex
	does func(ctx context.Context, call string, key backend.Key) error
}

func (s *broker) will(does func(ctx context.Context, call string, key backend.Key) error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.does = does
}

func (s *broker) before(ctx context.Context, call string, key backend.Key) error {
	s.lock.Lock()
	does := s.does
	s.lock.Unlock()
	if does == nil {
		return nil
	}
	return does(ctx, call, key)
}

func (s *broker) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	for _, k := range keys {
		if err := s.before(ctx, "read", k); err != nil {
			return err
		}
	}
	return s.Backend.Read(ctx, keys, out)
}

func (s *broker) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	for i := range writes {
		if err := s.before(ctx, "apply", writes[i].Key); err != nil {
			out[i].Applied, out[i].Err = false, err
			return err
		}
	}
	return s.Backend.Apply(ctx, writes, out)
}

// hangs waits for the context, as a store that heeds it.
func hangs(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("%w: %w", backend.ErrOutcomeUnknown, ctx.Err())
}

func ofParent(k backend.Key) bool { return strings.Contains(k.Partition, "parent") }

// twoLevels stores limits of 10 for user-1 and 5 for its parent.
func (w *world) twoLevels() {
	w.t.Helper()
	ctx := w.t.Context()
	must(w.t, w.CreateEntity(ctx, engine.Entity{ID: "parent"}, nil))
	must(w.t, w.CreateEntity(ctx, engine.Entity{ID: "user-1", Parent: "parent", Cascade: true}, nil))
	must(w.t, w.SetLimits(ctx, "user-1", "gpt-4", []engine.Limit{engine.PerDay("a", 10)}))
	must(w.t, w.SetLimits(ctx, "parent", "gpt-4", []engine.Limit{engine.PerDay("a", 5)}))
}

func (w *world) brokered(o *engine.Options) (*broker, *engine.Limiter) {
	s := &broker{Backend: bare{w.store}}
	return s, w.limiter(s, o)
}

// TestOutageRefundDoesNotDelay: one bucket of a path was charged, and the store hangs from then on, also in the refund. The
// policy answers before the caller's deadline all the same.
func TestOutageRefundDoesNotDelay(t *testing.T) {
	for _, p := range []engine.Policy{engine.PolicyAllow, engine.PolicyBlock} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.twoLevels()
			store, l := w.brokered(&engine.Options{OnUnavailable: p})
			mustAcquire(t, l, ask(1))
			charged := false
			var lock sync.Mutex
			store.will(func(ctx context.Context, call string, k backend.Key) error {
				lock.Lock()
				first := !ofParent(k) && !charged
				charged = charged || first
				lock.Unlock()
				if first {
					return nil
				}
				return hangs(ctx)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			start := time.Now()
			lease, err := l.Acquire(ctx, ask(1))
			if took := time.Since(start); took != 400*time.Millisecond {
				t.Errorf("under %v: answered after %v, of the 500 ms that the caller has", p, took)
			}
			if p == engine.PolicyAllow && (err != nil || !lease.Degraded()) || p == engine.PolicyBlock && !errors.Is(err, engine.ErrUnavailable) {
				t.Errorf("under %v: %v, %v", p, lease, err)
			}
			over, cancel := context.WithTimeout(t.Context(), 2*time.Second) // in virtual time: the refund ends too
			defer cancel()
			<-over.Done()
		})
	}
}

// TestOutageDeniedBefore: a request that the last records seen deny stays denied when the store hangs while the other
// buckets are read for the denial's statuses.
func TestOutageDeniedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.twoLevels()
		store, l := w.brokered(&engine.Options{OnUnavailable: engine.PolicyAllow})
		all := ask(5)
		all.Entity = "parent"
		mustAcquire(t, l, all)
		_, err := l.Explain(t.Context(), "user-1", "gpt-4") // reads the configuration, and no bucket
		must(t, err)
		mustDeny(t, l, all)
		store.will(func(ctx context.Context, _ string, _ backend.Key) error { return hangs(ctx) })
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err = l.Acquire(ctx, ask(1))
		var exceeded *engine.ExceededError
		if !errors.As(err, &exceeded) || ctx.Err() != nil {
			t.Errorf("denied by its parent, while the store hangs: %v", err)
		}
	})
}

// TestOutageHidesNothing: where one bucket of a path is out of reach and another one's store says that something is wrong,
// no policy admits.
func TestOutageHidesNothing(t *testing.T) {
	for what, wrong := range map[string]error{
		"a missing permission": backend.ErrRejected, "a damaged file": backend.ErrCorrupt, "a bug": errBroken,
		"a damaged file that cannot be read": fmt.Errorf("%w: %w", backend.ErrUnavailable, backend.ErrCorrupt),
	} {
		for _, unavailable := range []string{"user-1", "parent", "nobody"} {
			w := newWorld(t)
			w.twoLevels()
			store, l := w.brokered(&engine.Options{OnUnavailable: engine.PolicyAllow})
			mustAcquire(t, l, ask(1))
			store.will(func(_ context.Context, _ string, k backend.Key) error {
				if strings.Contains(k.Partition, unavailable) {
					return fmt.Errorf("%w: out of reach", backend.ErrUnavailable)
				}
				return wrong
			})
			lease, err := l.Acquire(t.Context(), ask(1))
			if lease != nil || !errors.Is(err, wrong) || errors.Is(err, engine.ErrUnavailable) {
				t.Errorf("%s, %s out of reach: %v, %v", what, unavailable, lease, err)
			}
			if corrupt := errors.Is(wrong, backend.ErrCorrupt); errors.Is(err, engine.ErrCorrupt) != corrupt {
				t.Errorf("%s: ErrCorrupt is %v: %v", what, !corrupt, err)
			}
		}
	}
}

// TestOutageCorrupt: whatever call finds the store damaged, the error says so, nothing is sent again, no policy admits and
// the breaker stays closed.
func TestOutageCorrupt(t *testing.T) {
	for _, call := range []string{"read", "apply"} {
		w := newWorld(t)
		store, l := w.brokered(&engine.Options{OnUnavailable: engine.PolicyAllow})
		calls := 0
		store.will(func(_ context.Context, name string, k backend.Key) error {
			if name != call || k == schema.Version() { // looks read that
				return nil
			}
			calls++
			return fmt.Errorf("%w: a page: %w", backend.ErrCorrupt, backend.ErrUnavailable)
		})
		for i := range 10 {
			lease, err := l.Acquire(t.Context(), ask(1, engine.PerDay("a", 100)))
			wants(t, call, err, engine.ErrCorrupt)
			wants(t, call, err, backend.ErrCorrupt)
			if lease != nil || errors.Is(err, engine.ErrUnavailable) || calls != i+1 {
				t.Errorf("%s: %v, %v, after %d calls of %d", call, lease, err, calls, i+1)
			}
		}
	}
}

// TestOutageOfOnlyReads: while only configuration cannot be read, buckets are judged by the one that is known, and the
// breaker opens for none of it; once it is open, the bucket's write probes the store.
func TestOutageOfOnlyReads(t *testing.T) {
	w := newWorld(t)
	must(t, w.SetSystemDefaults(t.Context(), []engine.Limit{engine.PerDay("a", 1000)}, nil))
	store, l := w.brokered(&engine.Options{DenialTTL: -1})
	mustAcquire(t, l, ask(1))
	store.will(func(_ context.Context, call string, _ backend.Key) error {
		if call == "read" {
			return backend.ErrUnavailable
		}
		return nil
	})
	for range 20 {
		w.pass(50 * time.Second) // old enough to be refreshed, then too old
		mustAcquire(t, l, ask(1))
		w.pass(time.Hour)
		mustAcquire(t, l, ask(1))
	}
	reads := store.does
	store.will(func(context.Context, string, backend.Key) error { return backend.ErrUnavailable })
	for range 10 {
		_, err := l.Acquire(t.Context(), ask(1))
		wants(t, "out of reach", err, engine.ErrUnavailable)
	}
	store.will(reads)
	w.pass(time.Hour)
	mustAcquire(t, l, ask(1))
}

// TestOutageWithoutTimeout: without Options.Timeout the caller's deadline alone bounds a call, also one that reads the
// configuration on behalf of several callers; when the store is back, nobody waits for what hung.
func TestOutageWithoutTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store, l := w.brokered(&engine.Options{Timeout: -1})
		store.will(func(ctx context.Context, _ string, _ backend.Key) error { return hangs(ctx) })
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := l.Acquire(ctx, ask(1, engine.PerDay("a", 10)))
			wants(t, "a store that hangs", err, engine.ErrUnavailable)
			cancel()
		}
		store.will(nil)
		start := time.Now()
		mustAcquire(t, l, ask(1, engine.PerDay("a", 10)))
		equal(t, "waited for a store that is back", time.Since(start), 0)
	})
}

// TestOutageCanceledBefore: a context that was canceled with a cause of the caller's own is still a canceled one.
func TestOutageCanceledBefore(t *testing.T) {
	w := newWorld(t)
	_, l := w.brokered(&engine.Options{OnUnavailable: engine.PolicyAllow})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	_, first := l.Acquire(ctx, ask(1, engine.PerDay("a", 10)))
	mustAcquire(t, l, ask(1, engine.PerDay("a", 10)))
	_, known := l.Acquire(ctx, ask(1, engine.PerDay("a", 10)))
	for what, err := range map[string]error{"first use": first, "known bucket": known} {
		wants(t, what, err, context.Canceled)
		if errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestOutagePanics: a panic of the store ends no program, on whatever goroutine it comes: at first use, which callers share,
// on a path, in the background. It is logged with its stack.
func TestOutagePanics(t *testing.T) {
	panics := func(context.Context, string, backend.Key) error { panic(errBroken) }
	for _, prompt := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w, log := newWorld(t), &bytes.Buffer{}
			w.twoLevels()
			inner := &broker{Backend: bare{w.store}}
			var store backend.Backend = inner
			if prompt {
				store = backend.Wrap(inner, &backend.WrapOptions{HonorsContext: true}) // called on the caller's goroutine
			}
			l, err := engine.New(store, &engine.Options{OnUnavailable: engine.PolicyAllow, Now: w.now, Logger: slog.New(slog.NewTextHandler(log, nil))})
			must(t, err)
			defer l.Close()
			inner.will(panics)
			for range 10 { // no breaker opens
				_, err = l.Acquire(t.Context(), ask(1))
				wants(t, "first use", err, errBroken)
			}
			inner.will(nil)
			mustAcquire(t, l, ask(1))
			inner.will(panics)
			_, err = l.Acquire(t.Context(), ask(1))
			wants(t, "a path", err, errBroken)
			if errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "panicked") {
				t.Errorf("a panic: %v", err)
			}
			if !strings.Contains(log.String(), "outage_test.go") {
				t.Errorf("the log has no stack: %s", log)
			}
			inner.will(nil)
			w.pass(50 * time.Second)
			inner.will(func(_ context.Context, call string, _ backend.Key) error {
				if call == "read" {
					panic("in the background")
				}
				return nil
			})
			mustAcquire(t, l, ask(1))
			synctest.Wait()
			inner.will(nil)
			mustAcquire(t, l, ask(1))
		})
	}
}
