package memory_test

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/conformance"
)

func open(testing.TB) backend.Backend { return memory.New(nil) }

func TestConformance(t *testing.T) { conformance.Run(t, open) }
