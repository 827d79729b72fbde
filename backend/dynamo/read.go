package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend"
)

// batch is the largest number of keys in one request.
const batch = 100

// Read implements [backend.Backend], with a hundred keys in a request.
func (s *Store) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if len(keys) != len(out) {
		return fmt.Errorf("%w: dynamo: out has length %d for %d keys: make both equally long", backend.ErrInvalid, len(out), len(keys))
	}
	for i := range keys {
		if err := keys[i].Validate(); err != nil {
			return err
		}
		if out[i].Layout() == nil {
			return fmt.Errorf("%w: dynamo: the record for %v has no layout: call Reset with one", backend.ErrInvalid, keys[i])
		}
		out[i].Reset(out[i].Layout())
	}
	if err := s.check(ctx); err != nil {
		return err
	}
	bill := newBill(ctx)
	defer bill.pay()
	if len(keys) == 1 {
		found, err := s.get(ctx, &keys[0], bill)
		if err != nil {
			return err
		}
		var odd backend.UnreadableError
		readable(found, out, 0, &odd)
		return odd.OrNil()
	}
	places := make(map[backend.Key][]int, len(keys))
	var wanted []item
	for i := range keys {
		if places[keys[i]] = append(places[keys[i]], i); len(places[keys[i]]) == 1 {
			wanted = append(wanted, primary(&keys[i]))
		}
	}
	var odd backend.UnreadableError
	err := s.getAll(ctx, wanted, bill, func(found item) {
		for _, i := range places[keyIn(found)] {
			readable(found, out, i, &odd)
		}
	})
	if err != nil {
		return err
	}
	return odd.OrNil()
}

// readable decodes an item into out[i], or notes that it is unreadable.
func readable(found item, out []backend.Record, i int, odd *backend.UnreadableError) {
	if err := decode(found, &out[i]); err != nil {
		out[i].Reset(out[i].Layout())
		odd.Add(i, err)
	}
}

func (s *Store) get(ctx context.Context, k *backend.Key, bill *bill) (item, error) {
	reply, err := s.api.reads.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: primary(k), ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: bill.wanted(),
	})
	bill.sent()
	if err != nil {
		return nil, classify(ctx, s.table, err, reading)
	}
	s.dated(reply.ResultMetadata)
	bill.capacity(reply.ConsumedCapacity)
	return reply.Item, nil
}

// getAll reads until DynamoDB has returned all keys, because it omits some of a large or throttled batch.
func (s *Store) getAll(ctx context.Context, wanted []item, bill *bill, found func(item)) error {
	for len(wanted) > 0 {
		some := wanted[:min(batch, len(wanted))]
		reply, err := s.api.reads.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems:           map[string]types.KeysAndAttributes{s.table: {Keys: some, ConsistentRead: aws.Bool(true)}},
			ReturnConsumedCapacity: bill.wanted(),
		})
		bill.sent()
		if err != nil {
			return classify(ctx, s.table, err, reading)
		}
		s.dated(reply.ResultMetadata)
		for i := range reply.ConsumedCapacity {
			bill.capacity(&reply.ConsumedCapacity[i])
		}
		for _, of := range reply.Responses[s.table] {
			found(of)
		}
		left := reply.UnprocessedKeys[s.table].Keys
		if len(left) == len(some) {
			return fmt.Errorf("%w: dynamo: the table is throttled: it returned none of the keys: try again", backend.ErrUnavailable)
		}
		wanted = append(left, wanted[len(some):]...)
	}
	return nil
}
