package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

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

// FailedError reports an operation that CloudFormation began and did not complete.
type FailedError struct {
	Stack    string
	Status   string // of the stack, now; FAILED for a change set that cannot be, which changes nothing
	Resource string // logical id of the first resource that failed; "" where no resource is to blame
	Type     string // of the resource
	Reason   string // why it failed
	Advice   string // what to do next
}

// Error is the cause and its cure, in one line.
func (e *FailedError) Error() string {
	what := e.Reason
	if e.Resource != "" {
		what = fmt.Sprintf("%s (%s): %s", e.Resource, e.Type, e.Reason)
	}
	return fmt.Sprintf("stack: %s %s: %s; %s", e.Stack, outcome(e.Status), strings.TrimSuffix(what, "."), e.Advice)
}

// outcome says in words how an operation ended that left a stack in this status.
func outcome(status string) string {
	switch status {
	case "FAILED":
		return "was not changed"
	case "ROLLBACK_COMPLETE", "CREATE_FAILED", "IMPORT_ROLLBACK_COMPLETE":
		return "was not created (" + status + ")"
	case "UPDATE_ROLLBACK_COMPLETE":
		return "was not changed: the update was rolled back"
	case "DELETE_FAILED":
		return "was not deleted"
	}
	return "is in " + status
}

// wrapping is what CloudFormation packs the message of another service in.
var wrapping = regexp.MustCompile(`(?s)^Resource handler returned message: "(.*)"\s*\(RequestToken: .*\)\s*$`)

// technical are the parts of a service's message that help nobody at a terminal.
var technical = regexp.MustCompile(`\s*\((Service: [^()]*|RequestToken: [^()]*|SDK Attempt Count: [^()]*)\)`)

// plain is a reason without its packing, in one line.
func plain(reason string) string {
	if inner := wrapping.FindStringSubmatch(reason); inner != nil {
		reason = inner[1]
	}
	return strings.Join(strings.Fields(technical.ReplaceAllString(reason, "")), " ")
}

// advised adds what to do next to a failure, by what its reason says.
func (e *FailedError) advised() *FailedError {
	reason, again := e.Reason, "deploy again"
	if e.Status == "DELETE_FAILED" {
		again = "delete again, or with force"
	}
	e.Reason = plain(reason)
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(strings.ToLower(reason), part) {
				return true
			}
		}
		return false
	}
	switch {
	case has("alreadyexists", "already exists", "already owned") && e.Type == "AWS::IAM::Role":
		e.Advice = "names of roles are the account's: choose others by the role name format (RoleNameFormat), or remove that role, and " + again
	case has("alreadyexists", "already exists", "already owned") && e.Type == "AWS::IAM::ManagedPolicy":
		e.Advice = "names of policies are the account's: choose others by the policy name format (PolicyNameFormat), or remove that policy, and " + again
	case has("alreadyexists", "already exists", "already owned"):
		e.Advice = "remove what has the name, or deploy under another, and " + again
	case has("accessdenied", "access denied", "not authorized", "unauthorized"):
		e.Advice = "allow the deploying credentials to do this, and " + again
	case has("limitexceeded", "limit exceeded", "quota"):
		e.Advice = "have the account's quota raised, or remove what is not needed, and " + again
	default:
		e.Advice = "cure that, and " + again
	}
	return e
}

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

func (s *session) errForeign(what, why string) error {
	return fmt.Errorf("%w: there is a %s %s, %s; choose another name", ErrForeign, what, s.name, why)
}

func (s *session) errNewer(found string) error {
	return fmt.Errorf("%w: stack %s has schema version %s, this program knows %d: use the version that deployed it", ErrNewer, s.name, found, schemaVersion)
}

func (s *session) errProtected(what, how string) error {
	return fmt.Errorf("%w: %s %s: %s, or delete with force", ErrProtected, what, s.name, how)
}

// failed is the failure that left the stack as it is, with the first resource that failed.
func (s *session) failed(st *state) error {
	e := &FailedError{Stack: s.name, Status: string(st.status), Reason: st.reason}
	for _, event := range s.events {
		if !strings.HasSuffix(event.Status, "_FAILED") || strings.HasSuffix(event.Reason, " cancelled") {
			continue
		}
		if event.ID == st.id { // the stack's own word counts only where no resource has one
			e.Reason = cmp.Or(event.Reason, e.Reason)
			continue
		}
		e.Resource, e.Type, e.Reason = event.Resource, event.Type, event.Reason
		break
	}
	e.Reason = cmp.Or(e.Reason, "CloudFormation gives no reason")
	return e.advised()
}

func errS3(e types.Error) error {
	return fmt.Errorf("%w: %s: %s: %s", errLeft, aws.ToString(e.Key), aws.ToString(e.Code), aws.ToString(e.Message))
}
