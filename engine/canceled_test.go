package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

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
