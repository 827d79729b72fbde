package load

import (
	"context"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Options say what load is sent. What has no default must be set; the caller has checked all of it.
type Options struct {
	Rate     float64       // arrivals a second, above 0
	Duration time.Duration // of what is measured, above 0
	WarmUp   time.Duration // of what is sent before that; default none
	Even     bool          // arrivals come evenly; default at random (Poisson)
	Skew     float64       // exponent of Zipf's law by which entities are chosen, above 1; default 0: all alike
	Seed     uint64        // of all that is drawn
	InFlight int           // at most so many calls at once; arrivals beyond wait, and their wait counts. Default 256

	Paths    [][]string       // entities, each with its parents up to where it does not cascade
	Levels   [][]engine.Limit // the limits in force at each level of the paths
	Resource string           // what all of them use
	Consume  engine.Tokens    // by each acquire
	Override []engine.Limit   // beats what is stored; default nothing
	Lease    bool             // acquire and commit; default allow
	RollBack float64          // share of the leases that are rolled back, 0 to 1

	Now      func() time.Time                           // the limiters' clock
	Sleep    func(context.Context, time.Duration) error // returns ctx's error if that ends first
	Progress func(Progress)                             // called once a second; default nobody
}

// Progress is how far a run has come.
type Progress struct {
	WarmingUp bool
	Elapsed   time.Duration // of WarmUp, or of Duration
	Counts
	InFlight int           // calls that have not ended
	P50, P99 time.Duration // so far
}

// Counts are how arrivals ended.
type Counts struct {
	Admitted, Denied int64
	Degraded         int64 // admitted without the store, by policy
	Failed           int64
}

// Sum is all of them.
func (c Counts) Sum() int64 { return c.Admitted + c.Denied + c.Degraded + c.Failed }
