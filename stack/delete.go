package stack

import (
	"context"
	"errors"
	"slices"

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
		if err := s.removeAll(ctx, found, d); err != nil || s.o.NoWait {
			return err
		}
	}
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
	if d.KeepData {
		return found, nil
	}
	if found.table, err = s.ourTable(ctx); errors.Is(err, ErrForeign) {
		if found.table, err = nil, nil; st != nil { // which has not been completed, or holds nobody's records
			found.table, err = s.table(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	if found.table != nil && aws.ToBool(found.table.DeletionProtectionEnabled) && !d.Force {
		return nil, s.errProtected("table", "turn deletion protection off")
	}
	found.bucket, err = s.ourBucket(ctx, st)
	return found, err
}

// ourBucket is the name of the bucket, "" if there is none.
func (s *session) ourBucket(ctx context.Context, st *state) (string, error) {
	if st != nil && st.params[paramBucket] == "" {
		return "", nil
	}
	if err := s.identify(ctx); err != nil {
		return "", err
	}
	name := bucketName(s.account, s.region, s.name)
	if st != nil {
		name = st.params[paramBucket]
	}
	there, err := s.hasBucket(ctx, name)
	if err != nil || !there {
		return "", err
	}
	return name, nil
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
		var left []string
		all, listing := s.resources(ctx, found.stack.id)
		for _, r := range all {
			if r.ResourceStatus == types.ResourceStatusDeleteFailed {
				left = append(left, aws.ToString(r.LogicalResourceId))
			}
		}
		data := slices.DeleteFunc(slices.Clone(left), func(id string) bool { return id != resourceTable && id != resourceBucket })
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
			s.say("giving up what CloudFormation cannot delete")
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
