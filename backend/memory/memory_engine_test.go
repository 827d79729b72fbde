package memory_test

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/conformance"
)

// waits is a store that the engine takes for one with I/O: it goes another way there.
func waits(t testing.TB) backend.Backend { return conformance.NewFault(open(t), nil) }

func TestEngine(t *testing.T)       { conformance.RunEngine(t, open) }
func TestEngineWithIO(t *testing.T) { conformance.RunEngine(t, waits) }
