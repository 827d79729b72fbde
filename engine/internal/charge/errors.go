package charge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrRestart makes an acquire begin again, because the configuration it began with has changed under it.
var ErrRestart = errors.New("engine: configuration changed during the acquire")

// ErrOutOfRange reports an adjustment beyond 10^16 tokens of debt, or a clock that is out of range. Package engine describes it to its
// callers.
var ErrOutOfRange = errors.New("engine: out of range")

// ErrUnknownLimit reports a name in Consume, or in an adjustment, that no level of the path has configured.
var ErrUnknownLimit = errors.New("engine: unknown limit")

// UnknownLimits is the error that says what was asked for and what there is for a bucket and its parents. It sorts both; names may repeat.
func UnknownLimits(id ID, unknown, known []string) error {
	return fmt.Errorf("%w: %s; configured for %s on %s: %s", ErrUnknownLimit, list(unknown), id.Entity, id.Resource, list(known))
}

// list joins names in order.
func list(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// BadClock is the error of a clock whose time is not [bucket.InRange]. now is what it says.
func BadClock(now int64) error {
	at := time.Unix(0, now).UTC().Format(time.RFC3339)
	return fmt.Errorf("%w: the clock is at %s, and must be between the years 2020 and 2200; set Options.Now or the system's clock", ErrOutOfRange, at)
}

// OutOfDebt is the error of a charge of n tokens that would lead beyond the range of debt.
func OutOfDebt(name string, n int64) error {
	return fmt.Errorf("%w: %d more tokens of %s would lead beyond 10^16 tokens of debt", ErrOutOfRange, n, name)
}
