package backend

import (
	"errors"
	"fmt"
	"slices"
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
	// ErrCorrupt reports that what is stored is damaged or another program's, as a file with a damaged page. Nothing was
	// applied, and trying again does not help.
	ErrCorrupt = errors.New("backend: store damaged or foreign")
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

// UnreadableError reports records that are there and do not fit the layouts that were asked for: they have a field that
// the layout does not have, or a value of another kind, because a newer program or somebody else wrote them. It is an
// [ErrInvalid].
type UnreadableError struct {
	Indexes []int // of these records among the keys of the call, ascending, at least one
	Err     error // why the first of them cannot be read
}

// Error tells why the first record cannot be read, and how many there are.
func (e *UnreadableError) Error() string {
	if len(e.Indexes) == 1 {
		return e.Err.Error()
	}
	return fmt.Sprintf("%v (the first of %d such records)", e.Err, len(e.Indexes))
}

// Unwrap gives the cause, and makes errors.Is(err, ErrInvalid) true.
func (e *UnreadableError) Unwrap() []error { return []error{ErrInvalid, e.Err} }

// Add notes that the record at an index cannot be read; indexes may come in any order. For stores.
func (e *UnreadableError) Add(index int, err error) {
	if len(e.Indexes) == 0 || index < e.Indexes[0] {
		e.Err = err
	}
	at, _ := slices.BinarySearch(e.Indexes, index)
	e.Indexes = slices.Insert(e.Indexes, at, index)
}

// OrNil is what Read returns when it is done: nil if nothing was added.
func (e *UnreadableError) OrNil() error {
	if len(e.Indexes) == 0 {
		return nil
	}
	return e
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func tooLarge(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrTooLarge, fmt.Sprintf(format, args...))
}
