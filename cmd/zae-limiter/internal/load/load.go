package load

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// run is a load under way.
type run struct {
	o        *Options
	limiters []*engine.Limiter
	meter    *Meter
	buckets  map[string]*bucketLedger // by entity
	paths    [][]*bucketLedger        // of each of Options.Paths
	callers  []caller
}

// caller makes one call at a time.
type caller struct {
	began atomic.Int64 // when its call did, in ns since the Unix epoch; idle; or about to
	_     [56]byte
}

// What began says of a caller without a call.
const (
	idle    = 0
	aboutTo = -1 // read the clock
)

// Run sends load to the limiters, which are so many processes, and reports. meter is the observer of all of them. Once
// ctx ends no more arrivals come, and the report is of what was sent. An error is of a load that could not be made
// at all: every call failed with it.
func Run(ctx context.Context, limiters []*engine.Limiter, meter *Meter, o Options) (*Report, error) {
	if o.InFlight == 0 {
		o.InFlight = 256
	}
	r := &run{o: &o, limiters: limiters, meter: meter, buckets: map[string]*bucketLedger{}, callers: make([]caller, o.InFlight)}
	for _, path := range o.Paths {
		ledgers := make([]*bucketLedger, len(path))
		for level, entity := range path {
			b := r.buckets[entity]
			if b == nil {
				b = newBucketLedger(engine.BucketName{Entity: entity, Resource: o.Resource}, o.Levels[level])
				r.buckets[entity] = b
			}
			ledgers[level] = b
		}
		r.paths = append(r.paths, ledgers)
	}
	if o.WarmUp > 0 {
		if t := r.stage(ctx, 0, o.WarmUp); t.inVain() {
			return r.report(t, meter.take(), false), t.first
		}
	}
	meter.take()
	t := r.stage(ctx, 1, o.Duration)
	report := r.report(t, meter.take(), ctx.Err() != nil)
	if t.inVain() {
		return report, t.first
	}
	return report, nil
}

// stage sends arrivals for a time and waits for the calls that they make.
func (r *run) stage(ctx context.Context, number uint64, most time.Duration) *tally {
	t := newTally(r.o.Now(), most)
	arrivals := make(chan arrival)
	var callers sync.WaitGroup
	for i := range r.callers {
		callers.Go(func() {
			for a := range arrivals {
				r.serve(context.WithoutCancel(ctx), &r.callers[i], t, &a)
			}
		})
	}
	done := make(chan struct{})
	var watcher sync.WaitGroup
	if r.o.Progress != nil {
		watcher.Go(func() { r.watch(ctx, t, number == 0, done) })
	}
	newSource(r.o, len(r.limiters), number).offer(ctx, t.start, most, arrivals)
	close(arrivals)
	callers.Wait()
	close(done)
	watcher.Wait()
	return t
}

// watch tells how far it has come, once a second.
func (r *run) watch(ctx context.Context, t *tally, warmingUp bool, done <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		<-done
		cancel()
	}()
	for r.o.Sleep(ctx, time.Second) == nil {
		p := t.progress(r.o.Now())
		p.WarmingUp = warmingUp
		r.o.Progress(p)
	}
	<-done
}

// serve makes the call of one arrival.
func (r *run) serve(ctx context.Context, c *caller, t *tally, a *arrival) {
	path := r.paths[a.entity]
	q := engine.Request{Entity: r.o.Paths[a.entity][0], Resource: r.o.Resource, Consume: r.o.Consume, Override: r.o.Override}
	c.began.Store(aboutTo)
	start := r.o.Now()
	c.began.Store(start.UnixNano())
	defer c.began.Store(idle)
	t.begin(a, start)
	lease, o, err := r.call(ctx, r.limiters[a.limiter], q)
	end := r.o.Now()
	for _, b := range path {
		b.touch()
		if o == admitted {
			b.admit(start, r.o.Now, r.o.Consume, r.oldest)
		}
	}
	t.end(a, end, o, err)
	if o != admitted || !r.o.Lease {
		return
	}
	if !a.rollBack {
		t.settled(false, lease.Commit(ctx))
		return
	}
	r.rollBack(path, func() { err = lease.Rollback(ctx) })
	t.settled(true, err)
}

func (r *run) call(ctx context.Context, l *engine.Limiter, q engine.Request) (*engine.Lease, outcome, error) {
	if r.o.Lease {
		lease, err := l.Acquire(ctx, q)
		var exceeded *engine.ExceededError
		switch {
		case errors.As(err, &exceeded):
			return nil, denied, nil
		case err != nil:
			return nil, failed, err
		case lease.Degraded():
			return lease, degraded, nil
		}
		return lease, admitted, nil
	}
	d, err := l.Allow(ctx, q)
	switch {
	case err != nil:
		return nil, failed, err
	case !d.Allowed:
		return nil, denied, nil
	case d.Degraded:
		return nil, degraded, nil
	}
	return nil, admitted, nil
}

// rollBack gives back, which each bucket of the path is told.
func (r *run) rollBack(path []*bucketLedger, f func()) {
	if len(path) == 0 {
		f()
		return
	}
	path[0].giveBack(r.o.Consume, func() { r.rollBack(path[1:], f) })
}

// oldest is an instant before which no call began that still goes on, in ns since the Unix epoch.
func (r *run) oldest() int64 {
	oldest := r.o.Now().UnixNano()
	for i := range r.callers {
		switch began := r.callers[i].began.Load(); began {
		case idle:
		case aboutTo:
			return 0 // it may have any
		default:
			oldest = min(oldest, began)
		}
	}
	return oldest
}
