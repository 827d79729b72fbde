package aggregator

import (
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
)

var (
	// ErrOptions reports options that make no sense.
	ErrOptions = errors.New("aggregator: bad options")
	// ErrRecord reports a change that cannot be read: it was written by a newer version, or is damaged.
	ErrRecord = errors.New("aggregator: a change that cannot be read; upgrade this program")
	// ErrBehind is why a change was not taken in that came behind one of the same key that failed.
	ErrBehind = errors.New("aggregator: not taken in behind a change of the same key that failed")
	// ErrNoFeed reports a store that does not keep its changes.
	ErrNoFeed = errors.New("aggregator: the store keeps no changes; open it with Options.Feed")
	// ErrBusy reports a snapshot that others wrote again and again meanwhile.
	ErrBusy = errors.New("aggregator: lost the race against other writers again and again; try again")
)

func unreadable(k backend.Key, why string) error { return fmt.Errorf("%w: %v %s", ErrRecord, k, why) }

func badOption(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrOptions, fmt.Sprintf(format, args...))
}

func notTakenIn(f Failure, n int) error {
	return fmt.Errorf("aggregator: %d changes were not taken in, the first because of: %w", n, f.Err)
}
