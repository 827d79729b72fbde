package limitset

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Arrivals are the states of a bucket's limits.
type Arrivals [schema.MaxLimits]bucket.Arrival

// Read reads the states of the first n limits of a bucket's record.
func (a *Arrivals) Read(r *backend.Record, n int) {
	for i := range n {
		a[i] = ArrivalOf(r, i)
	}
}

// ArrivalOf is the state of the i-th limit of a bucket's record.
func ArrivalOf(r *backend.Record, i int) (a bucket.Arrival) {
	a.At, a.Seen = r.Num(schema.Tat(i))
	return a
}
