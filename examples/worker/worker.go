package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// job is what the queue has.
type job struct {
	ID     string `json:"id"`
	Tokens int64  `json:"tokens"` // an estimate
}

// outcome is what became of a job.
type outcome string

const (
	done     outcome = "done"
	late     outcome = "late"     // its tokens would come too late
	rejected outcome = "rejected" // it is larger than a limit, or its estimate is invalid
	putBack  outcome = "put back" // the worker stops, or the store cannot be reached
	failed   outcome = "failed"
)

// worker does jobs as fast as the limits allow.
type worker struct {
	limiter  *engine.Limiter
	request  engine.Request // without tokens
	parallel int            // jobs at a time
	patience time.Duration  // how long a job may wait for its tokens
	jobTime  time.Duration  // how long do may take
	do       func(context.Context, job) (used int64, err error)
	report   func(job, outcome, error) // called concurrently
}

// run takes jobs until there are no more or ctx ends, and returns when those that it has taken have ended.
func (w *worker) run(ctx context.Context, jobs <-chan job) {
	var all sync.WaitGroup
	for range w.parallel {
		all.Go(func() {
			for ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case j, more := <-jobs:
					if !more {
						return
					}
					what, err := w.one(ctx, j)
					w.report(j, what, err)
				}
			}
		})
	}
	all.Wait()
}

// one waits for the tokens of a job, and does it.
func (w *worker) one(ctx context.Context, j job) (outcome, error) {
	r := w.request
	r.Consume = engine.Tokens{"rpm": 1, "tpm": j.Tokens}
	waiting, cancel := context.WithTimeout(ctx, w.patience)
	defer cancel()
	lease, err := w.limiter.Wait(waiting, r)
	denial, denied := errors.AsType[*engine.ExceededError](err)
	invalid, isInvalid := errors.AsType[*engine.ValidationError](err)
	switch {
	case denied && denial.NeverFits, isInvalid && strings.HasPrefix(invalid.Field, "Consume"):
		return rejected, err
	case denied && ctx.Err() == nil:
		return late, err
	case err != nil:
		return putBack, err
	}
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), w.jobTime) // what has begun ends, also if the worker stops
	defer end()
	used, err := w.do(ctx, j)
	if err != nil {
		return failed, errors.Join(err, lease.Rollback(ctx))
	}
	return done, errors.Join(lease.Adjust(engine.Tokens{"tpm": used - j.Tokens}), lease.Commit(ctx))
}
