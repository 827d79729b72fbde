package dynamo

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/zeroae/zae-limiter-go/backend"
)

// TestCancelledBeforeSending ends the context after the first writes of a call: what was not sent has a known outcome.
func TestCancelledBeforeSending(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	s := &Store{table: "table"}
	s.api.writes.UpdateItem = func(ctx context.Context, _ *dynamodb.UpdateItemInput, _ ...option) (*dynamodb.UpdateItemOutput, error) {
		asked.Add(1)
		cancel()
		return nil, ctx.Err()
	}
	l := backend.NewLayout("test", backend.Field{Name: "n"})
	writes := make([]backend.Write, 3*together)
	for i := range writes {
		writes[i] = backend.Write{
			Key: backend.Key{Namespace: "n", Partition: "p", Sort: fmt.Sprint(i)}, Layout: l, Effects: []backend.Effect{{Op: backend.Set}},
		}
	}
	out := make([]backend.Outcome, len(writes))
	_ = s.Apply(ctx, writes, out) // the outcomes have the errors
	unknown := 0
	for i := range out {
		if !errors.Is(out[i].Err, context.Canceled) {
			t.Errorf("outcome %d: %v", i, out[i].Err)
		}
		if errors.Is(out[i].Err, backend.ErrOutcomeUnknown) {
			unknown++
		}
	}
	if unknown > together || unknown != int(asked.Load()) {
		t.Errorf("%d of %d outcomes are unknown, and %d writes were sent", unknown, len(writes), asked.Load())
	}
}
