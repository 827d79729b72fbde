package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/zeroae/zae-limiter-go/backend"
)

var feedLayout = backend.NewLayout("fed", backend.Field{Name: "n"})

// fakeShard is a shard of a fakeStream. Its records are numbered from trimmed on; those before are lost.
type fakeShard struct {
	id, parent string
	records    []int64
	trimmed    int
	closed     bool
}

// fakeStream is a stream with shards that split, close, lose records and end, as those of an emulator do not.
type fakeStream struct {
	shards  []*fakeShard
	expired bool // the next iterator that is used has expired
}

// open returns a store that reads the stream.
func (f *fakeStream) open() *Store {
	s := &Store{table: "table"}
	s.api.reads.DescribeTable = func(context.Context, *dynamodb.DescribeTableInput, ...option) (*dynamodb.DescribeTableOutput, error) {
		return &dynamodb.DescribeTableOutput{Table: &types.TableDescription{
			LatestStreamArn:     aws.String("stream"),
			StreamSpecification: &types.StreamSpecification{StreamViewType: types.StreamViewTypeNewAndOldImages},
		}}, nil
	}
	s.api.streams = shards{f.describe, f.iterator, f.records}
	return s
}

func (f *fakeStream) describe(context.Context, *dynamodbstreams.DescribeStreamInput, ...streamOption) (*dynamodbstreams.DescribeStreamOutput, error) {
	out := &dynamodbstreams.DescribeStreamOutput{StreamDescription: &streams.StreamDescription{}}
	for _, sh := range f.shards {
		found := streams.Shard{ShardId: aws.String(sh.id)}
		if sh.parent != "" {
			found.ParentShardId = aws.String(sh.parent)
		}
		out.StreamDescription.Shards = append(out.StreamDescription.Shards, found)
	}
	return out, nil
}

func (f *fakeStream) find(id string) (*fakeShard, error) {
	i := slices.IndexFunc(f.shards, func(sh *fakeShard) bool { return sh.id == id })
	if i < 0 {
		return nil, answered(400, &streams.ResourceNotFoundException{})
	}
	return f.shards[i], nil
}

func (f *fakeStream) iterator(_ context.Context, in *dynamodbstreams.GetShardIteratorInput, _ ...streamOption) (*dynamodbstreams.GetShardIteratorOutput, error) {
	sh, err := f.find(*in.ShardId)
	if err != nil {
		return nil, err
	}
	at := sh.trimmed
	if in.SequenceNumber != nil {
		_, _ = fmt.Sscan(*in.SequenceNumber, &at)
		if at++; at <= sh.trimmed {
			return nil, answered(400, &streams.TrimmedDataAccessException{})
		}
	}
	return &dynamodbstreams.GetShardIteratorOutput{ShardIterator: aws.String(fmt.Sprint(sh.id, " ", at))}, nil
}

func (f *fakeStream) records(_ context.Context, in *dynamodbstreams.GetRecordsInput, _ ...streamOption) (*dynamodbstreams.GetRecordsOutput, error) {
	if f.expired {
		f.expired = false
		return nil, answered(400, &streams.ExpiredIteratorException{})
	}
	var id string
	var at int
	_, _ = fmt.Sscan(*in.ShardIterator, &id, &at)
	sh, err := f.find(id)
	if err != nil {
		return nil, err
	}
	if at < sh.trimmed {
		return nil, answered(400, &streams.TrimmedDataAccessException{})
	}
	out := &dynamodbstreams.GetRecordsOutput{}
	for ; at < sh.trimmed+len(sh.records); at++ {
		n := fmt.Sprint(sh.records[at-sh.trimmed])
		out.Records = append(out.Records, streams.Record{Dynamodb: &streams.StreamRecord{
			SequenceNumber: aws.String(fmt.Sprint(at)),
			NewImage: map[string]streams.AttributeValue{
				hashKey: &streams.AttributeValueMemberS{Value: "n/p"}, rangeKey: &streams.AttributeValueMemberS{Value: "s"},
				"n": &streams.AttributeValueMemberN{Value: n},
			},
		}})
	}
	if !sh.closed {
		out.NextShardIterator = aws.String(fmt.Sprint(sh.id, " ", at))
	}
	return out, nil
}

// want takes all changes, whose numbers are expected.
func (f *fakeStream) want(t *testing.T, s *Store, numbers string) {
	t.Helper()
	var got []string
	for {
		n, err := s.Feed(t.Context(), func(backend.Key) *backend.Layout { return feedLayout }, 10, func(changes []backend.Change) error {
			for i := range changes {
				got = append(got, fmt.Sprint(changes[i].After.Int64(0)))
			}
			return nil
		})
		if err != nil {
			t.Fatalf("Feed: %v, after %v", err, got)
		}
		if n == 0 {
			break
		}
	}
	if got := strings.Join(got, " "); got != numbers {
		t.Fatalf("the changes are %q, not %q", got, numbers)
	}
}

// TestFeedAfterSplit reads the children of a shard that has ended while another shard goes on.
func TestFeedAfterSplit(t *testing.T) {
	t.Parallel()
	first, other := &fakeShard{id: "first", records: []int64{1}}, &fakeShard{id: "other"}
	f := &fakeStream{shards: []*fakeShard{first, other}}
	s := f.open()
	f.want(t, s, "1")
	first.closed = true
	f.shards = append(f.shards, &fakeShard{id: "child", parent: "first", records: []int64{2}})
	f.want(t, s, "2")
}

// TestFeedParentsFirst reads a parent before its child, although the stream lists it later.
func TestFeedParentsFirst(t *testing.T) {
	t.Parallel()
	f := &fakeStream{shards: []*fakeShard{
		{id: "child", parent: "parent", records: []int64{2}}, {id: "parent", records: []int64{1}, closed: true},
	}}
	f.want(t, f.open(), "1 2")
}

// TestFeedAfterADay goes on although its position has expired, and the last change that it has read was dropped.
func TestFeedAfterADay(t *testing.T) {
	t.Parallel()
	quiet := &fakeShard{id: "quiet", records: []int64{1, 2}}
	f := &fakeStream{shards: []*fakeShard{quiet}}
	s := f.open()
	f.want(t, s, "1 2")
	f.expired = true
	f.want(t, s, "")
	quiet.trimmed, quiet.records = 3, []int64{4}
	f.expired = true
	f.want(t, s, "4")
	f.shards = []*fakeShard{{id: "later", parent: "quiet", records: []int64{5}}} // the shard itself is gone
	f.want(t, s, "5")
}

// TestFeedNamesTheRecord says which record it is that no layout fits.
func TestFeedNamesTheRecord(t *testing.T) {
	t.Parallel()
	f := &fakeStream{shards: []*fakeShard{{id: "one", records: []int64{1}}}}
	odd := backend.NewLayout("odd", backend.Field{Name: "m"})
	_, err := f.open().Feed(t.Context(), func(backend.Key) *backend.Layout { return odd }, 10, func([]backend.Change) error { return nil })
	if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "{n p s}") {
		t.Errorf("a record that cannot be read is reported as: %v", err)
	}
}
