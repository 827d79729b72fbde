package conformance

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// The faults are those of package limitertest, which programs that use the limiter can import without the suite's libraries.
type (
	// Op is an operation of a store.
	Op = limitertest.Op
	// Act is what happens to a request.
	Act = limitertest.Act
	// Call is one request: a whole call of a store, or one write of an Apply.
	Call = limitertest.Call
	// Plan decides what happens to a request.
	Plan = limitertest.Plan
	// Fault is a store that makes the requests of another one fail as a plan says.
	Fault = limitertest.Fault
	// FaultError is in the place of the driver's error.
	FaultError = limitertest.FaultError
)

// The operations that a [Plan] tells apart.
const (
	OpRead   = limitertest.OpRead
	OpApply  = limitertest.OpApply
	OpCommit = limitertest.OpCommit
	OpList   = limitertest.OpList
	OpFeed   = limitertest.OpFeed
	OpSweep  = limitertest.OpSweep
	OpScan   = limitertest.OpScan
)

// The acts of a [Plan].
const (
	Pass        = limitertest.Pass
	Fail        = limitertest.Fail
	Throttle    = limitertest.Throttle
	LoseRace    = limitertest.LoseRace
	LoseRequest = limitertest.LoseRequest
	LoseReply   = limitertest.LoseReply
	Late        = limitertest.Late
	Hang        = limitertest.Hang
	HangAfter   = limitertest.HangAfter
	HangDeaf    = limitertest.HangDeaf
	Panic       = limitertest.Panic
)

// NewFault wraps a store. If plan is nil, all requests pass.
func NewFault(inner backend.Backend, plan Plan) *Fault { return limitertest.NewFault(inner, plan) }

// On applies act to the nth call of an operation, counted from 0, and lets all others pass.
func On(op Op, nth int, act Act) Plan { return limitertest.On(op, nth, act) }

// Where follows plan for requests with a key for which match is true, and lets all others pass.
func Where(match func(backend.Key) bool, plan Plan) Plan { return limitertest.Where(match, plan) }

// Always applies act to every request of these operations, or of all operations if none is given.
func Always(act Act, ops ...Op) Plan { return limitertest.Always(act, ops...) }

// Random applies each act to a share of all requests, between 0 and 1. The same seed does so in the same order.
func Random(seed uint64, shares map[Act]float64) Plan { return limitertest.Random(seed, shares) }
