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

// Present reports whether Lambda has started this process.
func Present(getenv func(string) string) bool { return getenv("AWS_LAMBDA_RUNTIME_API") != "" }

// Start serves the function until Lambda ends the process. It returns only if the configuration is invalid or the table cannot
// be opened; the caller should exit, and Lambda starts the process again.
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
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	o, err := s.options(ctx, log)
	if err != nil {
		return nil, err
	}
	store, err := dynamo.Open(ctx, table, nil)
	if err != nil {
		return nil, err
	}
	return newFunction(store, &o, log)
}

// function handles events.
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

// workDeadline returns when an invocation must stop working so that the reply reaches Lambda in time. A fifth of the time is
// reserved for the reply, at most one second.
func workDeadline(deadline, now time.Time) time.Time {
	return deadline.Add(-min(deadline.Sub(now)/5, time.Second))
}

// eventTime returns the time of the newest record of an event. The aggregator uses it to decide what has expired, so that a
// record that is delivered late (a stream keeps it for up to 24 hours) has the same effect as in time.
func eventTime(event *events.DynamoDBEvent, now time.Time) time.Time {
	var newest time.Time
	for i := range event.Records {
		if at := event.Records[i].Change.ApproximateCreationDateTime.Time; at.After(newest) {
			newest = at
		}
	}
	if newest.Unix() <= 0 { // the records have no time
		return now
	}
	return newest
}

// handle processes one batch. Its reply has the first record that failed, if any.
func (f *function) handle(ctx context.Context, event events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, workDeadline(deadline, f.Now()))
		defer cancel()
	}
	b := decode(&event)
	report := f.Process(ctx, b.changes, eventTime(&event, f.Now()))
	for _, failure := range report.Failed {
		b.failed[b.records[failure.Index]] = failure.Err
	}
	f.log.InfoContext(ctx, "batch", "records", len(event.Records), "counted", report.Counted, "skipped", report.Skipped,
		"snapshots", report.Snapshots, "removed", report.Removed, "archived", report.Archived, "failed", len(b.failed))
	reply := events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}} // nil would be encoded as null
	for i := range event.Records {
		err, failed := b.failed[i]
		if !failed {
			continue
		}
		number := event.Records[i].Change.SequenceNumber
		f.log.ErrorContext(ctx, "failed", "sequence_number", number, "error", err.Error())
		if len(reply.BatchItemFailures) == 0 {
			reply.BatchItemFailures = append(reply.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: number})
		}
	}
	return reply, nil
}
