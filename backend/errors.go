package backend

import (
	"errors"
	"fmt"
	"slices"
)

// Errors of calls that a caller must change. Nothing was written.
var (
	// ErrInvalid reports a write, key or query that no store accepts, or a sum of more than 38 digits.
	ErrInvalid = errors.New("backend: invalid request")
	// ErrTooLarge reports a key, a record or a commit beyond the limits of this package.
	ErrTooLarge = errors.New("backend: too large")
	// ErrClosed reports a call on a closed store.
	ErrClosed = errors.New("backend: store is closed")
)

// Errors of the store, or on the way to it. The driver's own error is reachable by errors.As.
var (
	// ErrUnavailable reports that the store could not be reached, or did not accept the request. The request was certainly
	// not applied, and may be sent again.
	ErrUnavailable = errors.New("backend: store unavailable")
	// ErrOutcomeUnknown reports a request that was sent and may have been applied. The caller looks at the records before
	// it sends the request again.
	ErrOutcomeUnknown = errors.New("backend: outcome unknown")
	// ErrRejected reports that the store does not serve this caller: a permission is missing, credentials are wrong, there
	// is no table or file of that name, or its schema has another version. Nothing was applied, and sending the request
	// again does not help.
	ErrRejected = errors.New("backend: request rejected")
	// ErrCorrupt reports that the stored data is damaged or belongs to another program. Nothing was applied, and sending
	// the request again does not help.
	ErrCorrupt = errors.New("backend: store damaged or foreign")
	// ErrContention reports a write that lost a race with another one in the store, which was not necessarily on the same
	// record. It was certainly not applied, its conditions were not checked, and the caller sends it again at once. The
	// limiter gives up after 32 attempts, so a store that loses races often first tries again by itself.
	ErrContention = errors.New("backend: lost a race with another write")
	// ErrThrottled reports a write to a record that is written more often than the store allows. It was certainly not applied.
	// It is not an outage: the limiter denies the request, and no policy admits it.
	ErrThrottled = errors.New("backend: the record is written more often than the store allows")
)

// ErrConflict is matched by every [ConflictError].
var ErrConflict = errors.New("backend: a condition of the commit does not hold")

// ConflictError reports a commit of which a write has a condition that does not hold. Nothing was changed. If there are
// several such writes, it names any one of them.
type ConflictError struct {
	Index  int    // of the refused write in the commit
	Key    Key    // its key
	Record Record // the record that its conditions were checked on; not present if there was none
}

// Error names the refused write.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("%v: write %d on %v", ErrConflict, e.Index, e.Key)
}

// Unwrap makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Unwrap() error { return ErrConflict }

// UnreadableError reports records that exist and do not fit the layouts that the caller asked for: they have a field that
// the layout does not have, or a value of another type, because a newer program or somebody else wrote them. It matches
// [ErrInvalid].
type UnreadableError struct {
	Indexes []int // of these records among the keys of the call, ascending, at least one
	Err     error // why the first of them cannot be read
}

// Error says why the first record cannot be read, and how many there are.
func (e *UnreadableError) Error() string {
	if len(e.Indexes) == 1 {
		return e.Err.Error()
	}
	return fmt.Sprintf("%v (the first of %d such records)", e.Err, len(e.Indexes))
}

// Unwrap returns the cause, and makes errors.Is(err, ErrInvalid) true.
func (e *UnreadableError) Unwrap() []error { return []error{ErrInvalid, e.Err} }

// Add adds the record at an index, for an implementation of Read. Indexes may come in any order.
func (e *UnreadableError) Add(index int, err error) {
	if len(e.Indexes) == 0 || index < e.Indexes[0] {
		e.Err = err
	}
	at, _ := slices.BinarySearch(e.Indexes, index)
	e.Indexes = slices.Insert(e.Indexes, at, index)
}

// OrNil returns e, or nil if nothing was added, for an implementation of Read to return.
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
