package cascade

import (
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
)

// ErrNoLimits reports a request for which no limit is configured at any level of its path.
var ErrNoLimits = errors.New("engine: no limits are configured; store some, or give the request Limits")

// Why a process cannot decide by itself.
var (
	errLimitsUnknown = errors.New("engine: the policy is local, but this process has not read the limits yet, so it cannot decide by itself: " +
		"give the request Limits")
	errLocalFull = errors.New("engine: the policy is local, but this process has as many local buckets as it may: raise Options.CacheSize")
)

// Undecided adds to an outage why the process cannot decide by itself.
func Undecided(outage, why error) error { return fmt.Errorf("%w: %w", outage, why) }

// beyondShare is why a process cannot decide: only the store can admit so much.
func beyondShare(c *charge.Charge) error {
	for i := range c.Required.Rates {
		if most := c.Required.Rates[i].Capacity(); c.Need[i] > most {
			return fmt.Errorf("engine: %d tokens of %s are more than this process may admit by itself: at most %d under policy local", c.Need[i], c.Required.Terms[i].Name, most)
		}
	}
	return nil
}
