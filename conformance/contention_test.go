package conformance_test

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/conformance"
)

// TestContention runs the suite on a store that returns ErrContention for every fifth write, as the contract allows.
func TestContention(t *testing.T) {
	losing := func(t testing.TB) backend.Backend {
		random := conformance.Random(1, map[conformance.Act]float64{conformance.LoseRace: .2})
		return conformance.NewFault(open(t), func(c conformance.Call) conformance.Act {
			if c.Op == conformance.OpApply || c.Op == conformance.OpCommit {
				return random(c)
			}
			return conformance.Pass
		})
	}
	conformance.Run(t, losing)
	conformance.RunModel(t, losing)
}
