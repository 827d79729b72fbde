package dynamo

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/zeroae/zae-limiter-go/backend"
)

// feed is how far the table's stream has been read. It is in memory: a store that is opened again begins at the oldest change
// in the stream, which is at most 24 hours old.
type feed struct {
	lock   sync.Mutex
	stream string // its ARN
	shards map[string]*shard
	ready  []image // read and not taken yet
}

// shard is a part of the stream. Its records come after those of its parent.
type shard struct {
	id       string
	parent   string // its id; there may be no such shard any more
	iterator *string
	last     *string // sequence number of the last record read
	done     bool
}

// image is one record of the stream.
type image struct {
	before, after item
	at            int64 // in seconds since the Unix epoch; 0 if unknown
}

// Feed is a [backend.FeedFunc], from DynamoDB Streams.
func (s *Store) Feed(ctx context.Context, layouts backend.Layouts, size int, take func([]backend.Change) error) (int, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	if size < 1 {
		return 0, badSize(size)
	}
	f := &s.feed
	f.lock.Lock()
	defer f.lock.Unlock()
	for {
		if len(f.ready) == 0 {
			if more, err := s.fill(ctx, int32(min(size, 1000))); err != nil || !more {
				return 0, err
			}
		}
		changes, counted, seen, err := some(f.ready, layouts, size)
		if err != nil {
			return 0, err
		}
		if len(changes) > 0 {
			if err := take(changes); err != nil {
				return 0, err
			}
		}
		if f.ready = f.ready[seen:]; counted > 0 {
			return counted, nil
		}
	}
}

// some returns the changes of the first images. Unwanted images count, and images without a change do not.
func some(ready []image, layouts backend.Layouts, size int) (changes []backend.Change, counted, seen int, err error) {
	for ; seen < len(ready) && counted < size; seen++ {
		change, kind, err := ChangeOf(ready[seen].before, ready[seen].after, layouts)
		if err != nil {
			return nil, 0, 0, err
		}
		if kind == Wanted {
			change.At = ready[seen].at
			changes = append(changes, change)
		}
		if kind != NoChange {
			counted++
		}
	}
	return changes, counted, seen, nil
}

// Kind says what a record of the stream is.
type Kind uint8

// The kinds of records in a stream.
const (
	NoChange Kind = iota // both images are equal, or the record is the driver's own
	Unwanted             // of a key without a layout
	Wanted               // a change of a key with a layout
)

// ChangeOf returns the change of a stream record, from its two images, of which one is empty if there was no item. It is for
// readers that do not get the records from [Store.Feed], such as the aggregator's Lambda function. The caller sets At of the
// change. It returns an error that is backend.ErrInvalid if an image does not fit the layout of its key.
func ChangeOf(before, after map[string]types.AttributeValue, layouts backend.Layouts) (c backend.Change, k Kind, err error) {
	either := after
	if len(either) == 0 {
		either = before
	}
	if len(either) == 0 || textOf(either, hashKey) == schemaHash {
		return c, NoChange, nil
	}
	c.Key = keyIn(either)
	layout := layouts(c.Key)
	if layout == nil {
		return c, Unwanted, nil
	}
	c.Before.Reset(layout)
	c.After.Reset(layout)
	if err = decode(before, &c.Before); err == nil {
		err = decode(after, &c.After)
	}
	if err != nil {
		return c, Unwanted, fmt.Errorf("%w (the record of %v)", err, c.Key)
	}
	moved := textOf(before, indexHash) != textOf(after, indexHash) || textOf(before, indexSort) != textOf(after, indexSort)
	if c.Before.Equal(&c.After) && !moved {
		return c, NoChange, nil
	}
	return c, Wanted, nil
}

// fill reads from each shard whose parent is done, and reports whether there were records, or there may be more now.
func (s *Store) fill(ctx context.Context, limit int32) (more bool, err error) {
	f := &s.feed
	if err := s.discover(ctx); err != nil {
		return false, err
	}
	for _, sh := range f.shards {
		if parent := f.shards[sh.parent]; sh.done || parent != nil && !parent.done {
			continue
		}
		n, err := s.readShard(ctx, sh, limit)
		if err != nil {
			return more, err
		}
		more = more || n > 0 || sh.done
	}
	return more, nil
}

// discover finds shards that are new, and forgets those that the stream does not have any more.
func (s *Store) discover(ctx context.Context) error {
	f := &s.feed
	if f.stream == "" {
		table, err := s.api.reads.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.table})
		if err != nil {
			return classify(ctx, s.table, err, reading)
		}
		spec := table.Table.StreamSpecification
		if spec == nil || spec.StreamViewType != types.StreamViewTypeNewAndOldImages || table.Table.LatestStreamArn == nil {
			return fmt.Errorf("%w: dynamo: table %s has no stream with both images: deploy it again with the aggregator", backend.ErrInvalid, s.table)
		}
		f.stream = *table.Table.LatestStreamArn
	}
	if f.current() {
		return nil
	}
	listed := map[string]*shard{}
	var from *string
	for {
		reply, err := s.api.streams.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &f.stream, ExclusiveStartShardId: from})
		if err != nil {
			return classify(ctx, s.table, err, reading)
		}
		for _, found := range reply.StreamDescription.Shards {
			id := aws.ToString(found.ShardId)
			if listed[id] = f.shards[id]; listed[id] == nil {
				listed[id] = &shard{id: id, parent: aws.ToString(found.ParentShardId)}
			}
		}
		if from = reply.StreamDescription.LastEvaluatedShardId; from == nil {
			f.shards = listed
			return nil
		}
	}
}

// current reports whether there are shards, and each that is done has a child.
func (f *feed) current() bool {
	ended := map[string]bool{}
	for id, sh := range f.shards {
		if sh.done {
			ended[id] = true
		}
	}
	for _, sh := range f.shards {
		delete(ended, sh.parent)
	}
	return len(f.shards) > 0 && len(ended) == 0
}

// renewals is how often a position in a shard is lost in a row: an iterator has expired, and then the last record is gone.
const renewals = 2

// readShard reads one page of a shard.
func (s *Store) readShard(ctx context.Context, sh *shard, limit int32) (n int, err error) {
	for lost := 0; ; lost++ {
		if n, err = s.readPage(ctx, sh, limit); err == nil {
			return n, nil
		}
		var (
			expired *streams.ExpiredIteratorException
			trimmed *streams.TrimmedDataAccessException
			gone    *streams.ResourceNotFoundException
		)
		sh.iterator = nil // the next one begins behind the last record
		switch {
		case errors.As(err, &gone): // it has ended more than a day ago; if it is the stream that is gone, DescribeStream says so
			sh.done = true
			return 0, nil
		case lost < renewals && errors.As(err, &trimmed):
			sh.last = nil
		case lost < renewals && errors.As(err, &expired):
		default:
			return 0, classify(ctx, s.table, err, reading)
		}
	}
}

func (s *Store) readPage(ctx context.Context, sh *shard, limit int32) (n int, err error) {
	f := &s.feed
	if sh.iterator == nil {
		if sh.iterator, err = s.iterator(ctx, sh); err != nil {
			return 0, err
		}
	}
	reply, err := s.api.streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: sh.iterator, Limit: &limit})
	if err != nil {
		return 0, err
	}
	for i := range reply.Records {
		r := reply.Records[i].Dynamodb
		var at int64
		if r.ApproximateCreationDateTime != nil {
			at = r.ApproximateCreationDateTime.Unix()
		}
		f.ready = append(f.ready, image{itemOf(r.OldImage), itemOf(r.NewImage), at})
		sh.last = r.SequenceNumber
	}
	sh.iterator = reply.NextShardIterator
	sh.done = sh.iterator == nil
	return len(reply.Records), nil
}

func (s *Store) iterator(ctx context.Context, sh *shard) (*string, error) {
	input := &dynamodbstreams.GetShardIteratorInput{
		StreamArn: &s.feed.stream, ShardId: &sh.id, ShardIteratorType: streams.ShardIteratorTypeTrimHorizon,
	}
	if sh.last != nil {
		input.ShardIteratorType, input.SequenceNumber = streams.ShardIteratorTypeAfterSequenceNumber, sh.last
	}
	reply, err := s.api.streams.GetShardIterator(ctx, input)
	if err != nil {
		return nil, err
	}
	return reply.ShardIterator, nil
}

// itemOf converts an item of the stream's part of the SDK.
func itemOf(of map[string]streams.AttributeValue) item {
	made := make(item, len(of))
	for name, v := range of {
		switch v := v.(type) {
		case *streams.AttributeValueMemberN:
			made[name] = &types.AttributeValueMemberN{Value: v.Value}
		case *streams.AttributeValueMemberS:
			made[name] = text(v.Value)
		case *streams.AttributeValueMemberB:
			made[name] = &types.AttributeValueMemberB{Value: v.Value}
		default: // no record of ours has this type; decode returns an error
			made[name] = &types.AttributeValueMemberNULL{}
		}
	}
	return made
}
