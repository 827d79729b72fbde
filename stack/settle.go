package stack

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// settle brings the stack into a state from which it can be changed, and returns it; nil where there is none, or only
// the empty shell that a change set of a new one has left.
func (s *session) settle(ctx context.Context) (*state, error) {
	for turn := 0; ; turn++ {
		st, err := s.mine(ctx)
		switch {
		case err != nil || st == nil:
			return nil, err
		case turn == mostTurns:
			return nil, (&FailedError{Stack: s.name, Status: string(st.status), Reason: "it does not come to rest"}).advised()
		case st.busy():
			err = s.join(ctx, st)
		case st.status == types.StackStatusReviewInProgress:
			return nil, nil
		case st.stillborn():
			err = s.clearAway(ctx, st)
		case st.status == types.StackStatusUpdateRollbackFailed:
			err = s.rollOn(ctx, st, turn > 0)
		case st.status == types.StackStatusDeleteFailed:
			return nil, s.undeleted(ctx, st)
		default:
			return st, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// clearAway removes a stack that never came to be, and the table and the bucket that it made: of a table that is protected
// from deletion the rollback cannot get rid, and the deletion of a stack keeps both (DeletionPolicy RetainExceptOnCreate:
// only the rollback of the operation that made a resource deletes it).
func (s *session) clearAway(ctx context.Context, st *state) error {
	s.say("removing what an earlier deployment left that failed, " + string(st.status))
	made, err := s.made(ctx, st)
	if err != nil {
		return err
	}
	if made.table != nil && aws.ToBool(made.table.DeletionProtectionEnabled) {
		if err := s.unprotectTable(ctx); err != nil {
			return err
		}
	}
	if err := s.remove(ctx, st, removal{wait: true}); err != nil {
		return err
	}
	return s.drop(ctx, made)
}

// made is what there is of the table and the bucket that the creation of a stack has made. A table that has a schema record
// is not among them: somebody may use it. An import makes nothing.
func (s *session) made(ctx context.Context, st *state) (*doomed, error) {
	found := &doomed{}
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
		case !has(r):
		case id == resourceTable && name == s.name:
			if found.table, err = s.table(ctx); err != nil || found.table == nil {
				return found, err
			}
			if used, err := s.record(ctx); err != nil {
				return nil, err
			} else if used != (schemaRecord{}) {
				found.table = nil
			}
		case id == resourceBucket:
			there, err := s.hasBucket(ctx, name)
			if err != nil {
				return nil, err
			}
			if there {
				found.bucket = name
			}
		}
	}
	return found, nil
}

// has reports whether a resource is a stack's: what could not be created may be somebody else's of the same name.
func has(r types.StackResourceSummary) bool {
	switch r.ResourceStatus {
	case types.ResourceStatusCreateFailed, types.ResourceStatusDeleteComplete, types.ResourceStatusImportFailed, types.ResourceStatusImportRollbackComplete:
		return false
	}
	return aws.ToString(r.PhysicalResourceId) != ""
}

// rollOn goes on with a rollback that got stuck. The second time it leaves out what got it stuck, but never data.
func (s *session) rollOn(ctx context.Context, st *state, leaveOut bool) error {
	in := &cloudformation.ContinueUpdateRollbackInput{StackName: &st.id, ClientRequestToken: aws.String(token())}
	text := "going on with a rollback that failed"
	if leaveOut {
		all, err := s.resources(ctx, st.id)
		if err != nil {
			return err
		}
		for _, r := range all {
			id := aws.ToString(r.LogicalResourceId)
			if r.ResourceStatus == types.ResourceStatusUpdateFailed && id != resourceTable && id != resourceBucket {
				in.ResourcesToSkip = append(in.ResourcesToSkip, id)
				text += ", leaving out " + id
			}
		}
		if in.ResourcesToSkip == nil {
			return (&FailedError{Stack: s.name, Status: string(st.status), Reason: st.reason}).advised()
		}
	}
	s.say(text)
	op, err := s.begin(ctx, st.id, *in.ClientRequestToken)
	if err != nil {
		return err
	}
	if _, err := s.stacks.ContinueUpdateRollback(ctx, in); err != nil {
		return s.errCall("go on with the rollback", err)
	}
	_, err = op.follow(ctx)
	return err
}

func (s *session) resources(ctx context.Context, stack string) ([]types.StackResourceSummary, error) {
	var all []types.StackResourceSummary
	for page := (*string)(nil); ; {
		out, err := s.stacks.ListStackResources(ctx, &cloudformation.ListStackResourcesInput{StackName: &stack, NextToken: page})
		if err != nil {
			return nil, s.errCall("list its resources", err)
		}
		all = append(all, out.StackResourceSummaries...)
		if page = out.NextToken; page == nil {
			return all, nil
		}
	}
}
