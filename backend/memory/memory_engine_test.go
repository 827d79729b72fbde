package memory_test

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/conformance"
	"github.com/zeroae/zae-limiter-go/internal/alltests"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// waits is a store that the engine takes for one with I/O: it goes another way there.
func waits(t testing.TB) backend.Backend { return limitertest.NewFault(open(t), nil) }

func TestEngine(t *testing.T) { conformance.RunEngine(t, open) }

// TestEngineWithIO is the same suite once more, which bbolt's tests run on a store with I/O, too: it runs when all tests do.
func TestEngineWithIO(t *testing.T) {
	alltests.Only(t)
	conformance.RunEngine(t, waits)
}
