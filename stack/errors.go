package stack

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Errors that a caller can do something about.
var (
	// ErrInvalid reports a name or an option that cannot be, before anything was done; it is an [*InvalidError].
	ErrInvalid = errors.New("stack: invalid")
	// ErrNotFound reports that there is no such stack: not in this region of this account.
	ErrNotFound = errors.New("stack: not found")
	// ErrForeign reports a stack, a table or a bucket which is not this package's, and is left alone.
	ErrForeign = errors.New("stack: not a deployment of this program")
	// ErrNewer reports a stack whose records a newer program has made.
	ErrNewer = errors.New("stack: deployed by a newer program")
	// ErrProtected reports a stack or a table that is protected from being deleted.
	ErrProtected = errors.New("stack: protected from deletion")
	// ErrNoCode reports that there is nothing for the function to run.
	ErrNoCode = errors.New("stack: no code for the aggregator")
	// ErrGone reports a stack, or its table, that somebody deleted while it was worked on.
	ErrGone = errors.New("stack: deleted by somebody else meanwhile")

	errNoEntry       = errors.New("it has no entry " + entry)
	errNotLinux      = errors.New("it is no Linux binary")
	errProcessor     = errors.New("it is for a processor that Lambda does not have")
	errDynamic       = errors.New("it is linked dynamically; build it with CGO_ENABLED=0")
	errNotItself     = errors.New("the running program is not zae-limiter")
	errRunsDynamic   = errors.New("the running program is linked dynamically")
	errRunsElsewhere = errors.New("the running program is for another processor")
	errNoToolchain   = errors.New("there is no Go toolchain in PATH")
	errNoSource      = errors.New("the module's source is not here, and the running program is of no released version")
	errConfiguration = errors.New("stack: the AWS configuration does not do")
	errLeft          = errors.New("stack: an object could not be deleted")
	errUnplannable   = errors.New("stack: no plan")
	errBusy          = errors.New("stack: somebody else is at work, time and again; deploy again later")
)

// InvalidError reports a value that cannot be.
type InvalidError struct {
	Field  string // of Options, or Name
	Value  any
	Reason string // what can be
}

// Error names the field, the value and what would do.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("stack: %s %q: %s", e.Field, fmt.Sprint(e.Value), e.Reason)
}

// Is tells that it is an [ErrInvalid].
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// errCode reports a file that is no code for the function.
func errCode(path string, err error) error {
	if path == "" {
		return fmt.Errorf("%w: %w", ErrNoCode, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrNoCode, path, err)
}

// errNothingFound tells why neither way works, and what does.
func errNothingFound(own, built error) error {
	cure := "cure that, and try again"
	switch {
	case errors.Is(built, errNoToolchain):
		cure = "name the program for Linux of a release's archive (Options.Code, --lambda-zip)"
	case errors.Is(built, errNoSource):
		cure = "run the program that this installs: go install " + command + "@latest"
	}
	return fmt.Errorf("%w: %w, and it cannot be built: %w; %s", ErrNoCode, own, built, cure)
}

func errConfig(err error) error {
	return fmt.Errorf("%w: %w", errConfiguration, err)
}

func errRegion() error {
	return fmt.Errorf("%w: no AWS region is set; set Options.Region, --region or AWS_REGION", errConfiguration)
}

// callError is an error of the SDK, in the words that help at a terminal.
type callError struct {
	text string
	err  error
}

// Error is what could not be done, and why.
func (e *callError) Error() string { return e.text }

// Unwrap gives the SDK's error.
func (e *callError) Unwrap() error { return e.err }

// errCall is what an AWS call made for the stack said; nil stays nil.
func (s *session) errCall(what string, err error) error {
	if err == nil {
		return nil
	}
	return &callError{fmt.Sprintf("stack: %s: cannot %s: %s", s.name, what, said(err)), err}
}

// errDenied is errCall, and names the permission that is missing if it is one.
func (s *session) errDenied(what, permission string, err error) error {
	if !isDenied(err) {
		return s.errCall(what, err)
	}
	return &callError{fmt.Sprintf("stack: %s: cannot %s: %s: allow the deploying credentials %s", s.name, what, said(err), permission), err}
}

func (s *session) errWaiting(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("stack: %s: no longer waited for; CloudFormation goes on, and the next call joins: %w", s.name, ctx.Err())
	}
	return s.errCall("see how it goes on", err)
}

func (s *session) errAbsent() error {
	return fmt.Errorf("%w: there is no stack %s in %s; create it with: zae-limiter deploy --name %s (or check region and account)",
		ErrNotFound, s.name, s.region, s.name)
}

// errStackless reports a table that is in no stack.
func (s *session) errStackless() error {
	return fmt.Errorf("%w: the table %s is in no stack; change it with what created it, or take it into one: zae-limiter deploy --name %s --adopt",
		ErrNotFound, s.name, s.name)
}

func (s *session) errGone() error {
	return fmt.Errorf("%w: stack %s; deploy again", ErrGone, s.name)
}

func (s *session) errTableGone() error {
	return fmt.Errorf("%w: stack %s is there and its table is not; delete the stack, and deploy again", ErrGone, s.name)
}

func (s *session) errUnplannable(st *state) error {
	return fmt.Errorf("%w: stack %s is in %s, from which no change can be planned; deploying cleans that up first", errUnplannable, s.name, st.status)
}

func errList(region string, err error) error {
	return &callError{fmt.Sprintf("stack: cannot list the stacks in %s: %s", region, said(err)), err}
}

// errUnclaimed reports a table that no deployment of the name has made.
func (s *session) errUnclaimed(found schemaRecord) error {
	return fmt.Errorf("%w: there is a table %s, %s; take it into the stack with --adopt (Options.Adopt), or choose another name",
		ErrForeign, s.name, s.described(found))
}

// described is how a table's schema record tells whose it is.
func (s *session) described(found schemaRecord) string {
	switch {
	case found.version == "":
		return "without a limiter's schema record"
	case found.stack == "":
		return "which no deployment has created"
	}
	return "whose schema record names the stack " + found.stack
}

// errUnfit reports a table that no update of a stack can make a limiter's.
func (s *session) errUnfit(why string) error {
	return fmt.Errorf("%w: the table %s cannot be taken into a stack: %s", ErrForeign, s.name, why)
}

// errUninitializable reports a table that cannot hold a limiter's records.
func (s *session) errUninitializable(why string) error {
	return fmt.Errorf("%w: the table %s cannot hold a limiter's records: %s", ErrForeign, s.name, why)
}

// errLeftAlone reports a table that a deletion leaves, since it may be somebody else's.
func (s *session) errLeftAlone(found schemaRecord) error {
	return fmt.Errorf("%w: nothing was deleted: there is no stack %s, and there is a table %s, %s: delete it with what created it, "+
		"or run: aws dynamodb delete-table --table-name %s --region %s", ErrForeign, s.name, s.name, s.described(found), s.name, s.region)
}

// errBucketInTheWay reports the bucket of an earlier stack that this one has not taken in.
func (s *session) errBucketInTheWay(bucket string) error {
	return fmt.Errorf("%w: the bucket %s of an earlier deployment is not in the stack %s: delete it, or take both in: "+
		"zae-limiter delete --name %s --keep-data, then deploy again", ErrForeign, bucket, s.name, s.name)
}

func (s *session) errNoTable() error {
	return fmt.Errorf("%w: there is no table %s in %s; create it with: zae-limiter deploy --name %s (or check region and account)",
		ErrNotFound, s.name, s.region, s.name)
}

func (s *session) errForeign(what, why string) error {
	return fmt.Errorf("%w: there is a %s %s, %s; choose another name", ErrForeign, what, s.name, why)
}

func (s *session) errNewer(found string) error {
	return fmt.Errorf("%w: stack %s has schema version %s, this program knows %d: use the version that deployed it", ErrNewer, s.name, found, schemaVersion)
}

func (s *session) errProtected(what, how string) error {
	return fmt.Errorf("%w: %s %s: %s, or delete with force", ErrProtected, what, s.name, how)
}

func errS3(e types.Error) error {
	return fmt.Errorf("%w: %s: %s: %s", errLeft, aws.ToString(e.Key), aws.ToString(e.Code), aws.ToString(e.Message))
}
