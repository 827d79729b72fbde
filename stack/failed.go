package stack

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// FailedError reports an operation of CloudFormation that failed.
type FailedError struct {
	Stack    string
	Status   string // current status of the stack; FAILED for a rejected change set, after which nothing has changed
	Resource string // logical id of the first resource that failed; empty if none did
	Type     string // of the resource, for example AWS::DynamoDB::Table
	Reason   string // why it failed
	Advice   string // what to do

	why        string        // the cause, if it is transient
	retryAfter time.Duration // how long it lasts; 0 if it is not transient
}

// Error returns the cause and the advice in one line.
func (e *FailedError) Error() string {
	what := e.Reason
	if e.Resource != "" {
		what = fmt.Sprintf("%s (%s): %s", e.Resource, e.Type, e.Reason)
	}
	return fmt.Sprintf("stack: %s %s: %s; %s", e.Stack, outcomeText(e.Status), strings.TrimSuffix(what, "."), e.Advice)
}

// outcomeText describes the result of an operation that left a stack in this status.
func outcomeText(status string) string {
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

// handlerMessage matches the text with which CloudFormation surrounds the message of another service.
var handlerMessage = regexp.MustCompile(`(?s)^Resource handler returned message: "(.*)"\s*\(RequestToken: .*\)\s*$`)

// sdkDetails matches the parts of a service's message that do not help at a terminal.
var sdkDetails = regexp.MustCompile(`\s*\((Service: [^()]*|RequestToken: [^()]*|SDK Attempt Count: [^()]*)\)`)

// plainText returns a reason in one line, without those parts.
func plainText(reason string) string {
	if inner := handlerMessage.FindStringSubmatch(reason); inner != nil {
		reason = inner[1]
	}
	return strings.Join(strings.Fields(sdkDetails.ReplaceAllString(reason, "")), " ")
}

// withAdvice sets the advice according to the reason.
func (e *FailedError) withAdvice() *FailedError {
	reason, retry := e.Reason, "deploy again"
	if e.Status == "DELETE_FAILED" {
		retry = "delete again, or with force"
	}
	e.Reason = plainText(reason)
	e.why, e.retryAfter = transientCause(reason)
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(strings.ToLower(reason), part) {
				return true
			}
		}
		return false
	}
	switch {
	case e.retryAfter > 0:
		e.Advice = e.why + ", which is temporary: " + retry + " in some minutes"
	case has("alreadyexists", "already exists", "already owned") && e.Type == "AWS::IAM::Role":
		e.Advice = "role names are unique in an account: choose another role name format (RoleNameFormat), or delete that role, then " + retry
	case has("alreadyexists", "already exists", "already owned") && e.Type == "AWS::IAM::ManagedPolicy":
		e.Advice = "policy names are unique in an account: choose another policy name format (PolicyNameFormat), or delete that policy, then " + retry
	case has("alreadyexists", "already exists", "already owned"):
		e.Advice = "delete the existing resource or choose another name, then " + retry
	case has("accessdenied", "access denied", "not authorized", "unauthorized"):
		e.Advice = "grant the deploying credentials this permission, then " + retry
	case has("limitexceeded", "limit exceeded", "quota"):
		e.Advice = "request a higher quota for the account, or delete unused resources, then " + retry
	default:
		e.Advice = "fix the cause, then " + retry
	}
	return e
}

// failure returns the error for a stack's status and reason, without advice.
func (s *session) failure(st *state) *FailedError {
	return &FailedError{Stack: s.name, Status: string(st.status), Reason: st.reason}
}

// failed returns the error for the current state of the stack, with the first resource that failed.
func (s *session) failed(st *state) error {
	e := s.failure(st)
	for _, event := range s.events {
		if !strings.HasSuffix(event.Status, "_FAILED") || event.cancelled() {
			continue
		}
		if event.ID == st.id { // the reason of a resource is more specific
			e.Reason = cmp.Or(event.Reason, e.Reason)
			continue
		}
		e.Resource, e.Type, e.Reason = event.Resource, event.Type, event.Reason
		break
	}
	e.Reason = cmp.Or(e.Reason, "CloudFormation gives no reason")
	return e.withAdvice()
}

// cancelled reports whether a resource failed only because another one did.
func (e *Event) cancelled() bool { return strings.HasSuffix(e.Reason, " cancelled") }
