package stack

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

const (
	pollEvery   = 2 * time.Second
	longestRest = 32 * time.Second // between polls that are throttled
	mostFaults  = 8                // polls in a row that fail otherwise
)

// once is for polls: they are sent again by patience, which has the clock.
func once(o *cloudformation.Options) { o.Retryer = aws.NopRetryer{} }

// patience is how a poll goes on after faults.
type patience struct {
	s      *session
	rest   time.Duration
	faults int
}

// after waits as long as the last poll's error asks for. Throttling is waited out; other faults pass only a few times.
func (p *patience) after(ctx context.Context, err error) error {
	switch {
	case err == nil:
		p.rest, p.faults = pollEvery, 0
	case ctx.Err() != nil:
		return ctx.Err()
	case isThrottled(err):
		p.rest = min(2*max(p.rest, pollEvery), longestRest)
	case isPassing(err) && p.faults < mostFaults:
		p.rest, p.faults = min(2*max(p.rest, pollEvery), longestRest), p.faults+1
	default:
		return err
	}
	return p.s.rest(ctx, p.rest)
}

// operation is something that CloudFormation does to a stack, and is waited for.
type operation struct {
	s     *session
	stack string // id
	token string // that its events carry
	last  string // id of the newest event that was looked at
}

// follow waits until the stack is settled, telling the operation's events. Nil is a stack that is gone.
func (op *operation) follow(ctx context.Context) (*state, error) {
	p := &patience{s: op.s}
	for {
		// Events are asked for after the status, so that none of a settled stack is missing.
		st, err := op.s.describe(ctx, op.stack, once)
		if err == nil {
			err = op.tell(ctx)
		}
		if err == nil && (st == nil || !st.busy()) {
			return st, nil
		}
		if err := p.after(ctx, err); err != nil {
			return st, op.s.errWaiting(ctx, err)
		}
	}
}

// tell passes on the events since the last time, oldest first.
func (op *operation) tell(ctx context.Context) error {
	events, err := op.since(ctx)
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(events) {
		told := op.s.eventOf(&e)
		op.s.events = append(op.s.events, told)
		op.s.o.Progress(told)
	}
	return nil
}

// since are the operation's events that are newer than the last one, newest first as CloudFormation has them.
func (op *operation) since(ctx context.Context) ([]types.StackEvent, error) {
	var found []types.StackEvent
	newest, page := "", (*string)(nil)
	for {
		out, err := op.s.stacks.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &op.stack, NextToken: page}, once)
		if isAbsent(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, e := range out.StackEvents {
			id := aws.ToString(e.EventId)
			if newest == "" {
				newest = id
			}
			if id == op.last {
				op.last = newest
				return found, nil
			}
			if aws.ToString(e.ClientRequestToken) == op.token {
				found = append(found, e)
			}
		}
		if page = out.NextToken; page == nil {
			op.last = newest
			return found, nil
		}
	}
}

// begin remembers which events there were before the operation.
func (s *session) begin(ctx context.Context, stack, token string) (*operation, error) {
	s.events = nil
	op := &operation{s: s, stack: stack, token: token}
	out, err := s.stacks.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &stack})
	switch {
	case isAbsent(err):
	case err != nil:
		return nil, s.errCall("read its events", err)
	case len(out.StackEvents) > 0:
		op.last = aws.ToString(out.StackEvents[0].EventId)
	}
	return op, nil
}

// join waits for what somebody else does.
func (s *session) join(ctx context.Context, st *state) error {
	s.say("waiting for another operation, " + string(st.status))
	op := &operation{s: s, stack: st.id}
	out, err := s.stacks.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &st.id})
	if err == nil && len(out.StackEvents) > 0 {
		op.token = aws.ToString(out.StackEvents[0].ClientRequestToken)
	}
	if op.token == "" {
		op.token = "none" // and no history
	}
	_, err = op.follow(ctx)
	return err
}

func (s *session) eventOf(e *types.StackEvent) Event {
	told := Event{
		Time: aws.ToTime(e.Timestamp), Resource: aws.ToString(e.LogicalResourceId), Type: aws.ToString(e.ResourceType),
		ID: aws.ToString(e.PhysicalResourceId), Status: string(e.ResourceStatus), Reason: aws.ToString(e.ResourceStatusReason),
	}
	if told.ID == aws.ToString(e.StackId) {
		told.Resource = s.name
	}
	return told
}
