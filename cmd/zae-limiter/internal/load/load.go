package load

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// run is the state of a load in progress.
type run struct {
	o        *Options
	limiters []*engine.Limiter
	meter    *Meter
	buckets  map[string]*bucketLedger // by entity
	paths    [][]*bucketLedger        // for each element of Options.Paths
	callers  []caller
}

// caller makes one call at a time.
type caller struct {
	start atomic.Int64 // start of its call in ns since the Unix epoch, or idle, or starting
	_     [56]byte
}

// Values of start without a call.
const (
	idle     = 0
	starting = -1 // it is about to read the clock
)

// Run sends the load to the limiters, each of which stands for a process, and returns a report. meter must be the observer of all
// limiters. When ctx is done, no more arrivals come, and the report covers those before. Run returns an error only if every call
// failed: the first one.
func Run(ctx context.Context, limiters []*engine.Limiter, meter *Meter, o Options) (*Report, error) {
	r := newRun(&o, limiters, meter)
	if o.WarmUp > 0 {
		if t := r.runStage(ctx, 0, o.WarmUp); t.allFailed() {
			return r.report(t, meter.reset(), false), t.first
		}
	}
	meter.reset()
	t := r.runStage(ctx, 1, o.Duration)
	report := r.report(t, meter.reset(), ctx.Err() != nil)
	if t.allFailed() {
		return report, t.first
	}
	return report, nil
}

func newRun(o *Options, limiters []*engine.Limiter, meter *Meter) *run {
	o.InFlight = cmp.Or(o.InFlight, 256)
	r := &run{o: o, limiters: limiters, meter: meter, buckets: map[string]*bucketLedger{}, callers: make([]caller, o.InFlight)}
	for _, path := range o.Paths {
		ledgers := make([]*bucketLedger, len(path))
		for level, entity := range path {
			b := r.buckets[entity]
			if b == nil {
				b = newBucketLedger(engine.BucketName{Entity: entity, Resource: o.Resource}, o.Levels[level], o.Excess)
				r.buckets[entity] = b
			}
			ledgers[level] = b
		}
		r.paths = append(r.paths, ledgers)
	}
	return r
}

// runStage sends arrivals for a duration and waits for their calls.
func (r *run) runStage(ctx context.Context, number uint64, length time.Duration) *tally {
	t := newTally(r.o.Now(), length)
	arrivals := make(chan arrival)
	var callers sync.WaitGroup
	for i := range r.callers {
		callers.Go(func() {
			for a := range arrivals {
				r.serve(context.WithoutCancel(ctx), &r.callers[i], t, &a)
			}
		})
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var watcher sync.WaitGroup
	if r.o.Progress != nil {
		watcher.Go(func() { r.reportProgress(watching, t, number == 0) })
	}
	newSource(r.o, len(r.limiters), number).send(ctx, t.start, length, arrivals)
	close(arrivals)
	callers.Wait()
	stop()
	watcher.Wait()
	return t
}

// reportProgress calls Options.Progress once a second, until ctx is done.
func (r *run) reportProgress(ctx context.Context, t *tally, warmingUp bool) {
	for r.o.Sleep(ctx, time.Second) == nil {
		p := t.progress(r.o.Now())
		p.WarmingUp = warmingUp
		r.o.Progress(p)
	}
}

// serve makes the call of an arrival.
func (r *run) serve(ctx context.Context, c *caller, t *tally, a *arrival) {
	path := r.paths[a.entity]
	q := engine.Request{Entity: r.o.Paths[a.entity][0], Resource: r.o.Resource, Consume: r.o.Consume, Override: r.o.Override}
	c.start.Store(starting)
	start := r.o.Now()
	c.start.Store(start.UnixNano())
	defer c.start.Store(idle)
	t.begin(a, start)
	lease, o, err := r.decide(ctx, r.limiters[a.limiter], q)
	end := r.o.Now()
	for _, b := range path {
		b.markUsed()
		if o == admitted {
			b.admit(start, r.o.Now, r.o.Consume, r.oldestStart)
		}
	}
	if o == admitted {
		r.o.Journal.add(Event{Admission, a.entity, start.UnixNano(), end.UnixNano()})
	}
	t.end(a, end, o, err)
	if o != admitted || !r.o.Lease {
		return
	}
	if !a.rollBack {
		t.leaseEnded(false, lease.Commit(ctx))
		return
	}
	r.o.Journal.add(Event{Kind: RefundStarted, Path: a.entity, At: r.o.Now().UnixNano()})
	r.refund(path, func() { err = lease.Rollback(ctx) })
	r.o.Journal.add(Event{Kind: RefundEnded, Path: a.entity, At: r.o.Now().UnixNano()})
	t.leaseEnded(true, err)
}

func (r *run) decide(ctx context.Context, l *engine.Limiter, q engine.Request) (*engine.Lease, outcome, error) {
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

// refund calls f, which refunds the tokens, between the start and the end of the refund in the ledgers of all buckets in the path.
func (r *run) refund(path []*bucketLedger, f func()) {
	if len(path) == 0 {
		f()
		return
	}
	path[0].refund(r.o.Consume, func() { r.refund(path[1:], f) })
}

// oldestStart returns a time, in ns since the Unix epoch, such that all calls in progress started then or later.
func (r *run) oldestStart() int64 {
	oldest := r.o.Now().UnixNano()
	for i := range r.callers {
		switch began := r.callers[i].start.Load(); began {
		case idle:
		case starting:
			return 0 // it may start at any time
		default:
			oldest = min(oldest, began)
		}
	}
	return oldest
}
