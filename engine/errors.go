package engine

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/zeroae/zae-limiter-go/engine/internal/cascade"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Trouble with the store.
var (
	// ErrUnavailable reports that the store could not be reached within the budget; it wraps the cause. It is the only
	// error that a [Policy] can turn into an admission.
	ErrUnavailable = store.ErrUnavailable
	// ErrContention reports a call that lost its race against other writers again and again. Nothing was
	// admitted; a few tokens may have been charged. Trying again is right. No [Policy] admits a request because of it. If the
	// caller has given up meanwhile, the error is also context.Canceled.
	ErrContention = store.ErrContention
	// ErrSchema reports a store written by another version of this library, in a format that this one cannot read.
	ErrSchema = store.ErrSchema
	// ErrCorrupt reports a store whose data is damaged or of another program, such as a bbolt file with a damaged page. It
	// wraps the cause. No [Policy] admits a request because of it.
	ErrCorrupt = store.ErrCorrupt
	// ErrClosed reports a call on a closed limiter.
	ErrClosed = store.ErrClosed
)

// Trouble with requests and leases, besides [ValidationError].
var (
	// ErrNoLimits reports a request for which no limit is configured at any level of its path.
	ErrNoLimits = cascade.ErrNoLimits
	// ErrUnknownLimit reports a name in Consume that no level of the path has configured.
	ErrUnknownLimit = charge.ErrUnknownLimit
	// ErrNeverFits reports a request that is larger than the capacity of a limit.
	ErrNeverFits = errors.New("engine: request can never fit")
	// ErrOutOfRange reports a possible debt of more than 10^16 tokens, a [Meter] beyond 10^15 tokens, or a clock outside 2020 to 2200.
	ErrOutOfRange = charge.ErrOutOfRange
	// ErrLeaseClosed reports the use of a lease after Commit or Rollback.
	ErrLeaseClosed = errors.New("engine: lease is closed: it was committed or rolled back; acquire another one")
)

// Trouble with entities and namespaces.
var (
	// ErrEntityExists reports the creation of an entity that exists.
	ErrEntityExists = errors.New("engine: entity exists; update it instead")
	// ErrEntityNotFound reports an entity that does not exist.
	ErrEntityNotFound = changes.ErrEntityNotFound
	// ErrHasChildren reports the deletion of an entity that is the parent of another.
	ErrHasChildren = changes.ErrHasChildren
	// ErrCycle reports a parent that is the entity itself or one of its descendants, or a path of more than 8 entities.
	ErrCycle = changes.ErrCycle
	// ErrNamespaceNotFound reports a namespace that is not registered or is deleted.
	ErrNamespaceNotFound = errors.New("engine: namespace is not registered; register or recover it, or set Options.CreateNamespace")
)

// Trouble with manifests.
var (
	// ErrManaged reports a setting that another manifest manages.
	ErrManaged = errors.New("engine: managed by another manifest; remove it there, or take it over")
	// ErrStale reports settings that were changed after they had been read. Read them again.
	ErrStale = changes.ErrStale
)

// ValidationError reports bad input. Nothing was done.
type ValidationError struct {
	Field  string // what is wrong: "Entity", "Consume[rpm]", "Limits[tpm].Capacity"
	Value  any    // as given
	Reason string // what it must be
}

// Error names field, value and what the value must be.
func (e *ValidationError) Error() string {
	return fmt.Sprintf("engine: %s %v: %s", e.Field, quoted(e.Value), e.Reason)
}

func quoted(v any) any {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return v
}

// ParentError reports an entity that cannot be deleted because it is the parent of another. It is an [ErrHasChildren].
type ParentError struct {
	Entity string
	Child  string // one of its children
}

// Error names both.
func (e *ParentError) Error() string {
	return fmt.Sprintf("%v: %q, of which %q is one", ErrHasChildren, e.Entity, e.Child)
}

// Unwrap makes errors.Is(err, ErrHasChildren) true.
func (e *ParentError) Unwrap() error { return ErrHasChildren }

// MissingParentError reports a parent that does not exist. It is an [ErrEntityNotFound].
type MissingParentError struct {
	Entity string // that would get the parent
	Parent string
}

// Error names both.
func (e *MissingParentError) Error() string {
	return fmt.Sprintf("%v: %q, which would be the parent of %q", ErrEntityNotFound, e.Parent, e.Entity)
}

// Unwrap makes errors.Is(err, ErrEntityNotFound) true.
func (e *MissingParentError) Unwrap() error { return ErrEntityNotFound }

// CommitError is what [Limiter.Do] returns when the work was done and its settlement failed: the charge of the
// acquire stands, the lease's adjustments may be missing.
type CommitError struct{ Err error }

// Error tells that the work was done.
func (e *CommitError) Error() string {
	return "engine: the work was done, but its lease was not settled: " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *CommitError) Unwrap() error { return e.Err }

// deadlineError is a denial that a caller's deadline left no time to wait for.
type deadlineError struct {
	*ExceededError
	cause error
}

func (e *deadlineError) Error() string { return e.ExceededError.Error() + ": " + e.cause.Error() }

func (e *deadlineError) Unwrap() []error { return []error{e.ExceededError, e.cause} }

// errNoShare is why a process cannot decide by itself under PolicyLocal.
var errNoShare = errors.New("engine: the policy is local, but this limiter has no Options.LocalShare, so the acquire fails as under block: " +
	"set LocalShare, or another policy")

// tooManyLimits is the error of a request that would bring a bucket to n limits.
func tooManyLimits(n int) error {
	return &ValidationError{
		"Limits", n,
		"would bring the bucket above " + strconv.Itoa(schema.MaxLimits) + " limits, together with those that other callers bring; use another resource",
	}
}

// errTooLate is why a refund is void.
var errTooLate = errors.New("engine: later than Options.MaxHold after its charge")

// errReservedTooFar is for a request that would have to wait behind too much.
var errReservedTooFar = fmt.Errorf("%w: the tokens would lead beyond 10^16 tokens of debt, together with those that others wait for", ErrOutOfRange)
