package backend

import (
	"errors"
	"fmt"
)

// What a caller did wrong. Nothing was written.
var (
	// ErrInvalid reports a write, key or query that no store accepts, or a sum that leaves 38 digits.
	ErrInvalid = errors.New("backend: invalid request")
	// ErrTooLarge reports a key, a record or a commit beyond the limits in this package.
	ErrTooLarge = errors.New("backend: too large")
	// ErrClosed reports a call on a closed store.
	ErrClosed = errors.New("backend: store is closed")
)

// What happened on the way to the store. The driver's own error stays reachable by errors.As.
var (
	// ErrUnavailable reports trouble reaching the store: the request was certainly not applied.
	ErrUnavailable = errors.New("backend: store unavailable")
	// ErrOutcomeUnknown reports a request that was sent and perhaps applied.
	ErrOutcomeUnknown = errors.New("backend: outcome unknown")
	// ErrRejected reports that the store does not serve this caller: no permission, bad credentials, nothing there under
	// that name, a schema of another version. Nothing was applied, and trying again does not help.
	ErrRejected = errors.New("backend: request rejected")
	// ErrContention reports a write that met another one on its way and was certainly not applied: a lost race,
	// to be tried again. It is neither a refusal (no condition was judged) nor trouble reaching the store.
	ErrContention = errors.New("backend: lost a race with another write")
)

// ErrConflict is what every [ConflictError] is.
var ErrConflict = errors.New("backend: a condition of the commit does not hold")

// ConflictError names the write whose conditions did not hold, and carries its record. Nothing was changed.
// Of several such writes any one may be named.
type ConflictError struct {
	Index  int    // of the refused write in the commit
	Key    Key    // its key
	Record Record // as it stood when the commit was judged; not present where there was none
}

// Error names the refused write.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("%v: write %d on %v", ErrConflict, e.Index, e.Key)
}

// Unwrap makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Unwrap() error { return ErrConflict }

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func tooLarge(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrTooLarge, fmt.Sprintf(format, args...))
}
