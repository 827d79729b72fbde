package conformance_test

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/conformance"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// TestContention runs the suite on a store that returns ErrContention for every fifth write, as the contract allows.
func TestContention(t *testing.T) {
	losing := func(t testing.TB) backend.Backend {
		random := limitertest.Random(1, map[limitertest.Act]float64{limitertest.LoseRace: .2})
		return limitertest.NewFault(open(t), func(c limitertest.Call) limitertest.Act {
			if c.Op == limitertest.OpApply || c.Op == limitertest.OpCommit {
				return random(c)
			}
			return limitertest.Pass
		})
	}
	conformance.Run(t, losing)
	conformance.RunModel(t, losing)
}
