package dynamo

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend"
)

// bill adds up the cost of the requests of one call, for the call's [backend.Meter]. A nil bill counts nothing.
type bill struct {
	meter    *backend.Meter
	lock     sync.Mutex
	requests int
	units    float64
}

func newBill(ctx context.Context) *bill {
	if m := backend.MeterOf(ctx); m != nil {
		return &bill{meter: m}
	}
	return nil
}

// wanted asks DynamoDB to report the cost of a request.
func (b *bill) wanted() types.ReturnConsumedCapacity {
	if b == nil {
		return ""
	}
	return types.ReturnConsumedCapacityTotal
}

func (b *bill) sent() {
	if b == nil {
		return
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	b.requests++
}

func (b *bill) add(units float64) {
	if b == nil {
		return
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	b.units += units
}

func (b *bill) capacity(c *types.ConsumedCapacity) {
	if c != nil && c.CapacityUnits != nil {
		b.add(*c.CapacityUnits)
	}
}

// pay adds the sum to the meter.
func (b *bill) pay() {
	if b == nil {
		return
	}
	b.meter.Requests += b.requests
	b.meter.Units += b.units
}
