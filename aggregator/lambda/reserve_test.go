package lambda

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
)

// deadlines is a store that records the deadlines of its calls.
type deadlines struct {
	backend.Backend
	of []time.Time
}

// Apply implements [backend.Backend].
func (d *deadlines) Apply(ctx context.Context, writes []backend.Write, outcomes []backend.Outcome) error {
	at, _ := ctx.Deadline()
	d.of = append(d.of, at)
	return d.Backend.Apply(ctx, writes, outcomes)
}

// A function uses most of its time for work, and reserves a part of it, at most a second, for the reply.
func TestReserve(t *testing.T) {
	start := time.Date(2040, 5, 31, 12, 0, 0, 0, time.UTC) // of the function's clock; no deadline is reached
	number := events.NewNumberAttribute
	text := events.NewStringAttribute
	image := map[string]events.DynamoDBAttributeValue{
		"PK": text("default/a|e"), "SK": text("01ARZ3NDEKTSV4RRFFQ69G5FAV"), "action": text("entity_created"), "time": number("1"), "ttl": number("2"),
	}
	event := events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{{EventName: "INSERT", Change: events.DynamoDBStreamRecord{
		Keys:     map[string]events.DynamoDBAttributeValue{"PK": image["PK"], "SK": image["SK"]},
		NewImage: image, SequenceNumber: "1",
	}}}}
	for timeout, want := range map[time.Duration]time.Duration{
		time.Second: 800 * time.Millisecond, 3 * time.Second: 2400 * time.Millisecond, 5 * time.Second: 4 * time.Second,
		time.Minute: 59 * time.Second, 15 * time.Minute: 15*time.Minute - time.Second, 0: 0,
	} {
		store := &deadlines{Backend: memory.New(nil)}
		f, err := newFunction(store, &aggregator.Options{AuditRetention: time.Hour, Now: func() time.Time { return start }}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithDeadline(t.Context(), start.Add(timeout))
		reply, err := f.handle(ctx, event)
		cancel()
		if err != nil || len(reply.BatchItemFailures) > 0 || len(store.of) == 0 {
			t.Fatalf("%v: %+v, %v, %d calls of the store", timeout, reply, err, len(store.of))
		}
		for _, at := range store.of {
			if got := at.Sub(start); got != want {
				t.Errorf("of %v the function works for %v, not %v", timeout, got, want)
			}
		}
	}
}
