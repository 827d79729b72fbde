package bolt_test

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/conformance"
	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// TestEngine makes fewer calls unless all tests were asked for: each write is synced.
func TestEngine(t *testing.T) {
	if alltests.Asked() {
		conformance.RunEngine(t, fresh)
	} else {
		conformance.RunEngineBriefly(t, fresh)
	}
}
