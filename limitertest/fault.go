package limitertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Op is an operation of a store.
type Op string

// The operations that a [Plan] tells apart.
const (
	OpRead   Op = "Read"
	OpApply  Op = "Apply"
	OpCommit Op = "Commit"
	OpList   Op = "List"
	OpFeed   Op = "Feed"
	OpSweep  Op = "Sweep"
	OpScan   Op = "Scan"
)

// Act is what happens to a request.
type Act uint8

// The acts. Those that are about writes make a read fail with ErrUnavailable.
const (
	Pass        Act = iota // carried out
	Fail                   // not carried out; returns ErrUnavailable
	Throttle               // the same, with another [FaultError]
	LoseRace               // not carried out; returns ErrContention
	LoseRequest            // not carried out; returns ErrOutcomeUnknown
	LoseReply              // carried out; returns ErrOutcomeUnknown
	Late                   // returns ErrOutcomeUnknown at once; carried out at [Fault.Release]
	Hang                   // not carried out; waits for the context and returns its error, for writes with ErrOutcomeUnknown
	HangAfter              // carried out, and then like Hang
	HangDeaf               // not carried out; waits for [Fault.Release], whatever the context does, and returns ErrUnavailable
	Panic                  // not carried out; panics with the [FaultError]
	acts
)

var actNames = [acts]string{
	"pass", "fail", "throttle", "lose race", "lose request", "lose reply", "late", "hang", "hang after", "hang deaf", "panic",
}

func (a Act) String() string { return actNames[a] }

// Call is one request: a whole call of a store, or one write of an Apply.
type Call struct {
	Op    Op
	Index int           // of the call among all
	Nth   int           // of the call among those of its operation
	Write int           // the index of the write in an Apply; else 0
	Keys  []backend.Key // the key of the write in an Apply; all keys of a Commit or Read; else none
}

// Plan decides what happens to a request. It is called for one request at a time.
type Plan func(Call) Act

// On applies act to the nth call of an operation, counted from 0, and lets all others pass.
func On(op Op, nth int, act Act) Plan {
	return func(c Call) Act {
		if c.Op == op && c.Nth == nth {
			return act
		}
		return Pass
	}
}

// Where follows plan for requests with a key for which match is true, and lets all others pass.
func Where(match func(backend.Key) bool, plan Plan) Plan {
	return func(c Call) Act {
		for _, k := range c.Keys {
			if match(k) {
				return plan(c)
			}
		}
		return Pass
	}
}

// Always applies act to every request of these operations, or of all operations if none is given.
func Always(act Act, ops ...Op) Plan {
	return func(c Call) Act {
		for _, op := range ops {
			if c.Op == op {
				return act
			}
		}
		if len(ops) == 0 {
			return act
		}
		return Pass
	}
}

// Random applies each act to a share of all requests, between 0 and 1. The same seed does so in the same order.
func Random(seed uint64, shares map[Act]float64) Plan {
	random := rand.New(rand.NewPCG(seed, seed))
	return func(Call) Act {
		at := random.Float64()
		for act := range acts {
			if at -= shares[act]; at < 0 {
				return act
			}
		}
		return Pass
	}
}

// FaultError is in the place of the driver's error, and reachable by errors.As.
type FaultError struct {
	Act  Act
	Call Call
}

func (e *FaultError) Error() string {
	return fmt.Sprintf("limitertest: %v: %s %d", e.Act, e.Call.Op, e.Call.Nth)
}

// Fault is a store that wraps another one, and makes its requests fail as a plan says. Like [backend.Wrap] it has the powers
// of the wrapped store and none of its properties. Safe for concurrent use.
type Fault struct {
	inner   backend.Backend
	wrapped backend.Backend // inner, with a plan for all calls except Apply and Commit
	max     bool            // of the wrapped store

	lock   sync.Mutex
	plan   Plan
	before func(context.Context, Call)
	after  func(context.Context, Call)
	calls  map[Op]int
	all    int
	writes int
	done   map[Op]*[acts]int
	late   []func(context.Context) error
	free   chan struct{} // closed by Release; nil while nothing waits for it
}

var _ backend.Backend = (*Fault)(nil)

// NewFault wraps a store. If plan is nil, all requests pass.
func NewFault(inner backend.Backend, plan Plan) *Fault {
	f := &Fault{inner: inner, max: inner.Capabilities().Max, calls: map[Op]int{}, done: map[Op]*[acts]int{}}
	f.wrapped = backend.Wrap(inner, &backend.WrapOptions{
		Around: func(ctx context.Context, c backend.Call, next func(context.Context) error) error {
			return f.call(ctx, Op(c.Method), slices.Clone(c.Keys), next)
		},
	})
	f.SetPlan(plan)
	return f
}

// SetPlan changes the plan. Counts continue.
func (f *Fault) SetPlan(plan Plan) {
	if plan == nil {
		plan = Always(Pass)
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	f.plan = plan
}

// SetHooks sets functions that are called for each request, before it reaches the wrapped store and before it returns. They
// may wait, or call the store. Either may be nil.
func (f *Fault) SetHooks(before, after func(context.Context, Call)) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.before, f.after = before, after
}

// Calls returns the number of calls of an operation.
func (f *Fault) Calls(op Op) int {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.calls[op]
}

// Writes returns the number of writes in all calls of Apply and Commit.
func (f *Fault) Writes() int {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.writes
}

// Count returns the number of requests of an operation to which an act was applied.
func (f *Fault) Count(op Op, act Act) int {
	f.lock.Lock()
	defer f.lock.Unlock()
	if n := f.done[op]; n != nil {
		return n[act]
	}
	return 0
}

// Release ends all calls of HangDeaf, carries out all late writes in the order in which they came, and returns their errors.
// Later ones wait for the next Release.
func (f *Fault) Release(ctx context.Context) []error {
	f.lock.Lock()
	if f.free != nil {
		close(f.free)
	}
	late := f.late
	f.free, f.late = nil, nil
	f.lock.Unlock()
	var errs []error
	for _, write := range late {
		errs = append(errs, write(ctx))
	}
	return errs
}

// Waiting returns the number of late writes that the next Release carries out.
func (f *Fault) Waiting() int {
	f.lock.Lock()
	defer f.lock.Unlock()
	return len(f.late)
}

// request is a call, or a write of one, and what happens to it.
type request struct {
	Call
	act  Act
	free <-chan struct{} // of the next Release
}

// begin counts one call and plans its requests: one for each key if each is true, else one.
func (f *Fault) begin(op Op, each bool, keys ...backend.Key) []request {
	f.lock.Lock()
	defer f.lock.Unlock()
	c := Call{Op: op, Index: f.all, Nth: f.calls[op], Keys: keys}
	f.all++
	f.calls[op]++
	if op == OpApply || op == OpCommit {
		f.writes += len(keys)
	}
	if f.done[op] == nil {
		f.done[op] = new([acts]int)
	}
	requests := []request{{Call: c}}
	if each {
		requests = make([]request, len(keys))
	}
	for i := range requests {
		r := &requests[i]
		r.Call = c
		if each {
			r.Write, r.Keys = i, keys[i:i+1:i+1]
		}
		if r.act = f.plan(r.Call); r.act == HangDeaf && f.free == nil {
			f.free = make(chan struct{})
		}
		r.free = f.free
		f.done[op][r.act]++
	}
	return requests
}

// hook calls a hook for requests.
func (f *Fault) hook(ctx context.Context, after bool, requests ...request) {
	f.lock.Lock()
	hook := f.before
	if after {
		hook = f.after
	}
	f.lock.Unlock()
	for i := range requests {
		if hook != nil {
			hook(ctx, requests[i].Call)
		}
	}
}
