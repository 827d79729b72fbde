package stack

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// waitStable brings the stack into a state in which it can be updated: it waits for other operations, and cleans up after
// failed ones. It returns nil if there is no stack, or only the empty one that the change set of a new stack has created.
func (s *session) waitStable(ctx context.Context) (*state, error) {
	continued := false
	for attempt := 0; ; attempt++ {
		st, err := s.ownStack(ctx)
		switch {
		case err != nil || st == nil:
			return nil, err
		case attempt == maxAttempts:
			return nil, (&FailedError{Stack: s.name, Status: string(st.status), Reason: "the stack does not become stable"}).withAdvice()
		case st.busy():
			err = s.awaitOther(ctx, st)
		case st.status == types.StackStatusReviewInProgress:
			return nil, nil
		case st.neverCreated():
			err = s.cleanUpFailed(ctx, st)
		case st.status == types.StackStatusUpdateRollbackFailed:
			err = s.continueRollback(ctx, st, continued)
			continued = true
		case st.status == types.StackStatusDeleteFailed:
			return nil, s.deleteFailedError(ctx, st)
		default:
			return st, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// cleanUpFailed deletes a stack whose creation failed, and the table and the bucket that it created. The rollback cannot delete
// a table that is protected from deletion, and the deletion of a stack keeps both (with DeletionPolicy RetainExceptOnCreate,
// only the rollback of the operation that created a resource deletes it).
func (s *session) cleanUpFailed(ctx context.Context, st *state) error {
	s.report("deleting the remains of a failed deployment, " + string(st.status))
	created, err := s.createdData(ctx, st)
	if err != nil {
		return err
	}
	if created.table != nil && aws.ToBool(created.table.DeletionProtectionEnabled) {
		if err := s.unprotectTable(ctx); err != nil {
			return err
		}
	}
	if err := s.deleteData(ctx, created); err != nil {
		return err
	}
	return s.requestDeletion(ctx, st, stackDeletion{always: true}) // last: an interrupted cleanup begins again with its resources
}

// createdData returns the table and the bucket that the failed creation of a stack has created. It does not return a table with
// a schema record, since somebody may use it. An import creates nothing.
func (s *session) createdData(ctx context.Context, st *state) (*deletionTargets, error) {
	found := &deletionTargets{}
	switch st.status {
	case types.StackStatusImportRollbackComplete, types.StackStatusImportRollbackFailed:
		return found, nil
	}
	all, err := s.resources(ctx, st.id)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		switch id, name := aws.ToString(r.LogicalResourceId), aws.ToString(r.PhysicalResourceId); {
		case !ownsResource(r):
		case id == resourceTable && name == s.name:
			if found.table, err = s.waitTableReady(ctx); err != nil {
				return nil, err
			}
			if used, err := s.readRecord(ctx); err != nil {
				return nil, err
			} else if used != (schemaRecord{}) {
				found.table = nil
			}
		case id == resourceBucket:
			exists, err := s.bucketExists(ctx, name)
			if err != nil {
				return nil, err
			}
			if exists {
				found.bucket = name
			}
		}
	}
	return found, nil
}

// ownsResource reports whether a resource belongs to its stack. A resource that could not be created may exist under the same
// name and belong to somebody else.
func ownsResource(r types.StackResourceSummary) bool {
	switch r.ResourceStatus {
	case types.ResourceStatusCreateFailed, types.ResourceStatusDeleteComplete, types.ResourceStatusImportFailed, types.ResourceStatusImportRollbackComplete:
		return false
	}
	return aws.ToString(r.PhysicalResourceId) != ""
}

// continueRollback continues a failed rollback. With skip, it skips the resources that made the last continuation fail, except
// the table and the bucket. CloudFormation does not accept others, such as those that made the update fail.
func (s *session) continueRollback(ctx context.Context, st *state, skip bool) error {
	in := &cloudformation.ContinueUpdateRollbackInput{StackName: &st.id, ClientRequestToken: aws.String(token())}
	text := "continuing a rollback that failed"
	if skip {
		for _, e := range s.events {
			if e.Status == string(types.ResourceStatusUpdateFailed) && !e.cancelled() && e.Resource != resourceTable && e.Resource != resourceBucket {
				in.ResourcesToSkip = append(in.ResourcesToSkip, e.Resource)
				text += ", skipping " + e.Resource
			}
		}
		if in.ResourcesToSkip == nil {
			return s.failure(st).withAdvice()
		}
	}
	s.report(text)
	op, err := s.startOperation(ctx, st.id, *in.ClientRequestToken)
	if err != nil {
		return err
	}
	if _, err := s.stacks.ContinueUpdateRollback(ctx, in); err != nil {
		return s.errCall("continue the rollback", err)
	}
	_, err = op.await(ctx)
	return err
}

func (s *session) resources(ctx context.Context, stack string) ([]types.StackResourceSummary, error) {
	var all []types.StackResourceSummary
	for page := (*string)(nil); ; {
		out, err := s.stacks.ListStackResources(ctx, &cloudformation.ListStackResourcesInput{StackName: &stack, NextToken: page})
		if err != nil {
			return nil, s.errCall("list the resources", err)
		}
		all = append(all, out.StackResourceSummaries...)
		if page = out.NextToken; page == nil {
			return all, nil
		}
	}
}
