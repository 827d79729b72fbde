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
			s.say("removing what an earlier deployment left that failed, " + string(st.status))
			err = s.remove(ctx, st, removal{wait: true})
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
