package lambda

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
)

// Present reports whether the process was started by Lambda.
func Present(getenv func(string) string) bool { return getenv("AWS_LAMBDA_RUNTIME_API") != "" }

// Start serves the function until Lambda ends the process. It returns only where the function cannot be set up: Lambda then
// shows the error and starts it again.
func Start(ctx context.Context, getenv func(string) string) error {
	f, err := open(ctx, settings{getenv})
	if err != nil {
		return err
	}
	lambda.StartWithOptions(f.handle, lambda.WithContext(ctx))
	return nil
}

func open(ctx context.Context, s settings) (*function, error) {
	table, err := s.table()
	if err != nil {
		return nil, err
	}
	o, err := s.options(ctx)
	if err != nil {
		return nil, err
	}
	store, err := dynamo.Open(ctx, table, nil)
	if err != nil {
		return nil, err
	}
	return newFunction(store, &o, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
}

// function answers events.
type function struct {
	*aggregator.Aggregator
	log *slog.Logger
}

func newFunction(store backend.Backend, o *aggregator.Options, log *slog.Logger) (*function, error) {
	a, err := aggregator.New(store, o)
	if err != nil {
		return nil, err
	}
	return &function{a, log}, nil
}

// workUntil is when the work of an invocation must stop so that the reply still reaches Lambda: a fifth of the time is
// reserved for it, a second at most.
func workUntil(deadline, now time.Time) time.Time {
	return deadline.Add(-min(deadline.Sub(now)/5, time.Second))
}

// madeAt is when the newest record of an event was made. What has expired is judged by it, so that a record which comes late,
// up to the 24 hours that the stream keeps it, has the effect that it would have had in time.
func madeAt(event *events.DynamoDBEvent, now time.Time) time.Time {
	var newest time.Time
	for i := range event.Records {
		if at := event.Records[i].Change.ApproximateCreationDateTime.Time; at.After(newest) {
			newest = at
		}
	}
	if newest.Unix() <= 0 { // the records do not tell
		return now
	}
	return newest
}

// handle takes in one batch. Its reply names the first record that was not taken in, if there is any.
func (f *function) handle(ctx context.Context, event events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, workUntil(deadline, f.Now()))
		defer cancel()
	}
	b := decode(&event)
	report := f.Process(ctx, b.changes, madeAt(&event, f.Now()))
	for _, failure := range report.Failed {
		b.failed[b.records[failure.Index]] = failure.Err
	}
	f.log.InfoContext(ctx, "batch", "records", len(event.Records), "counted", report.Counted, "skipped", report.Skipped,
		"snapshots", report.Snapshots, "removed", report.Removed, "archived", report.Archived, "failed", len(b.failed))
	reply := events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}} // nil would be null
	for i := range event.Records {
		err, failed := b.failed[i]
		if !failed {
			continue
		}
		number := event.Records[i].Change.SequenceNumber
		f.log.ErrorContext(ctx, "not taken in", "sequence_number", number, "error", err.Error())
		if len(reply.BatchItemFailures) == 0 {
			reply.BatchItemFailures = append(reply.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: number})
		}
	}
	return reply, nil
}
