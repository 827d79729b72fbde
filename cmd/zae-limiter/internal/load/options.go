package load

import (
	"context"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Options describe a load. Fields without a default must be set. The caller validates them.
type Options struct {
	Rate     float64       // arrivals per second, above 0
	Duration time.Duration // of the measured load, above 0
	WarmUp   time.Duration // duration of the load before that; default none
	Even     bool          // evenly spaced arrivals; default random (Poisson)
	Skew     float64       // exponent of the Zipf distribution of entities, above 1; default 0, uniform
	Seed     uint64        // of the random numbers
	InFlight int           // maximum number of concurrent calls; further arrivals wait, which counts as latency. Default 256

	Paths    [][]string       // entities, each followed by the parents it cascades to
	Levels   [][]engine.Limit // the limits that apply at each level of the paths
	Resource string           // resource of all requests
	Consume  engine.Tokens    // tokens of each request
	Override []engine.Limit   // limits that override the configuration; default none
	Lease    bool             // call Acquire and Commit; default Allow
	RollBack float64          // share of the leases that are rolled back, 0 to 1
	Excess   time.Duration    // what the limits may admit beyond capacity + rate·T, as time of their rate; default nothing

	Journal  *Journal                                   `json:"-"` // gets the events of the run, for Merge; may be nil
	Now      func() time.Time                           `json:"-"` // the limiters' clock
	Sleep    func(context.Context, time.Duration) error `json:"-"` // returns ctx's error if ctx is done first
	Progress func(Progress)                             `json:"-"` // called once a second; may be nil
}

// Progress is the progress of a run.
type Progress struct {
	WarmingUp bool
	Elapsed   time.Duration // of WarmUp, or of Duration
	Counts
	InFlight int           // calls in progress
	P50, P99 time.Duration // so far
}

// Counts counts arrivals by their outcome.
type Counts struct {
	Sent     int64 `json:"sent"` // the sum of the others
	Admitted int64 `json:"admitted"`
	Denied   int64 `json:"denied"`
	Degraded int64 `json:"degraded"` // admitted without the store, by policy
	Failed   int64 `json:"failed"`
}
