package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	dynamo "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// removal is how a stack is deleted.
type removal struct {
	retain []string // resources that could not be deleted, and may stay
	mode   types.DeletionMode
	wait   bool // also where the caller does not want to
}

// doomed is what a deletion finds.
type doomed struct {
	stack  *state
	table  *dynamo.TableDescription
	bucket string
}

func (s *session) delete(ctx context.Context, d DeleteOptions) error {
	found, err := s.find(ctx, d)
	if err != nil {
		return err
	}
	if d.Force {
		if err := s.unprotect(ctx, found); err != nil {
			return err
		}
	}
	if found.stack != nil {
		s.say("deleting the stack " + s.name)
		if err := s.removeAll(ctx, found, d); err != nil || s.o.NoWait {
			return err
		}
	}
	return s.drop(ctx, found)
}

// drop deletes table and bucket.
func (s *session) drop(ctx context.Context, found *doomed) error {
	if found.table != nil {
		if err := s.dropTable(ctx); err != nil {
			return err
		}
	}
	if found.bucket != "" {
		return s.dropBucket(ctx, found.bucket)
	}
	return nil
}

// find looks for what there is to delete, and refuses what is protected.
func (s *session) find(ctx context.Context, d DeleteOptions) (*doomed, error) {
	st, err := s.quiet(ctx)
	if err != nil {
		return nil, err
	}
	found := &doomed{stack: st}
	if st != nil && st.protected && !d.Force {
		return nil, s.errProtected("stack", "turn termination protection off")
	}
	if found.table, err = s.ownTable(ctx, st, d.KeepData); err != nil {
		return nil, err
	}
	if d.KeepData {
		found.table = nil
		return found, nil
	}
	if found.table != nil && aws.ToBool(found.table.DeletionProtectionEnabled) && !d.Force {
		return nil, s.errProtected("table", "turn deletion protection off")
	}
	found.bucket, err = s.ourBucket(ctx, st)
	return found, err
}

// ownTable is the table of the stack, nil if there is none: the one among its resources, or one whose schema record names the
// stack. Any other table of the name is left alone, and without a stack that is an error, since a deletion that did nothing
// must not look like one. The stack's name is written into the table, so that it is known for the stack's also when that
// has gone: to the call that completes this one, and to the deployment that takes the table in again.
func (s *session) ownTable(ctx context.Context, st *state, keep bool) (*dynamo.TableDescription, error) {
	table, err := s.table(ctx)
	if err != nil || table == nil {
		return nil, err
	}
	found, err := s.record(ctx)
	if err == nil {
		err = s.checkVersion(found)
	}
	switch {
	case err != nil:
		return nil, err
	case found.stack == s.name:
		return table, nil
	case st == nil && keep:
		return nil, nil
	case st == nil:
		return nil, s.errLeftAlone(found)
	}
	all, err := s.resources(ctx, st.id)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(all, func(r types.StackResourceSummary) bool {
		return aws.ToString(r.LogicalResourceId) == resourceTable && aws.ToString(r.PhysicalResourceId) == s.name && has(r)
	}) {
		s.say("the table " + s.name + " is not this stack's, and is left alone")
		return nil, nil
	}
	if err := s.write(ctx, s.name); err != nil {
		s.say("it could not be noted in the table that it is this stack's: " + plain(err.Error()))
	}
	return table, nil
}

// ourBucket is the name of the bucket, "" if there is none. A stack that has none may have had one.
func (s *session) ourBucket(ctx context.Context, st *state) (string, error) {
	if st == nil {
		return s.oldBucket(ctx, "")
	}
	return s.oldBucket(ctx, st.params[paramBucket])
}

// quiet is the stack once nobody is at work on it.
func (s *session) quiet(ctx context.Context) (*state, error) {
	for {
		st, err := s.mine(ctx)
		if err != nil || st == nil || !st.busy() {
			return st, err
		}
		if err := s.join(ctx, st); err != nil {
			return nil, err
		}
	}
}

func (s *session) unprotect(ctx context.Context, found *doomed) error {
	if found.stack != nil && found.stack.protected {
		s.say("taking termination protection off the stack")
		_, err := s.stacks.UpdateTerminationProtection(ctx, &cloudformation.UpdateTerminationProtectionInput{
			StackName: &found.stack.id, EnableTerminationProtection: aws.Bool(false),
		})
		if err != nil {
			return s.errCall("take termination protection off", err)
		}
	}
	if found.table != nil && aws.ToBool(found.table.DeletionProtectionEnabled) {
		return s.unprotectTable(ctx)
	}
	return nil
}

// removeAll deletes the stack. A bucket that kept it from going is emptied, or left if its data are to be kept; whatever
// else does is given up where that is wanted.
func (s *session) removeAll(ctx context.Context, found *doomed, d DeleteOptions) error {
	how, emptied := removal{}, false
	for {
		err := s.remove(ctx, found.stack, how)
		var failed *FailedError
		if !errors.As(err, &failed) {
			return err
		}
		var left, data []string
		all, listing := s.resources(ctx, found.stack.id)
		for _, r := range all {
			if r.ResourceStatus != types.ResourceStatusDeleteFailed {
				continue
			}
			id := aws.ToString(r.LogicalResourceId)
			if id == resourceTable || id == resourceBucket {
				data = append(data, id)
			}
			left = append(left, fmt.Sprintf("%s (%s) %s", id, aws.ToString(r.ResourceType), aws.ToString(r.PhysicalResourceId)))
		}
		switch {
		case listing != nil:
			return errors.Join(err, listing)
		case d.KeepData && len(data) > 0 && how.retain == nil:
			how.retain = data
		case found.bucket != "" && slices.Contains(data, resourceBucket) && !emptied:
			emptied = true
			if err := s.dropBucket(ctx, found.bucket); err != nil {
				return err
			}
		case d.Force && how.mode == "":
			s.say("CloudFormation cannot delete, and you have to: " + strings.Join(left, ", "))
			how.mode = types.DeletionModeForceDeleteStack
		default:
			return err
		}
	}
}

// remove deletes a stack and waits until it is gone, unless nobody wants to wait.
func (s *session) remove(ctx context.Context, st *state, how removal) error {
	op, err := s.begin(ctx, st.id, token())
	if err != nil {
		return err
	}
	_, err = s.stacks.DeleteStack(ctx, &cloudformation.DeleteStackInput{
		StackName: &st.id, ClientRequestToken: &op.token, RetainResources: how.retain, DeletionMode: how.mode,
	})
	if err != nil || s.o.NoWait && !how.wait {
		return s.errCall("delete the stack", err)
	}
	now, err := op.follow(ctx)
	if err != nil || now == nil {
		return err
	}
	return s.failed(now)
}

// undeleted is the failure of a stack that could not be deleted, some time ago.
func (s *session) undeleted(ctx context.Context, st *state) error {
	e := &FailedError{Stack: s.name, Status: string(st.status), Reason: st.reason}
	all, err := s.resources(ctx, st.id)
	for _, r := range all {
		if r.ResourceStatus == types.ResourceStatusDeleteFailed {
			e.Resource, e.Type = aws.ToString(r.LogicalResourceId), aws.ToString(r.ResourceType)
			e.Reason = aws.ToString(r.ResourceStatusReason)
			break
		}
	}
	return errors.Join(e.advised(), err)
}
