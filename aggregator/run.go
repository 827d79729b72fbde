package aggregator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
)

// job is a planned write of a batch. It may be repeated if its outcome is unknown.
type job interface {
	// write returns the write to make now, unless it is no longer needed.
	write() (w backend.Write, needed bool, err error)
	// refused is called if the write was refused, with the record at that time.
	refused(r *backend.Record)
	// applied is called if the write took effect.
	applied()
	// changes returns the indexes of the changes that the write is for.
	changes() []int
}

const (
	maxRefusals      = 32  // rounds in a row in which every write was refused because of other writers
	maxErrors        = 6   // rounds with errors
	maxWritesPerCall = 200 // writes in one call of the store
	backoffUnit      = 25 * time.Millisecond
)

// run makes the writes of all jobs, and retries until all have succeeded or failed.
func (b *batch) run() {
	jobs, failures := b.jobs, 0
	for round := 1; len(jobs) > 0; round++ {
		left, err := b.round(jobs)
		if err == nil && len(left) == len(jobs) && round > maxRefusals {
			err = ErrBusy
			failures = maxErrors
		}
		if jobs = left; err == nil || len(jobs) == 0 {
			continue
		}
		if failures++; failures >= maxErrors || b.pause(failures) != nil {
			for _, j := range jobs {
				b.fail(j, err)
			}
			return
		}
	}
}

// round makes one write for each job. It returns the jobs to retry, and an error if the store did not decide some of them.
func (b *batch) round(jobs []job) (left []job, failure error) {
	for len(jobs) > 0 {
		var page []job
		var writes []backend.Write
		for len(jobs) > 0 && len(page) < maxWritesPerCall {
			j := jobs[0]
			jobs = jobs[1:]
			w, needed, err := j.write()
			switch {
			case err != nil:
				b.fail(j, err)
			case needed:
				page, writes = append(page, j), append(writes, w)
			}
		}
		retry, err := b.apply(page, writes)
		left = append(left, retry...)
		if err != nil {
			failure = err
		}
	}
	return left, failure
}

// apply makes the writes of jobs in one call of the store.
func (b *batch) apply(jobs []job, writes []backend.Write) (left []job, failure error) {
	if len(writes) == 0 {
		return nil, nil
	}
	outs := make([]backend.Outcome, len(writes))
	_ = b.a.store.Apply(b.ctx, writes, outs) // the outcomes have the errors
	for i, j := range jobs {
		switch o := &outs[i]; {
		case o.Err != nil && isRetryable(o.Err):
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

func isRetryable(err error) bool {
	return !errors.Is(err, context.Canceled) && (errors.Is(err, backend.ErrUnavailable) || errors.Is(err, backend.ErrContention) ||
		errors.Is(err, backend.ErrThrottled) || errors.Is(err, backend.ErrOutcomeUnknown))
}

// pause waits before retry n, counted from 1, with full jitter.
func (b *batch) pause(n int) error { return b.a.opts.Sleep(b.ctx, rand.N(backoffUnit<<n)) }

// fail marks the changes of a job as failed.
func (b *batch) fail(j job, err error) {
	for _, i := range j.changes() {
		if b.failed[i] == nil {
			b.failed[i] = fmt.Errorf("aggregator: process a change of %v: %w", b.changes[i].Key, err)
		}
	}
}
