package bolt

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/zeroae/zae-limiter-go/backend"
)

// gate stands before a queue's commits: each says how many it has, and waits to be let through.
type gate struct {
	*queue
	arrived chan int
	through chan struct{}
}

func newGate() *gate {
	g := &gate{&queue{}, make(chan int), make(chan struct{})}
	g.commit = func(batch []*request) {
		g.arrived <- len(batch)
		<-g.through
		for _, r := range batch {
			r.run(nil)
		}
	}
	return g
}

// enter sends a request, and returns when it waits in the queue, or before the gate.
func (g *gate) enter(ctx context.Context, r *request) (done chan error) {
	done = make(chan error, 1)
	go func() { done <- g.do(ctx, r) }()
	synctest.Wait()
	return done
}

// nothing is a request that does nothing.
func nothing() *request { return &request{run: func(*batch) {}, size: 1} }

func TestFollowersShareABatch(t *testing.T) { synctest.Test(t, followersShareABatch) }

func followersShareABatch(t *testing.T) {
	g := newGate()
	dones := []chan error{g.enter(t.Context(), nothing())}
	if n := <-g.arrived; n != 1 {
		t.Fatalf("the first batch has %d requests", n)
	}
	for range 5 {
		dones = append(dones, g.enter(t.Context(), nothing()))
	}
	g.through <- struct{}{}
	if n := <-g.arrived; n != 5 {
		t.Errorf("the second batch has %d requests, 5 waited", n)
	}
	g.through <- struct{}{}
	for _, done := range dones {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestWaiterLeavesTheQueue(t *testing.T) { synctest.Test(t, waiterLeavesTheQueue) }

func waiterLeavesTheQueue(t *testing.T) {
	g := newGate()
	first := g.enter(t.Context(), nothing())
	<-g.arrived
	ctx, cancel := context.WithCancel(t.Context())
	left := g.enter(ctx, &request{run: func(*batch) { t.Error("a request that left was run") }})
	stays := g.enter(t.Context(), nothing())
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) || errors.Is(err, backend.ErrOutcomeUnknown) {
		t.Errorf("who left before being picked up hears %v", err)
	}
	g.through <- struct{}{}
	if n := <-g.arrived; n != 1 {
		t.Errorf("%d requests in the batch after one left of two", n)
	}
	g.through <- struct{}{}
	if err := errors.Join(<-first, <-stays); err != nil {
		t.Error(err)
	}
}

func TestWaiterLeavesItsWriteInTheBatch(t *testing.T) {
	synctest.Test(t, waiterLeavesItsWriteInTheBatch)
}

func waiterLeavesItsWriteInTheBatch(t *testing.T) {
	g := newGate()
	first := g.enter(t.Context(), nothing())
	<-g.arrived
	stays := g.enter(t.Context(), nothing()) // leads the next batch
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan bool, 1)
	left := g.enter(ctx, &request{run: func(*batch) { ran <- true }})
	g.through <- struct{}{}
	if n := <-g.arrived; n != 2 {
		t.Fatalf("%d requests in a batch of two", n)
	}
	cancel()
	if err := <-left; !errors.Is(err, backend.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("who left after being picked up hears %v", err)
	}
	g.through <- struct{}{}
	if err := errors.Join(<-first, <-stays); err != nil || !<-ran {
		t.Error(err)
	}
}

// TestLeadIsNeverLost has waiters leave at the moment at which they are to lead.
func TestLeadIsNeverLost(t *testing.T) {
	q := &queue{commit: func(batch []*request) {
		for _, r := range batch {
			r.run(nil)
		}
	}}
	for range 2_000 {
		ctx, cancel := context.WithCancel(t.Context())
		var dones []chan error
		for i := range 6 {
			c, done := ctx, make(chan error, 1)
			if i%2 == 0 {
				c = t.Context()
			}
			go func() { done <- q.do(c, &request{run: func(*batch) {}, size: 1}) }()
			dones = append(dones, done)
		}
		cancel()
		for _, done := range dones {
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	}
}

func TestBatchesAreBounded(t *testing.T) { synctest.Test(t, batchesAreBounded) }

func batchesAreBounded(t *testing.T) {
	g := newGate()
	first := g.enter(t.Context(), nothing())
	<-g.arrived
	var dones []chan error
	for range 3 {
		dones = append(dones, g.enter(t.Context(), &request{run: func(*batch) {}, size: batchMost/2 + 1}))
	}
	g.through <- struct{}{}
	for range dones {
		if n := <-g.arrived; n != 1 {
			t.Errorf("%d requests in a batch that has room for one", n)
		}
		g.through <- struct{}{}
	}
	for _, done := range append(dones, first) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestLeaverHandsOnTheLead has one leave that was told to lead, and did not hear it yet.
func TestLeaverHandsOnTheLead(t *testing.T) {
	q := &queue{led: true}
	for range 2 {
		r := nothing()
		r.signal = make(chan bool, 1)
		q.waiting = append(q.waiting, r)
	}
	first, second := q.waiting[0], q.waiting[1]
	q.handOnLocked()
	if err := q.leave(first, context.Canceled); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if len(second.signal) != 1 || !<-second.signal {
		t.Error("nobody leads any more")
	}
}
