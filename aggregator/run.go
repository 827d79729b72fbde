package aggregator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
)

// job is one write that a batch asks for, which may be made again where its outcome is unknown.
type job interface {
	// write is the write as it must be made now; it may not be needed any more.
	write() (w backend.Write, needed bool, err error)
	// refused learns from the record as it stood when the write was refused.
	refused(r *backend.Record)
	// applied notes that the last write was made.
	applied()
	// changes are the indexes of the changes that want what is still to be written.
	changes() []int
}

const (
	mostRefusals = 32  // in a row of one job: each means that somebody else wrote
	mostErrors   = 6   // of all jobs together
	together     = 200 // writes in one call of the store
	backoffUnit  = 25 * time.Millisecond
)

// run makes the jobs' writes, again and again until all are made or given up.
func (b *batch) run() {
	jobs, failures := b.jobs, 0
	for round := 1; len(jobs) > 0; round++ {
		left, err := b.round(jobs)
		if err == nil && len(left) == len(jobs) && round > mostRefusals {
			err = ErrBusy
			failures = mostErrors
		}
		if jobs = left; err == nil || len(jobs) == 0 {
			continue
		}
		if failures++; failures >= mostErrors || b.pause(failures) != nil {
			for _, j := range jobs {
				b.fail(j, err)
			}
			return
		}
	}
}

// round makes one write for each job. It gives the jobs that must be tried again, and an error where some of them were not
// judged.
func (b *batch) round(jobs []job) (left []job, failure error) {
	for len(jobs) > 0 {
		var some []job
		var writes []backend.Write
		for len(jobs) > 0 && len(some) < together {
			j := jobs[0]
			jobs = jobs[1:]
			w, needed, err := j.write()
			switch {
			case err != nil:
				b.fail(j, err)
			case needed:
				some, writes = append(some, j), append(writes, w)
			}
		}
		again, err := b.apply(some, writes)
		left = append(left, again...)
		if err != nil {
			failure = err
		}
	}
	return left, failure
}

// apply makes writes of jobs in one call of the store.
func (b *batch) apply(jobs []job, writes []backend.Write) (left []job, failure error) {
	if len(writes) == 0 {
		return nil, nil
	}
	outs := make([]backend.Outcome, len(writes))
	_ = b.a.store.Apply(b.ctx, writes, outs) // its error is in the outcomes
	for i, j := range jobs {
		switch o := &outs[i]; {
		case o.Err != nil && worthAnotherTry(o.Err):
			left, failure = append(left, j), o.Err
		case o.Err != nil:
			b.fail(j, o.Err)
		case o.Applied:
			j.applied()
		default:
			j.refused(&o.Record)
			left = append(left, j)
		}
	}
	return left, failure
}

func worthAnotherTry(err error) bool {
	return !errors.Is(err, context.Canceled) && (errors.Is(err, backend.ErrUnavailable) ||
		errors.Is(err, backend.ErrContention) || errors.Is(err, backend.ErrOutcomeUnknown))
}

// pause waits before try n, from 1, with full jitter.
func (b *batch) pause(n int) error { return b.a.opts.Sleep(b.ctx, rand.N(backoffUnit<<n)) }

// fail reports what a job was asked for by.
func (b *batch) fail(j job, err error) {
	for _, i := range j.changes() {
		if b.failed[i] == nil {
			b.failed[i] = fmt.Errorf("aggregator: %v was not taken in: %w", b.changes[i].Key, err)
		}
	}
}
