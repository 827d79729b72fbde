package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// TestCanceled: a caller who gives up, before the first call to the store or during any, is told so, and not that the store
// is out of reach; no policy admits such a request.
func TestCanceled(t *testing.T) {
	for _, policy := range []engine.Policy{engine.PolicyBlock, engine.PolicyAllow} {
		for _, call := range []string{"", "read", "apply"} {
			w := newWorld(t)
			l := w.limiter(w.trouble, &engine.Options{OnUnavailable: policy})
			ctx, cancel := context.WithCancel(t.Context())
			release := make(chan struct{})
			if call == "" {
				cancel()
			} else {
				w.trouble.once(call, 0, func() {
					cancel()
					<-release
				})
			}
			_, err := l.Acquire(ctx, ask(1, engine.PerDay("a", 10)))
			close(release)
			if !errors.Is(err, context.Canceled) || errors.Is(err, engine.ErrUnavailable) || strings.Contains(err.Error(), "unavailable") {
				t.Errorf("canceled during %q: %v", call, err)
			}
			cancel()
		}
	}
}

// TestCanceledByOthers: an errgroup cancels its other members with the error of the one that has failed. The error of another
// request, be it an outage or a denial, is never taken for that of this one, and no policy admits it.
func TestCanceledByOthers(t *testing.T) {
	w := newWorld(t)
	store, l := w.brokered(&engine.Options{Timeout: 10 * time.Millisecond})
	store.will(func(ctx context.Context, _ string, _ backend.Key) error { return hangs(ctx) })
	_, outage := l.Acquire(t.Context(), ask(1, engine.PerDay("a", 10)))
	wants(t, "a store that hangs", outage, engine.ErrUnavailable)
	denial := mustDeny(t, w.Limiter, ask(11, engine.PerDay("a", 10)))
	for _, cause := range []error{outage, denial, backend.ErrCorrupt} {
		for _, call := range []string{"", "read", "apply", "contention"} {
			store, l := newWorld(t).brokered(&engine.Options{OnUnavailable: engine.PolicyAllow})
			ctx, cancel := context.WithCancelCause(t.Context())
			if call == "" {
				cancel(cause)
			}
			store.will(func(ctx context.Context, name string, _ backend.Key) error {
				switch {
				case name == call:
					cancel(cause)
					return hangs(ctx)
				case name == "apply" && call == "contention":
					cancel(cause)
					return backend.ErrContention
				}
				return nil
			})
			lease, err := l.Acquire(ctx, ask(1, engine.PerDay("a", 10)))
			exceeded, denied := errors.AsType[*engine.ExceededError](err)
			if lease != nil || !errors.Is(err, context.Canceled) || errors.Is(err, engine.ErrUnavailable) || errors.Is(err, engine.ErrCorrupt) || denied {
				t.Errorf("canceled with %v during %q: %v, %v, %v", cause, call, lease, err, exceeded)
			}
		}
	}
}
