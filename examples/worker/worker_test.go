package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/kong"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// office is a worker on a memory store with a clock that the test sets, and what it has reported.
type office struct {
	worker
	limiter *limitertest.Limiter
	lock    sync.Mutex
	lines   []string // "id outcome"
	errs    []error
}

// open opens an office for two jobs and 1,000 tokens a minute, one at a time. Each job uses 100 tokens.
func open(t *testing.T, o *engine.Options) *office {
	t.Helper()
	f := &office{limiter: limitertest.New(t, o)}
	f.worker = worker{
		limiter: f.limiter.Limiter, parallel: 1, patience: time.Hour, jobTime: time.Minute,
		request: engine.Request{Entity: "workers", Resource: "jobs", Limits: []engine.Limit{engine.PerMinute("rpm", 2), engine.PerMinute("tpm", 1_000)}},
		do:      func(context.Context, job) (int64, error) { return 100, nil },
		report: func(j job, what outcome, err error) {
			f.lock.Lock()
			defer f.lock.Unlock()
			f.lines, f.errs = append(f.lines, j.ID+" "+string(what)), append(f.errs, err)
		},
	}
	return f
}

// jobs is a queue of jobs with these estimates, called 0, 1, ….
func jobs(estimates ...int64) <-chan job {
	queue := make(chan job, len(estimates))
	for i, tokens := range estimates {
		queue <- job{fmt.Sprint(i), tokens}
	}
	close(queue)
	return queue
}

func (f *office) want(t *testing.T, lines ...string) {
	t.Helper()
	if !slices.Equal(f.lines, lines) {
		t.Errorf("%q, want %q; errors %v", f.lines, lines, f.errs)
	}
}

// Five jobs, two of which fit at once, take a minute and a half. Estimates are corrected.
func TestRate(t *testing.T) {
	f := open(t, nil)
	began := f.limiter.Clock.Now()
	f.run(t.Context(), jobs(200, 200, 200, 200, 200))
	f.want(t, "0 done", "1 done", "2 done", "3 done", "4 done")
	if took := f.limiter.Clock.Now().Sub(began); took < 90*time.Second || took > 91*time.Second {
		t.Errorf("five jobs took %v", took)
	}
	f.limiter.AssertCharged("workers", "jobs", engine.Tokens{"rpm": 5, "tpm": 500})
}

// A job that cannot begin in time, or never, is known at once and takes nothing.
func TestDeadline(t *testing.T) {
	f := open(t, nil)
	f.patience = 20 * time.Second
	began := f.limiter.Clock.Now()
	f.run(t.Context(), jobs(100, 100, 100, 1_001))
	f.want(t, "0 done", "1 done", "2 late", "3 rejected")
	if now := f.limiter.Clock.Now(); !now.Equal(began) {
		t.Errorf("it took %v to know that", now.Sub(began))
	}
	if _, isDenial := errors.AsType[*engine.ExceededError](f.errs[2]); !isDenial {
		t.Error(f.errs[2])
	}
	f.limiter.AssertCharged("workers", "jobs", engine.Tokens{"rpm": 2, "tpm": 200})
}

// A job that fails is refunded, and jobs are put back if the store cannot be reached.
func TestFailures(t *testing.T) {
	f := open(t, &engine.Options{Timeout: 20 * time.Millisecond})
	f.do = func(context.Context, job) (int64, error) { return 0, errBadAnswer }
	f.run(t.Context(), jobs(100))
	f.limiter.AssertCharged("workers", "jobs", engine.Tokens{})
	f.limiter.Hang() // the deadline that passes is the store's, and the job is not late
	f.run(t.Context(), jobs(100))
	f.limiter.Down()
	f.run(t.Context(), jobs(100))
	f.want(t, "0 failed", "0 put back", "0 put back")
	if !errors.Is(f.errs[1], engine.ErrUnavailable) || !errors.Is(f.errs[2], engine.ErrUnavailable) {
		t.Error(f.errs)
	}
}

// A job that can never be done is not put back: it would come again for ever.
func TestInvalidJobs(t *testing.T) {
	f := open(t, nil)
	f.run(t.Context(), jobs(-1, bucket.MaxAmount+1))
	f.want(t, "0 rejected", "1 rejected")
}

// If the worker stops, the job that has begun ends, and no more are taken.
func TestStop(t *testing.T) {
	f := open(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	f.do = func(ctx context.Context, j job) (int64, error) {
		stop()
		return j.Tokens, ctx.Err()
	}
	queue := jobs(10, 10)
	f.run(ctx, queue)
	f.want(t, "0 done")
	if left := <-queue; left.ID != "1" {
		t.Error("a stopped worker has taken a job")
	}
	f.limiter.AssertCharged("workers", "jobs", engine.Tokens{"rpm": 1, "tpm": 10})
}

// What is no job ends the input.
func TestInput(t *testing.T) {
	var out strings.Builder
	q := newQueue(strings.NewReader(`{"id":"a","tokens":7}`+"\nno job\n"), &out)
	for j := range q.jobs(t.Context()) {
		q.report(j, done, nil)
	}
	if err := q.err(); !errors.Is(err, errBadJob) || out.String() != `{"id":"a","outcome":"done"}`+"\n" {
		t.Error(err, out.String())
	}
}

// Flags by which no job would be done are refused.
func TestFlags(t *testing.T) {
	for flag, want := range map[string]error{"--patience=1s": nil, "--parallel=0": errNoJobs, "--patience=0s": errNoJobs, "--job-time=-1s": errNoJobs} {
		var c config
		parser, err := kong.New(&c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = parser.Parse([]string{"--url=http://127.0.0.1", "--table=t", flag}); !errors.Is(err, want) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// A job whose URL never answers does not hold the worker, not even if it stops.
func TestJobThatNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, start := open(t, nil), time.Now()
		ctx, stop := context.WithCancel(t.Context())
		f.do = func(ctx context.Context, _ job) (int64, error) {
			stop()
			<-ctx.Done()
			return 0, ctx.Err()
		}
		f.run(ctx, jobs(100))
		if took := time.Since(start); took != time.Minute {
			t.Errorf("it took %v", took)
		}
		f.want(t, "0 failed")
		f.limiter.AssertCharged("workers", "jobs", engine.Tokens{})
	})
}
