package aggregator

import (
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
)

var (
	// ErrOptions means that an option or an argument is invalid.
	ErrOptions = errors.New("aggregator: invalid options")
	// ErrRecord means that a change cannot be read: a newer version wrote it, or it is damaged.
	ErrRecord = errors.New("aggregator: unreadable change: upgrade this program")
	// ErrBehind means that a change was not processed because an earlier change of the same key failed.
	ErrBehind = errors.New("aggregator: not processed because an earlier change of the same key failed")
	// ErrNoFeed means that a store does not keep its changes.
	ErrNoFeed = errors.New("aggregator: the store does not keep its changes: open it with Options.Feed")
	// ErrBusy means that a snapshot could not be written because other processes kept writing it.
	ErrBusy = errors.New("aggregator: too many conflicts with other writers: retry later")
)

func unreadableRecord(k backend.Key, why string) error {
	return fmt.Errorf("%w: %v %s", ErrRecord, k, why)
}

func invalidOption(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrOptions, fmt.Sprintf(format, args...))
}

func notProcessed(f Failure, n int) error {
	return fmt.Errorf("aggregator: %d changes failed, the first one: %w", n, f.Err)
}
