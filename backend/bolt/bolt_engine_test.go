package bolt_test

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/conformance"
)

func TestEngine(t *testing.T) { conformance.RunEngine(t, fresh) }
