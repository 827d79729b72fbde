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

// stackDeletion holds the arguments of a deletion.
type stackDeletion struct {
	retain []string // resources that could not be deleted and are kept
	mode   types.DeletionMode
	always bool // wait even with NoWait
}

// deletionTargets are the stack, the table and the bucket to delete; nil and empty for those that do not exist.
type deletionTargets struct {
	stack  *state
	table  *dynamo.TableDescription
	bucket string
}

func (d *deletionTargets) hasData() bool { return d.table != nil || d.bucket != "" }

func (s *session) delete(ctx context.Context, d DeleteOptions) error {
	found, err := s.findTargets(ctx, d)
	if err != nil {
		return err
	}
	if d.Force {
		if err := s.unprotect(ctx, found); err != nil {
			return err
		}
	}
	if found.stack != nil {
		s.report("deleting the stack " + s.name)
		if err := s.deleteStack(ctx, found, d); err != nil || s.o.NoWait {
			return err
		}
		if found.hasData() && s.appeared(ctx, found.stack) {
			return s.errDeployedAgain()
		}
	}
	return s.deleteData(ctx, found)
}

// deleteData deletes the table and the bucket.
func (s *session) deleteData(ctx context.Context, found *deletionTargets) error {
	if found.table != nil {
		if err := s.deleteTable(ctx, found.table); err != nil {
			return err
		}
	}
	if found.bucket != "" {
		return s.deleteBucket(ctx, found.bucket)
	}
	return nil
}

// findTargets returns what there is to delete. It fails if the stack or the table is protected and Force is not set.
func (s *session) findTargets(ctx context.Context, d DeleteOptions) (*deletionTargets, error) {
	st, err := s.awaitIdle(ctx)
	if err != nil {
		return nil, err
	}
	found := &deletionTargets{stack: st}
	if st != nil && st.protected && !d.Force {
		return nil, s.errProtected("stack", "turn off termination protection")
	}
	if found.table, err = s.tableToDelete(ctx, st, d.KeepData); err != nil {
		return nil, err
	}
	if d.KeepData {
		found.table = nil
		return found, nil
	}
	if found.table != nil && aws.ToBool(found.table.DeletionProtectionEnabled) && !d.Force {
		return nil, s.errProtected("table", "turn off deletion protection")
	}
	named := ""
	if st != nil {
		named = st.params[paramBucket] // empty if the stack has none; an earlier stack may have had one
	}
	found.bucket, err = s.existingBucket(ctx, named)
	if err == nil && st == nil && found.hasData() && s.appeared(ctx, nil) {
		return s.findTargets(ctx, d) // somebody has deployed meanwhile: without its data, the stack would be of no use
	}
	return found, err
}

// tableToDelete returns the table of the stack, nil if there is none: either a resource of the stack, or a table whose schema
// record has the name of the stack. It ignores any other table of the name; without a stack that is an error, since the
// deletion would silently do nothing. It writes the name of the stack into the table, so that the table is recognized after
// the stack is gone: by the call that completes this one, and by the deployment that adopts the table.
func (s *session) tableToDelete(ctx context.Context, st *state, keep bool) (*dynamo.TableDescription, error) {
	table, err := s.waitTableReady(ctx) // the records of a table in deletion cannot be read
	if err != nil || table == nil {
		return nil, err
	}
	found, err := s.readSupported(ctx)
	switch {
	case err != nil:
		return nil, err
	case found.stack == s.name:
		return table, nil
	case st == nil && keep:
		return nil, nil
	case st == nil:
		return nil, fmt.Errorf("%w: nothing was deleted: there is no stack %s, and the table %s exists, %s: delete it with the tool that created it, "+
			"or run: aws dynamodb delete-table --table-name %s --region %s", ErrForeign, s.name, s.name, s.describeOwner(found), s.name, s.region)
	}
	all, err := s.resources(ctx, st.id)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(all, func(r types.StackResourceSummary) bool {
		return aws.ToString(r.LogicalResourceId) == resourceTable && aws.ToString(r.PhysicalResourceId) == s.name && ownsResource(r)
	}) {
		s.report("the table " + s.name + " does not belong to this stack and is not deleted")
		return nil, nil
	}
	if err := s.writeRecord(ctx, s.name); err != nil {
		s.report("could not write the name of the stack into the table: " + plainText(err.Error()))
	}
	return table, nil
}

// awaitIdle waits until no operation is in progress on the stack, and returns the stack; nil if there is none.
func (s *session) awaitIdle(ctx context.Context) (*state, error) {
	for {
		st, err := s.ownStack(ctx)
		if err != nil || st == nil || !st.busy() {
			return st, err
		}
		if err := s.awaitOther(ctx, st); err != nil {
			return nil, err
		}
	}
}

func (s *session) unprotect(ctx context.Context, found *deletionTargets) error {
	if found.stack != nil && found.stack.protected {
		s.report("turning off termination protection of the stack")
		_, err := s.stacks.UpdateTerminationProtection(ctx, &cloudformation.UpdateTerminationProtectionInput{
			StackName: &found.stack.id, EnableTerminationProtection: aws.Bool(false),
		})
		if err != nil {
			return s.errCall("turn off termination protection", err)
		}
	}
	if found.table != nil && aws.ToBool(found.table.DeletionProtectionEnabled) {
		return s.unprotectTable(ctx)
	}
	return nil
}

// deleteStack deletes the stack. If the bucket prevents that, it is deleted first, or kept with KeepData. Other resources that
// cannot be deleted are abandoned with Force.
func (s *session) deleteStack(ctx context.Context, found *deletionTargets, d DeleteOptions) error {
	how, emptied := stackDeletion{}, false
	for {
		err := s.requestDeletion(ctx, found.stack, how)
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
			if err := s.deleteBucket(ctx, found.bucket); err != nil {
				return err
			}
		case d.Force && how.mode == "":
			s.report("CloudFormation cannot delete these resources, delete them yourself: " + strings.Join(left, ", "))
			how.mode = types.DeletionModeForceDeleteStack
		default:
			return err
		}
	}
}

// requestDeletion deletes a stack and waits until it is gone, unless NoWait is set.
func (s *session) requestDeletion(ctx context.Context, st *state, how stackDeletion) error {
	op, err := s.startOperation(ctx, st.id, token())
	if err != nil {
		return err
	}
	_, err = s.stacks.DeleteStack(ctx, &cloudformation.DeleteStackInput{
		StackName: &st.id, ClientRequestToken: &op.token, RetainResources: how.retain, DeletionMode: how.mode,
	})
	if err != nil || s.o.NoWait && !how.always {
		return s.errCall("delete the stack", err)
	}
	now, err := op.await(ctx)
	if err != nil || now == nil {
		return err
	}
	return s.failed(now)
}

// deleteFailedError returns the error for a stack whose earlier deletion failed.
func (s *session) deleteFailedError(ctx context.Context, st *state) error {
	e := s.failure(st)
	all, err := s.resources(ctx, st.id)
	for _, r := range all {
		if r.ResourceStatus == types.ResourceStatusDeleteFailed {
			e.Resource, e.Type = aws.ToString(r.LogicalResourceId), aws.ToString(r.ResourceType)
			e.Reason = aws.ToString(r.ResourceStatusReason)
			break
		}
	}
	return errors.Join(e.withAdvice(), err)
}
