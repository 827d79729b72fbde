package limitertest

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// Limiter is a limiter for a test, on an empty memory store that works until it is told to fail. Safe for concurrent use.
//
// The limiter treats the store as one with I/O, so that outages and deadlines are those of production. Deadlines are of the
// system's clock and not of Clock: in a testing/synctest bubble they take no time.
type Limiter struct {
	*engine.Limiter
	Clock *Clock // of the limiter, which also sleeps by it
	Store *Fault // the limiter's store, for faults that the methods of Limiter do not have

	t         testing.TB
	inspector *engine.Limiter // on the same records, and without faults
}

// New returns a limiter that is closed when the test ends. o are its options, with defaults as engine.New has them, except
// for Now and Sleep: these are Clock's, and must be nil. If o is invalid, New ends the test.
func New(t testing.TB, o *engine.Options) *Limiter {
	t.Helper()
	var options engine.Options
	if o != nil {
		options = *o
	}
	if options.Now != nil || options.Sleep != nil {
		t.Fatal("limitertest.New: the options have Now or Sleep: leave them nil, and set Limiter.Clock")
	}
	clock, records := NewClock(time.Time{}), memory.New(nil)
	options.Now, options.Sleep = clock.Now, clock.Sleep
	l := &Limiter{Clock: clock, Store: NewFault(records, nil), t: t}
	var err error
	if l.Limiter, err = engine.New(l.Store, &options); err != nil {
		t.Fatalf("limitertest.New: %v", err)
	}
	l.inspector, err = engine.New(records, &engine.Options{
		Namespace: options.Namespace, CreateNamespace: options.CreateNamespace, Now: clock.Now,
	})
	if err != nil {
		t.Fatalf("limitertest.New: %v", err)
	}
	t.Cleanup(func() {
		l.Up() // what the limiter still writes needs no budget
		if err := l.Close(); err != nil {
			t.Errorf("limitertest: the limiter was not closed: %v", err)
		}
	})
	return l
}

// Down makes every request to the store fail at once, until Up. The requests have no effect.
func (l *Limiter) Down() { l.fault(Always(Fail), 0) }

// Hang makes every request to the store wait until its context ends, until Up. The requests have no effect. The limiter gives
// up after engine.Options.Timeout, which by default is a second of the system's clock.
func (l *Limiter) Hang() { l.fault(Always(Hang), 0) }

// Slow makes every request to the store take d of the system's clock, until Up.
func (l *Limiter) Slow(d time.Duration) { l.fault(nil, d) }

// LoseReplies loses the replies of the next n writes: they take effect, and the limiter does not learn that. Other requests
// pass.
func (l *Limiter) LoseReplies(n int) {
	var lost atomic.Int64
	l.fault(func(c Call) Act {
		if (c.Op == OpApply || c.Op == OpCommit) && lost.Add(1) <= int64(n) {
			return LoseReply
		}
		return Pass
	}, 0)
}

// Up ends the faults. Like in production, a limiter that has given up on the store tries it again after a pause of up to 10 s: to
// end the pause, advance Clock by that.
func (l *Limiter) Up() { l.fault(nil, 0) }

// fault replaces all faults.
func (l *Limiter) fault(plan Plan, latency time.Duration) {
	l.Store.SetPlan(plan)
	l.Store.SetHooks(func(ctx context.Context, _ Call) {
		if latency > 0 {
			_ = pause.For(ctx, latency) // the request sees itself that ctx has ended
		}
	}, nil)
}
