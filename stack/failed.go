package stack

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// FailedError reports an operation that CloudFormation began and did not complete.
type FailedError struct {
	Stack    string
	Status   string // of the stack, now; FAILED for a change set that cannot be, which changes nothing
	Resource string // logical id of the first resource that failed; "" where no resource is to blame
	Type     string // of the resource
	Reason   string // why it failed
	Advice   string // what to do next

	why    string        // the cause ends by itself
	passes time.Duration // after so long; 0 if it does not
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
	e.why, e.passes = passingCause(reason)
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(strings.ToLower(reason), part) {
				return true
			}
		}
		return false
	}
	switch {
	case e.passes > 0:
		e.Advice = e.why + ", which passes by itself: " + again + " in some minutes"
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
