package cascade

import (
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
)

// ErrNoLimits reports a request for which no limit is configured at any level of its path.
var ErrNoLimits = errors.New("engine: no limits are configured; store some, or give the request Limits")

// noLimits is ErrNoLimits with the names of the request.
func noLimits(id charge.ID) error {
	return fmt.Errorf("%w: %s on %s", ErrNoLimits, id.Entity, id.Resource)
}

// TooLong is the error of an entity whose path has more than [MostPath] entities.
func TooLong(entity string) error {
	return fmt.Errorf("%w: the path of %s has more than %d entities", changes.ErrCycle, entity, MostPath)
}

// Why a process cannot decide by itself.
var (
	errLimitsUnknown = errors.New("engine: the policy is local, but this process has not read the limits yet, so it cannot decide by itself: " +
		"give the request Limits")
	// ErrBeyondShare reports a request that only the store can admit.
	ErrBeyondShare = errors.New("engine: more tokens than this process may admit by itself under policy local")
	errLocalFull   = errors.New("engine: the policy is local, but this process has as many local buckets as it may: raise Options.CacheSize")
)

// Undecided adds to an outage why the process cannot decide by itself.
func Undecided(outage, why error) error { return fmt.Errorf("%w: %w", outage, why) }

// beyondShare says which tokens are more than a local bucket ever has.
func beyondShare(c *charge.Charge) error {
	for i := range c.Required.Rates {
		if most := c.Required.Rates[i].Capacity(); c.Need[i] > most {
			return fmt.Errorf("%w: %d of %s, at most %d", ErrBeyondShare, c.Need[i], c.Required.Terms[i].Name, most)
		}
	}
	return ErrBeyondShare
}
