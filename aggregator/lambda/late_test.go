package lambda

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend/memory"
)

// shelf is an archive that counts files.
type shelf struct{ files int }

// Put implements [aggregator.Archive].
func (s *shelf) Put(context.Context, string, []byte) error {
	s.files++
	return nil
}

// A record that is delivered late is handled as at the time of the change: an event that was purged before it expired is not
// archived.
func TestLate(t *testing.T) {
	made := time.Date(2040, 5, 31, 12, 0, 0, 0, time.UTC)
	expiry := made.Add(time.Hour)
	text := events.NewStringAttribute
	image := map[string]events.DynamoDBAttributeValue{
		"PK": text("default/a|e"), "SK": text("01ARZ3NDEKTSV4RRFFQ69G5FAV"), "action": text("entity_created"),
		"time": events.NewNumberAttribute("1"), "ttl": events.NewNumberAttribute(strconv.FormatInt(expiry.Unix(), 10)),
	}
	for _, c := range []struct {
		what     string
		removed  time.Time // as the stream reports; zero if it does not
		archived int
	}{
		{"purged before its time", expiry.Add(-time.Second), 0},
		{"expired", expiry.Add(time.Minute), 1},
		{"a record without a time", time.Time{}, 1},
	} {
		store, files := memory.New(nil), &shelf{}
		now := made.Add(24 * time.Hour)
		f, err := newFunction(store, &aggregator.Options{Archive: files, Now: func() time.Time { return now }}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		event := events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{{EventName: "REMOVE", Change: events.DynamoDBStreamRecord{
			Keys:     map[string]events.DynamoDBAttributeValue{"PK": image["PK"], "SK": image["SK"]},
			OldImage: image, SequenceNumber: "1", ApproximateCreationDateTime: events.SecondsEpochTime{Time: c.removed},
		}}}}
		if reply, err := f.handle(t.Context(), event); err != nil || len(reply.BatchItemFailures) > 0 {
			t.Fatalf("%s: %+v, %v", c.what, reply, err)
		}
		if files.files != c.archived {
			t.Errorf("%s: %d files, not %d", c.what, files.files, c.archived)
		}
	}
}
