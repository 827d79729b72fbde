package stack

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// proposal holds the arguments of a change set.
type proposal struct {
	kind     types.ChangeSetType
	template string // empty for the stack's current template
	params   []types.Parameter
	tags     map[string]string
	imports  []types.ResourceToImport
}

// changeSet is a change set that CloudFormation has created.
type changeSet struct {
	id, stack string // ARNs
	changes   []Change
}

// createChangeSet creates a change set and waits until CloudFormation has computed the changes. It returns nil if there are
// none. It deletes a change set that is empty or rejected.
func (s *session) createChangeSet(ctx context.Context, p *proposal) (*changeSet, error) {
	in := &cloudformation.CreateChangeSetInput{
		StackName: &s.name, ChangeSetName: aws.String(token()), ClientToken: aws.String(token()),
		ChangeSetType: p.kind, Parameters: p.params, ResourcesToImport: p.imports,
		Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam},
	}
	if in.TemplateBody = &p.template; p.template == "" {
		in.TemplateBody, in.UsePreviousTemplate = nil, aws.Bool(true)
	}
	for _, key := range slices.Sorted(maps.Keys(p.tags)) {
		in.Tags = append(in.Tags, types.Tag{Key: &key, Value: aws.String(p.tags[key])})
	}
	created, err := s.stacks.CreateChangeSet(ctx, in)
	switch {
	case isUnchanged(err):
		return nil, nil
	case isBusy(err):
		return nil, errBusy
	case isAbsent(err) && p.kind == types.ChangeSetTypeUpdate:
		return nil, s.errGone()
	case err != nil:
		return nil, s.errCall("create a change set", err)
	}
	c := &changeSet{id: aws.ToString(created.Id), stack: aws.ToString(created.StackId)}
	reason, err := s.awaitChangeSet(ctx, c)
	if err == nil && reason == "" {
		return c, nil
	}
	if err == nil && !meansUnchanged(reason) {
		err = s.changeSetError(ctx, c, reason)
	}
	return nil, errors.Join(err, s.discard(ctx, c, p.kind))
}

// awaitChangeSet waits until a change set is complete. The reason is not empty if CloudFormation rejects it.
func (s *session) awaitChangeSet(ctx context.Context, c *changeSet) (reason string, err error) {
	p := &poller{s: s}
	for {
		var out *cloudformation.DescribeChangeSetOutput
		out, err = s.stacks.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: &c.id, StackName: &c.stack}, noRetries)
		switch {
		case isBusy(err), isAbsent(err):
			return "", errBusy
		case err != nil:
		case out.Status == types.ChangeSetStatusCreateComplete:
			return "", s.readChanges(ctx, c, out)
		case out.Status == types.ChangeSetStatusFailed:
			return cmp.Or(aws.ToString(out.StatusReason), "CloudFormation gives no reason"), nil
		}
		if err := p.wait(ctx, err); err != nil {
			return "", s.errWaiting(ctx, stoppedChangeSet, err)
		}
	}
}

// readChanges reads the changes of a change set, page by page.
func (s *session) readChanges(ctx context.Context, c *changeSet, page *cloudformation.DescribeChangeSetOutput) error {
	for {
		for i := range page.Changes {
			if r := page.Changes[i].ResourceChange; r != nil {
				c.changes = append(c.changes, changeOf(r))
			}
		}
		if page.NextToken == nil {
			return nil
		}
		next, err := s.stacks.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{
			ChangeSetName: &c.id, StackName: &c.stack, NextToken: page.NextToken,
		})
		if err != nil {
			return s.errCall("read the change set", err)
		}
		page = next
	}
}

func changeOf(r *types.ResourceChange) Change {
	change := Change{
		Action: string(r.Action), Resource: aws.ToString(r.LogicalResourceId), Type: aws.ToString(r.ResourceType),
		ID: aws.ToString(r.PhysicalResourceId), Replacement: string(r.Replacement),
	}
	for _, d := range r.Details {
		if d.Target == nil {
			continue
		}
		name := cmp.Or(aws.ToString(d.Target.Name), string(d.Target.Attribute))
		if !slices.Contains(change.Properties, name) {
			change.Properties = append(change.Properties, name)
		}
	}
	slices.Sort(change.Properties)
	return change
}

// changeSetError returns the error for a rejected change set. Validations that run before any resource changes report their
// results as events.
func (s *session) changeSetError(ctx context.Context, c *changeSet, reason string) error {
	failed := &FailedError{Stack: s.name, Status: string(types.ChangeSetStatusFailed), Reason: reason}
	out, err := s.stacks.DescribeEvents(ctx, &cloudformation.DescribeEventsInput{ChangeSetName: &c.id, StackName: &c.stack}, noRetries)
	if err == nil {
		for _, e := range out.OperationEvents {
			if text := aws.ToString(e.ValidationStatusReason); text != "" && e.ValidationStatus == types.ValidationStatusFailed {
				failed.Resource, failed.Type, failed.Reason = aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceType), text
				break
			}
		}
	}
	return failed.withAdvice()
}

// cleanupTimeout bounds the cleanup after the caller's context is done.
const cleanupTimeout = time.Minute

// discard deletes a change set, and the empty stack that the change set of a new stack has created.
func (s *session) discard(ctx context.Context, c *changeSet, kind types.ChangeSetType) error {
	// The cleanup must also happen if the caller has given up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	_, err := s.stacks.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{ChangeSetName: &c.id, StackName: &c.stack})
	if err != nil && !isBusy(err) && !isAbsent(err) {
		return s.errCall("delete a change set", err)
	}
	if kind == types.ChangeSetTypeUpdate {
		return nil
	}
	st, err := s.describe(ctx, c.stack)
	if err != nil || st == nil || st.status != types.StackStatusReviewInProgress {
		return s.errCall("look at the stack", err)
	}
	return s.requestDeletion(ctx, st, stackDeletion{always: true})
}

// execute executes a change set and waits for the result, unless NoWait is set.
func (s *session) execute(ctx context.Context, c *changeSet) (*state, error) {
	op, err := s.startOperation(ctx, c.stack, token())
	if err != nil {
		return nil, err
	}
	_, err = s.stacks.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{
		ChangeSetName: &c.id, StackName: &c.stack, ClientRequestToken: &op.token,
	})
	if isBusy(err) || isAbsent(err) {
		return nil, errors.Join(errBusy, s.discard(ctx, c, types.ChangeSetTypeUpdate))
	}
	if err != nil {
		return nil, s.errCall("execute the change set", err)
	}
	s.changes = append(s.changes, c.changes...)
	if s.o.NoWait {
		st, err := s.describe(ctx, c.stack)
		return st, s.errCall("look at the stack", err)
	}
	st, err := op.await(ctx)
	switch {
	case err != nil:
		return nil, err
	case st == nil:
		return nil, s.errGone()
	case !st.complete():
		return nil, s.failed(st)
	}
	return st, nil
}

// token returns a random token, which marks a request and its events.
func token() string { return changeSetsPrefix + strings.ToLower(rand.Text()) }
