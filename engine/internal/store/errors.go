package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Trouble with the store. Package engine describes these errors to its callers.
var (
	ErrUnavailable = errors.New("engine: store unavailable")
	ErrContention  = errors.New("engine: lost the race against other writers again and again; try again")
	ErrSchema      = errors.New("engine: the store has another schema; upgrade this program or the store")
	ErrCorrupt     = errors.New("engine: the store is damaged, or another program's")
	ErrClosed      = errors.New("engine: limiter is closed")
)

// Causes of ErrUnavailable, whose text they follow.
var (
	errBreaker = errors.New("the store failed several times in a row and is probed again after a pause")
	errBudget  = fmt.Errorf("no answer within the budget (Options.Timeout, at most four fifths of the caller's deadline): %w",
		context.DeadlineExceeded)
)

// refusedError is what call returns while the breaker is open. During an outage nearly every call ends in it, so it is made once,
// when the breaker opens, together with what Failure makes of it. It quotes the failure that opened the breaker and does not wrap
// it: a refused call was certainly not applied, whatever became of that one.
type refusedError struct {
	text   string
	caller error
}

func newRefused(cause error) *refusedError {
	e := &refusedError{text: unreachableText + errBreaker.Error()}
	if cause != nil {
		e.text += "; the last failure: " + strings.TrimPrefix(cause.Error(), unreachableText)
	}
	e.caller = unavailableError{e}
	return e
}

var refusedIs = []error{backend.ErrUnavailable, errBreaker}

// unreachableText begins most errors of a backend that is out of reach.
var unreachableText = backend.ErrUnavailable.Error() + ": "

// unavailableError is ErrUnavailable with its cause, whose text need not say once more that the store is unavailable.
type unavailableError struct{ cause error }

func (e unavailableError) Error() string {
	return ErrUnavailable.Error() + ": " + strings.TrimPrefix(e.cause.Error(), unreachableText)
}

func (e unavailableError) Unwrap() []error { return []error{ErrUnavailable, e.cause} }

func (e *refusedError) Error() string   { return e.text }
func (e *refusedError) Unwrap() []error { return refusedIs }

// ErrCursor reports a cursor that is not of the listing it is used for.
var ErrCursor = errors.New("engine: not a cursor of this list")

// What lists skip.
var (
	errForeign = errors.New("engine: an index entry that is not of this namespace or list; somebody wrote it without this library")
	ErrKey     = errors.New("engine: a key that this library does not make; somebody wrote it without this library, or with a newer version")
)

// panicError reports a panic in the backend: a bug, whatever the backend was asked. A write may have been applied.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("engine: the store panicked: %v", e.value) }

// Unwrap gives the panic's value too, if it is an error.
func (e *panicError) Unwrap() []error {
	if err, ok := e.value.(error); ok {
		return []error{backend.ErrOutcomeUnknown, err}
	}
	return []error{backend.ErrOutcomeUnknown}
}

// canceledError reports a call whose caller gave up. Its text does not blame the store, which has not been shown to be out of
// reach; what the store said stays reachable.
type canceledError struct{ cause, err error }

func (e *canceledError) Error() string {
	if errors.Is(e.err, backend.ErrOutcomeUnknown) {
		return "engine: canceled while the store worked on it, so it may have taken effect: " + e.cause.Error()
	}
	return "engine: canceled before the store answered: " + e.cause.Error()
}

// Unwrap gives no cause: it is the caller's, and may be the error of another request, such as that of an outage.
func (e *canceledError) Unwrap() []error { return []error{context.Canceled, e.err} }

func canceled(ctx context.Context, err error) error {
	if already := (*canceledError)(nil); errors.As(err, &already) {
		return err
	}
	return &canceledError{context.Cause(ctx), err}
}

// lost is the error of a lost race. A caller who gave up is told that, too.
func lost(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return canceled(ctx, err)
	}
	return err
}

// EndOf is why ctx has ended: the budget, or else its error. The cause that a caller gives says nothing about this request: an
// errgroup gives the error of another one.
func EndOf(ctx context.Context) error {
	if context.Cause(ctx) == errBudget { //nolint:errorlint // itself, and not in the error of another request
		return errBudget
	}
	return ctx.Err()
}

// NotSent is the error of a call that ctx left no time for.
func NotSent(ctx context.Context) error {
	end := EndOf(ctx)
	if errors.Is(end, errBudget) {
		return fmt.Errorf("%w: %w", backend.ErrUnavailable, end)
	}
	return end
}

// overdue adds to an error that the budget has run out, if that is why the call failed.
func overdue(ctx context.Context, err error) error {
	if err == nil || !unreachable(err) || errors.Is(err, errBudget) || !errors.Is(EndOf(ctx), errBudget) {
		return err
	}
	return fmt.Errorf("%w: %w", err, errBudget)
}

// aside marks contexts made by Aside.
type aside struct{}

// Aside returns a context for calls that no caller waits for and whose failure changes nothing: the breaker does not count
// them, so that writes go on while only configuration cannot be read.
func Aside(ctx context.Context) context.Context { return context.WithValue(ctx, aside{}, true) }

// verdict is what a call says of the backend. Deadlines count, the caller's own included; a caller who gave up says
// nothing.
func verdict(ctx context.Context, err error) health {
	switch {
	case isPanic(err):
		return panicking
	case !unreachable(err):
		return healthy
	case errors.Is(ctx.Err(), context.Canceled), ctx.Value(aside{}) != nil:
		return unknown
	default:
		return failing
	}
}

// OutOfReach reports whether err, of a call with ctx, shows that the backend is out of reach, so that a policy may decide.
func OutOfReach(ctx context.Context, err error) bool { return verdict(ctx, err) == failing }

// IsWrong reports an error that is no trouble reaching the backend, which no policy admits.
func IsWrong(err error) bool { return err != nil && (!unreachable(err) || isPanic(err)) }

// isSafeToResend reports whether a write that failed with err was certainly not applied, and sending it again may help.
func isSafeToResend(err error) bool {
	certain := errors.Is(err, backend.ErrUnavailable) || errors.Is(err, backend.ErrContention) || errors.Is(err, backend.ErrThrottled)
	return certain && !errors.Is(err, errBreaker)
}

func isPanic(err error) bool {
	_, is := errors.AsType[*panicError](err)
	return is
}

// MayPass reports whether what has failed with err may succeed later.
func MayPass(err error) bool { return isTransient(err) || errors.Is(err, ErrContention) }

// isTransient tells trouble that passes.
func isTransient(err error) bool {
	passes := errors.Is(err, backend.ErrContention) || errors.Is(err, backend.ErrThrottled)
	return (unreachable(err) || passes) && !isPanic(err)
}

// unreachable tells trouble reaching the backend from answers that mean something.
func unreachable(err error) bool {
	trouble := errors.Is(err, backend.ErrUnavailable) || errors.Is(err, backend.ErrOutcomeUnknown) || errors.Is(err, context.DeadlineExceeded)
	return trouble && !errors.Is(err, backend.ErrCorrupt)
}

// Failure is the error that the engine's caller gets for one from the backend. Only trouble reaching the backend becomes
// ErrUnavailable, by which a policy may admit a request. The caller's own context comes first, unless the budget ended before it.
func Failure(ctx context.Context, err error) error {
	refused, _ := err.(*refusedError) //nolint:errorlint // itself, and nothing around it
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnavailable) || isPanic(err):
		return err
	case errors.Is(err, backend.ErrClosed):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	case errors.Is(err, ErrContention):
		return lost(ctx, err)
	case errors.Is(err, backend.ErrContention), errors.Is(err, backend.ErrThrottled):
		return lost(ctx, fmt.Errorf("%w: %w", ErrContention, err))
	case errors.Is(err, schema.ErrFormat):
		return fmt.Errorf("%w: %w", ErrSchema, err)
	case errors.Is(err, backend.ErrCorrupt):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case refused != nil && ctx.Err() == nil:
		return refused.caller
	case unreachable(err) && (ctx.Err() == nil || errors.Is(err, errBudget)):
		return unavailableError{err}
	case unreachable(err) && errors.Is(ctx.Err(), context.Canceled):
		return canceled(ctx, err)
	}
	return err
}
