package stack

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

const (
	pollEvery   = 2 * time.Second
	maxInterval = 32 * time.Second // between polls that are throttled or fail
	maxFailures = 8                // polls in a row that fail for a reason other than throttling
	maxDoubts   = 10               // polls of a status that no event confirms
)

// noRetries turns off the SDK's retries for polls: the poller retries them with the session's clock.
func noRetries(o *cloudformation.Options) { o.Retryer = aws.NopRetryer{} }

// poller computes the intervals between polls.
type poller struct {
	s        *session
	interval time.Duration
	failures int
}

// wait sleeps until the next poll; err is the last poll's error. It retries throttled polls without limit, and transient errors
// a few times. It returns other errors.
func (p *poller) wait(ctx context.Context, err error) error {
	switch {
	case err == nil:
		p.interval, p.failures = pollEvery, 0
	case ctx.Err() != nil:
		return ctx.Err()
	case isThrottled(err):
		p.interval = min(2*max(p.interval, pollEvery), maxInterval)
	case isTransient(err) && p.failures < maxFailures:
		p.interval, p.failures = min(2*max(p.interval, pollEvery), maxInterval), p.failures+1
	default:
		return err
	}
	return p.s.sleepAbout(ctx, p.interval)
}

// operation is an operation of CloudFormation that is being waited for.
type operation struct {
	s     *session
	stack string // id
	token string // client request token of its events
	last  string // id of the newest event that was read
	own   string // status of the stack according to the newest event of its own; empty if there was none
}

// await waits until the operation has ended, and reports its events. It returns nil if the stack is gone. DescribeStacks is
// eventually consistent: it may still return the status from before the operation (aws/aws-cdk-cli issue 1802). So a status
// counts only if it is that of the stack's last event; after maxDoubts polls it counts anyway, since emulators lack events.
func (op *operation) await(ctx context.Context) (*state, error) {
	p := &poller{s: op.s}
	for doubts := 0; ; {
		// Events are read after the status, so that none is missing at the end.
		st, err := op.s.describe(ctx, op.stack, noRetries)
		if err == nil {
			err = op.reportEvents(ctx)
		}
		if err == nil && (st == nil || !st.busy()) {
			if st == nil || op.own == string(st.status) && st.status != types.StackStatusReviewInProgress || doubts == maxDoubts {
				return st, nil
			}
			doubts++
		}
		if err := p.wait(ctx, err); err != nil {
			return st, op.s.errWaiting(ctx, stoppedOperation, err)
		}
	}
}

// reportEvents reports the new events, oldest first.
func (op *operation) reportEvents(ctx context.Context) error {
	events, err := op.newEvents(ctx)
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(events) {
		event := op.s.eventOf(&e)
		op.s.events = append(op.s.events, event)
		op.s.o.Progress(event)
	}
	return nil
}

// newEvents returns the operation's events since the last call, newest first.
func (op *operation) newEvents(ctx context.Context) ([]types.StackEvent, error) {
	var found []types.StackEvent
	newest, own, page := "", "", (*string)(nil)
	for {
		out, err := op.s.stacks.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &op.stack, NextToken: page}, noRetries)
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
			if own == "" && aws.ToString(e.PhysicalResourceId) == aws.ToString(e.StackId) {
				own = string(e.ResourceStatus)
				op.own = own
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

// startOperation records the newest event before an operation.
func (s *session) startOperation(ctx context.Context, stack, token string) (*operation, error) {
	s.events = nil
	op := &operation{s: s, stack: stack, token: token}
	out, err := s.stacks.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &stack})
	switch {
	case isAbsent(err):
	case err != nil:
		return nil, s.errCall("read the events of the stack", err)
	case len(out.StackEvents) > 0:
		op.last = aws.ToString(out.StackEvents[0].EventId)
	}
	return op, nil
}

// awaitOther waits for an operation that somebody else has started.
func (s *session) awaitOther(ctx context.Context, st *state) error {
	s.report("waiting for another operation, " + string(st.status))
	op := &operation{s: s, stack: st.id}
	out, err := s.stacks.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &st.id})
	if err == nil && len(out.StackEvents) > 0 {
		op.token = aws.ToString(out.StackEvents[0].ClientRequestToken)
	}
	op.token = cmp.Or(op.token, "none") // which matches no event
	_, err = op.await(ctx)
	return err
}

func (s *session) eventOf(e *types.StackEvent) Event {
	event := Event{
		Time: aws.ToTime(e.Timestamp), Resource: aws.ToString(e.LogicalResourceId), Type: aws.ToString(e.ResourceType),
		ID: aws.ToString(e.PhysicalResourceId), Status: string(e.ResourceStatus), Reason: aws.ToString(e.ResourceStatusReason),
	}
	if event.ID == aws.ToString(e.StackId) {
		event.Resource = s.name
	}
	return event
}
