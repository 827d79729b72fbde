package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
)

// meter has DynamoDB tell what updates cost the table and its index, and keeps the last answer.
type meter struct {
	mu           sync.Mutex
	table, index float64
}

func (m *meter) add(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("meter",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
			middleware.InitializeOutput, middleware.Metadata, error,
		) {
			if update, ok := in.Parameters.(*dynamodb.UpdateItemInput); ok {
				update.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
			}
			out, metadata, err := next.HandleInitialize(ctx, in)
			if reply, ok := out.Result.(*dynamodb.UpdateItemOutput); ok && err == nil {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.table, m.index = *reply.ConsumedCapacity.Table.CapacityUnits, 0
				for _, index := range reply.ConsumedCapacity.GlobalSecondaryIndexes {
					m.index += *index.CapacityUnits
				}
			}
			return out, metadata, err
		}), middleware.Before)
}

func (m *meter) want(t *testing.T, what string, table, index float64) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.table != table || m.index != index {
		t.Errorf("%s: %v units, and %v of the index; not %v and %v", what, m.table, m.index, table, index)
	}
	m.table, m.index = 0, 0
}

// TestUnits: an acquire costs one write unit, and none of the index, for the longest names that are promised to fit and
// the largest numbers. A name more, and it costs two.
func TestUnits(t *testing.T) {
	t.Parallel()
	name, o := dynamotest.Table(t)
	m := &meter{}
	config := o.Config.Copy()
	config.APIOptions = append(config.APIOptions, m.add)
	s := mustOpen(t, name, &dynamo.Options{Endpoint: o.Endpoint, Config: &config})
	at := time.Date(2199, 12, 31, 0, 0, 0, 0, time.UTC)
	l, err := engine.New(s, &engine.Options{
		Namespace: strings.Repeat("n", 64), CreateNamespace: true, Timeout: time.Minute, Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	request := func(entity string, limits int) engine.Request {
		q := engine.Request{Entity: strings.Repeat(entity, 64), Resource: strings.Repeat("r", 32), Consume: engine.Tokens{}}
		for i := range limits {
			limit := engine.Every(fmt.Sprintf("%c%s", 'a'+i, strings.Repeat("x", 31)), 999_999_999_999_989, 3650*24*time.Hour-time.Duration(i))
			q.Limits = append(q.Limits, limit)
			q.Consume[limit.Name] = 10_000_000_000_000
		}
		return q
	}
	acquire := func(q engine.Request, table, index float64) *engine.Lease {
		t.Helper()
		lease, err := l.Acquire(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		m.want(t, "acquire", table, index)
		return lease
	}
	q := request("e", 8)
	acquire(q, 1, 1) // the first one puts the bucket into its entity's listing
	for range 50 {
		acquire(q, 1, 0)
	}
	lease := acquire(q, 1, 0)
	if err := errors.Join(lease.Adjust(engine.Tokens{q.Limits[0].Name: 1}), lease.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	m.want(t, "adjustment", 1, 0)
	if err := lease.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.want(t, "rollback", 1, 0)
	long := request("f", 16)
	acquire(long, 2, 1)
	acquire(long, 2, 0)
}
