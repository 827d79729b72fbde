package stack

import (
	"context"
	"errors"
	"fmt"
)

// Errors that callers can handle. Use errors.Is.
var (
	// ErrInvalid means that a name or an option is invalid; the error is an [*InvalidError]. Nothing was changed.
	ErrInvalid = errors.New("stack: invalid")
	// ErrNotFound means that there is no such stack, or table, in this region of this account.
	ErrNotFound = errors.New("stack: not found")
	// ErrForeign means that a stack, a table or a bucket belongs to something else. It was not changed.
	ErrForeign = errors.New("stack: not a deployment of this program")
	// ErrNewer means that a newer program has deployed the stack.
	ErrNewer = errors.New("stack: deployed by a newer program")
	// ErrProtected means that the stack or the table is protected from deletion.
	ErrProtected = errors.New("stack: protected from deletion")
	// ErrNoCode means that there is no code for the Lambda function.
	ErrNoCode = errors.New("stack: no code for the aggregator")
	// ErrGone means that somebody has deleted the stack, its table or its bucket.
	ErrGone = errors.New("stack: deleted by somebody else")

	errNoEntry          = errors.New("the zip has no entry " + binaryName)
	errNotLinux         = errors.New("not a Linux binary")
	errProcessor        = errors.New("built for a processor that Lambda does not support")
	errDynamic          = errors.New("linked dynamically: build it with CGO_ENABLED=0")
	errNotThisProgram   = errors.New("the running program is not zae-limiter")
	errOwnDynamic       = errors.New("the running program is linked dynamically")
	errOwnProcessor     = errors.New("the running program was built for another processor")
	errNoGo             = errors.New("there is no Go toolchain in PATH")
	errNoSource         = errors.New("the module's source is not on this machine, and the running program is not a released version")
	errConfiguration    = errors.New("stack: invalid AWS configuration")
	errObjectNotDeleted = errors.New("stack: delete an object")
	errUnplannable      = errors.New("stack: cannot plan")
	errBusy             = errors.New("stack: somebody else keeps changing the stack: deploy again later")
)

// InvalidError reports an invalid value.
type InvalidError struct {
	Field  string // name of a field of [Options], or "Name"
	Value  any
	Reason string // which values are valid
}

// Error returns the field, the value and which values are valid.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("stack: %s %q: %s", e.Field, fmt.Sprint(e.Value), e.Reason)
}

// Is reports true for [ErrInvalid].
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// errInvalidCode returns the error for a file that is not code for the function.
func errInvalidCode(path string, err error) error {
	if path == "" {
		return fmt.Errorf("%w: %w", ErrNoCode, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrNoCode, path, err)
}

// errNoWay returns the error for code that is neither the running program nor can be built, with advice.
func errNoWay(own, built error) error {
	advice := "fix that, then retry"
	switch {
	case errors.Is(built, errNoGo):
		advice = "pass the Linux program of a release's archive (Options.Code, --lambda-zip)"
	case errors.Is(built, errNoSource):
		advice = "install and use a release: go install " + command + "@latest"
	}
	return fmt.Errorf("%w: %w, and building it failed: %w: %s", ErrNoCode, own, built, advice)
}

func errConfig(err error) error {
	return fmt.Errorf("%w: %w", errConfiguration, err)
}

// callError is an error of the SDK with a readable text.
type callError struct {
	text string
	err  error
}

// Error says what failed and why.
func (e *callError) Error() string { return e.text }

// Unwrap returns the SDK's error.
func (e *callError) Unwrap() error { return e.err }

// errCall returns the error for a failed AWS call; nil stays nil. what completes "cannot …".
func (s *session) errCall(what string, err error) error {
	if err == nil {
		return nil
	}
	return &callError{fmt.Sprintf("stack: %s: cannot %s: %s", s.name, what, serviceMessage(err)), err}
}

// errDenied is like errCall, but names the missing permission if the call was denied.
func (s *session) errDenied(what, permission string, err error) error {
	if !isDenied(err) {
		return s.errCall(what, err)
	}
	return &callError{fmt.Sprintf("stack: %s: cannot %s: %s: allow the deploying credentials %s", s.name, what, serviceMessage(err), permission), err}
}

// Ends of waits by the caller, for errWaiting.
const (
	stoppedOperation = "waiting; CloudFormation continues, and the next call waits for it"
	stoppedChangeSet = "before the change set was executed; the next call creates it again"
	stoppedTable     = "waiting for the table; the next call waits for it"
)

// errWaiting returns the error for a wait that has failed, or that the caller has stopped.
func (s *session) errWaiting(ctx context.Context, stopped string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("stack: %s: stopped %s: %w", s.name, stopped, ctx.Err())
	}
	return s.errCall("read the progress", err)
}

func (s *session) errAbsent() error {
	return fmt.Errorf("%w: stack %s in %s: create it with zae-limiter deploy --name %s, or check region and account",
		ErrNotFound, s.name, s.region, s.name)
}

// errOlder returns the error for a stack that a newer release has deployed.
func (s *session) errOlder(deployed string) error {
	return fmt.Errorf("%w: stack %s has version %s, this is %s: use the newer version, or downgrade with zae-limiter upgrade --force (Options.Downgrade)",
		ErrNewer, s.name, deployed, s.version)
}

func (s *session) errGone() error {
	return fmt.Errorf("%w: stack %s: deploy again", ErrGone, s.name)
}

// errDataGone returns the error for a stack whose table or bucket somebody has deleted.
func (s *session) errDataGone(what string) error {
	return fmt.Errorf("%w: the %s of the stack %s: run zae-limiter delete --name %s --keep-data, which keeps the rest of the data, then deploy again",
		ErrGone, what, s.name, s.name)
}

// errDeployedAgain returns the error for data that somebody has deployed again since the deletion of their stack.
func (s *session) errDeployedAgain() error {
	return fmt.Errorf("%w: somebody has deployed %s again, with its data, which were not deleted: to delete them, too, delete again", ErrForeign, s.name)
}

// describeOwner says what a table's schema record shows about its owner.
func (s *session) describeOwner(found schemaRecord) string {
	switch {
	case found.version == "":
		return "without a limiter's schema record"
	case found.stack == "":
		return "which no deployment has created"
	}
	return "whose schema record names the stack " + found.stack
}

// errCannotAdopt returns the error for a table that no update can make match the template.
func (s *session) errCannotAdopt(why string) error {
	return fmt.Errorf("%w: the table %s cannot be adopted: %s", ErrForeign, s.name, why)
}

// errUninitializable returns the error for a table that cannot hold a limiter's records.
func (s *session) errUninitializable(why string) error {
	return fmt.Errorf("%w: the table %s cannot hold a limiter's records: %s", ErrForeign, s.name, why)
}

func (s *session) errForeign(what, why string) error {
	return fmt.Errorf("%w: the %s %s exists, %s: choose another name", ErrForeign, what, s.name, why)
}

func (s *session) errProtected(what, how string) error {
	return fmt.Errorf("%w: %s %s: %s, or delete with force", ErrProtected, what, s.name, how)
}
