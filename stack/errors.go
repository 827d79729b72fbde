package stack

import (
	"errors"
	"fmt"
)

// Errors that a caller can do something about.
var (
	// ErrInvalid reports a name or an option that cannot be, before anything was done.
	ErrInvalid = errors.New("stack: invalid")
	// ErrNotFound reports that there is no such stack: not in this region of this account.
	ErrNotFound = errors.New("stack: not found")
	// ErrForeign reports a stack or a table of that name which is not this package's, and is left alone.
	ErrForeign = errors.New("stack: not a deployment of this program")
	// ErrProtected reports a stack or a table that is protected from being deleted.
	ErrProtected = errors.New("stack: protected from deletion")
	// ErrNoCode reports that there is nothing for the function to run.
	ErrNoCode = errors.New("stack: no code for the aggregator")
	// ErrGone reports a stack that somebody deleted while it was waited for.
	ErrGone = errors.New("stack: deleted by somebody else meanwhile")
)

// FailedError reports an operation that CloudFormation began and did not complete.
type FailedError struct {
	Stack    string
	Status   string // of the stack, now
	Resource string // logical id of the first resource that failed; "" where no resource is to blame
	Type     string // of the resource
	Reason   string // why it failed
	Advice   string // what to do next
}

// Error is the cause and its cure, in one line.
func (e *FailedError) Error() string {
	return fmt.Sprintf("stack: %s", e.Stack)
}
