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

// state describes a stack as CloudFormation reports it. A nil state means that there is no stack.
type state struct {
	id, name              string
	status                types.StackStatus
	reason                string
	created, updated      time.Time
	protected             bool
	params, tags, outputs map[string]string
}

func newState(of *types.Stack) *state {
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

// describe reads a stack by its name or its id; nil if there is none. A deleted stack can only be found by its id.
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
	return newState(&out.Stacks[0]), nil
}

// ownStack returns the stack of the session's name; nil if there is none. The stack of another tool is an error.
func (s *session) ownStack(ctx context.Context) (*state, error) {
	st, err := s.describe(ctx, s.name)
	switch {
	case err != nil:
		return nil, s.errCall("read the stack", err)
	case st == nil || st.managed() || s.o.Adopt && st.hasTemplate():
		return st, nil
	case st.hasTemplate():
		return nil, s.errForeign("stack", "created by another tool with this program's template: adopt it with --adopt (Options.Adopt), "+
			"or use that tool")
	}
	return nil, s.errForeign("stack", "and this program did not create it")
}

// hasTemplate reports whether the stack has the parameters of this package's template.
func (st *state) hasTemplate() bool {
	_, known := st.params[paramCodeKey]
	return known
}

// managed reports whether this package has created the stack. Stacks of the Python library have the same tag, but other
// parameters. A stack under review has neither, and counts as managed.
func (st *state) managed() bool {
	reviewed := st.status == types.StackStatusReviewInProgress || st.status == types.StackStatusDeleteInProgress && len(st.params) == 0
	return reviewed || st.tags[tagManagedBy] == managedBy && st.hasTemplate()
}

// busy reports whether an operation is in progress. A stack under review is not busy: the change set of a new stack leaves it
// in this status.
func (st *state) busy() bool {
	return strings.HasSuffix(string(st.status), "_IN_PROGRESS") && st.status != types.StackStatusReviewInProgress
}

// neverCreated reports whether the creation of the stack failed, so that it can only be deleted.
func (st *state) neverCreated() bool {
	switch st.status {
	case types.StackStatusRollbackComplete, types.StackStatusRollbackFailed, types.StackStatusCreateFailed:
		return true
	case types.StackStatusImportRollbackComplete, types.StackStatusImportRollbackFailed:
		return len(st.outputs) == 0 // the failed import was the creation of the stack
	}
	return false
}

// complete reports whether the last operation succeeded.
func (st *state) complete() bool {
	switch st.status {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusImportComplete:
		return true
	}
	return false
}

// health summarizes a status.
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

// settings returns the parameters of the stack and its termination protection; nil if there is no stack.
func (st *state) settings() map[string]string {
	if st.id == "" {
		return nil
	}
	all := maps.Clone(st.params)
	all[paramTermination] = strconv.FormatBool(st.protected)
	return all
}
