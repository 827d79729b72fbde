package stack

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// state is what CloudFormation says of a stack. A nil state is no stack.
type state struct {
	id, name              string
	status                types.StackStatus
	reason                string
	created, updated      time.Time
	protected             bool
	params, tags, outputs map[string]string
}

func stateOf(of *types.Stack) *state {
	st := &state{
		id: aws.ToString(of.StackId), name: aws.ToString(of.StackName),
		status: of.StackStatus, reason: aws.ToString(of.StackStatusReason),
		created: aws.ToTime(of.CreationTime), protected: aws.ToBool(of.EnableTerminationProtection),
		params: map[string]string{}, tags: map[string]string{}, outputs: map[string]string{},
	}
	if st.updated = st.created; of.LastUpdatedTime != nil {
		st.updated = *of.LastUpdatedTime
	}
	for _, p := range of.Parameters {
		st.params[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	for _, t := range of.Tags {
		st.tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	for _, o := range of.Outputs {
		st.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return st
}

// describe asks for a stack by its name or its id; nil if there is none. One that was deleted is there under its id only.
func (s *session) describe(ctx context.Context, which string, options ...func(*cloudformation.Options)) (*state, error) {
	out, err := s.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &which}, options...)
	switch {
	case isAbsent(err):
		return nil, nil
	case err != nil:
		return nil, err
	case len(out.Stacks) == 0 || out.Stacks[0].StackStatus == types.StackStatusDeleteComplete:
		return nil, nil
	}
	return stateOf(&out.Stacks[0]), nil
}

// mine is the stack of the session's name; nil if there is none. One that somebody else made is an error.
func (s *session) mine(ctx context.Context) (*state, error) {
	st, err := s.describe(ctx, s.name)
	switch {
	case err != nil:
		return nil, s.errCall("look at the stack", err)
	case st == nil || st.ours() || s.o.Adopt && st.known():
		return st, nil
	case st.known():
		return nil, s.errForeign("stack", "which another tool has made of this program's template; deploy with --adopt (Options.Adopt) to take it over, "+
			"or use that tool")
	}
	return nil, s.errForeign("stack", "and this program did not make it")
}

// known reports whether the stack has the parameters of this package's template.
func (st *state) known() bool {
	_, known := st.params[paramCodeKey]
	return known
}

// ours tells whether this package made the stack. The Python library's stacks have the same tag and other parameters;
// of a stack under review nothing can be told.
func (st *state) ours() bool {
	reviewed := st.status == types.StackStatusReviewInProgress || st.status == types.StackStatusDeleteInProgress && len(st.params) == 0
	return reviewed || st.tags[tagManagedBy] == managedBy && st.known()
}

// busy tells whether somebody is at work on the stack. Review is not work: it is what the change set of a new stack
// leaves behind.
func (st *state) busy() bool {
	return strings.HasSuffix(string(st.status), "_IN_PROGRESS") && st.status != types.StackStatusReviewInProgress
}

// stillborn tells whether the stack never came to be, so that it can only be deleted.
func (st *state) stillborn() bool {
	switch st.status {
	case types.StackStatusRollbackComplete, types.StackStatusRollbackFailed, types.StackStatusCreateFailed:
		return true
	case types.StackStatusImportRollbackComplete, types.StackStatusImportRollbackFailed:
		return len(st.outputs) == 0 // of an import, which is how a stack over an earlier one's table begins
	}
	return false
}

// complete tells whether the last operation did what it was to do.
func (st *state) complete() bool {
	switch st.status {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusImportComplete:
		return true
	}
	return false
}

// health sums a status up.
func health(status types.StackStatus) string {
	text := string(status)
	switch {
	case strings.HasSuffix(text, "_IN_PROGRESS"):
		return "in progress"
	case strings.HasSuffix(text, "_FAILED"), status == types.StackStatusRollbackComplete:
		return "failed"
	}
	return "healthy"
}

// settings are the parameters that the stack has, and its protection; nil where there is no stack.
func (st *state) settings() map[string]string {
	if st.id == "" {
		return nil
	}
	all := maps.Clone(st.params)
	all[paramTermination] = strconv.FormatBool(st.protected)
	return all
}
