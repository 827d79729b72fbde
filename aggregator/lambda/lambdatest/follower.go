package lambdatest

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// Follower reads the stream of a table and passes the records to a function. It is for one goroutine.
type Follower struct {
	Size  int // records in a batch; 100
	Tries int // of a batch before its first record is given up; 3

	// GivenUp holds the records that the function failed to process too often.
	GivenUp []types.Record

	t       testing.TB
	client  *dynamodbstreams.Client
	stream  *string
	shards  []*shard
	waiting []types.Record
	tries   int
}

type shard struct {
	id       string
	iterator *string
	done     bool
}

// NewFollower returns a follower that begins at the start of a table's stream.
func NewFollower(t testing.TB, config aws.Config, table string) *Follower {
	t.Helper()
	described, err := dynamodb.NewFromConfig(config).DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	f := &Follower{Size: 100, Tries: 3, t: t, client: dynamodbstreams.NewFromConfig(config), stream: described.Table.LatestStreamArn}
	if f.stream == nil {
		t.Fatalf("lambdatest: table %s has no stream", table)
	}
	return f
}

// Take returns what is new in the stream without passing it to a function.
func (f *Follower) Take() (records []types.Record) {
	f.t.Helper()
	f.discover()
	for _, s := range f.shards {
		for n := 1; n > 0 && !s.done; {
			some := f.read(s)
			records, n = append(records, some...), len(some)
		}
	}
	return records
}

// Deliver passes all that is new in the stream to a function, batch by batch. A batch that fails is passed again, from the
// record that the function names or as a whole. A record that fails too often is given up.
func (f *Follower) Deliver(r *Runtime) {
	f.t.Helper()
	f.waiting = append(f.waiting, f.Take()...)
	for len(f.waiting) > 0 {
		batch := f.waiting[:min(f.Size, len(f.waiting))]
		done := Invoke(f.t.Context(), f.t, r, batch)
		if f.waiting = f.waiting[done:]; done == len(batch) {
			f.tries = 0
			continue
		}
		if done > 0 {
			f.tries = 0
		}
		if f.tries++; f.tries == f.Tries {
			f.GivenUp = append(f.GivenUp, f.waiting[0])
			f.waiting, f.tries = f.waiting[1:], 0
		}
	}
}

// Invoke passes records to a function and returns how many it processed, from the first on.
func Invoke(ctx context.Context, t testing.TB, r *Runtime, records []types.Record) int {
	t.Helper()
	event, err := EventOf(records)
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.Invoke(ctx, event)
	if err != nil {
		t.Logf("lambdatest: %v", err)
		return 0
	}
	var reply events.DynamoDBEventResponse
	if err := json.Unmarshal(text, &reply); err != nil || reply.BatchItemFailures == nil {
		t.Fatalf("lambdatest: the function's answer %s is no list of failures: %v", text, err)
	}
	first := len(records)
	for _, failure := range reply.BatchItemFailures {
		i := slices.IndexFunc(records, func(r types.Record) bool {
			return aws.ToString(r.Dynamodb.SequenceNumber) == failure.ItemIdentifier
		})
		if i < 0 {
			t.Fatalf("lambdatest: the function names a record %q that it did not get", failure.ItemIdentifier)
		}
		first = min(first, i)
	}
	return first
}

func (f *Follower) discover() {
	f.t.Helper()
	reply, err := f.client.DescribeStream(f.t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: f.stream})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, s := range reply.StreamDescription.Shards {
		id := aws.ToString(s.ShardId)
		if slices.ContainsFunc(f.shards, func(known *shard) bool { return known.id == id }) {
			continue
		}
		begin, err := f.client.GetShardIterator(f.t.Context(), &dynamodbstreams.GetShardIteratorInput{
			StreamArn: f.stream, ShardId: s.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			f.t.Fatal(err)
		}
		f.shards = append(f.shards, &shard{id: id, iterator: begin.ShardIterator})
	}
}

func (f *Follower) read(s *shard) []types.Record {
	f.t.Helper()
	reply, err := f.client.GetRecords(f.t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: s.iterator})
	if err != nil {
		f.t.Fatal(err)
	}
	s.iterator = reply.NextShardIterator
	s.done = s.iterator == nil
	return reply.Records
}
