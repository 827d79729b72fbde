package memory_test

import (
	"os"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/conformance"
)

// waits is a store that the engine takes for one with I/O: it goes another way there.
func waits(t testing.TB) backend.Backend { return conformance.NewFault(open(t), nil) }

func TestEngine(t *testing.T) { conformance.RunEngine(t, open) }

// TestEngineWithIO is the same suite once more, which bbolt's tests run on a store with I/O, too: it runs when all tests do.
func TestEngineWithIO(t *testing.T) {
	if os.Getenv("ZAE_LIMITER_TEST_ALL") == "" {
		t.Skip("the second run of the suite was not asked for: run `make test`, or set ZAE_LIMITER_TEST_ALL=1")
	}
	conformance.RunEngine(t, waits)
}
