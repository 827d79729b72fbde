package main

import (
	"context"
	"math"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
)

// aggregateAfter is the number of changes after which a run aggregates them to usage. The changes of runs that write less wait
// in the file until usage is listed or the store is tidied: aggregating at once would cost three syncs per acquire.
const aggregateAfter = 1000

// aggregate turns all waiting changes into usage, including those of earlier runs and of runs that were killed. d is the open
// store.
func (s *store) aggregate(ctx context.Context, d backend.Backend) error {
	if !s.aggregates || d.Capabilities().Feed == nil {
		return nil
	}
	counted, err := aggregator.Count(d, &aggregator.Options{
		Windows: []aggregator.Window{aggregator.Hourly, aggregator.Daily, aggregator.Monthly}, Now: s.now,
	})
	if err == nil {
		s.unaggregated = 0
		err = counted.Drain(ctx) // not closed: the caller owns d
	}
	return err
}

// aggregateIfDue counts written changes, and aggregates if there are many.
func (s *store) aggregateIfDue(ctx context.Context, d backend.Backend, written int) {
	if !s.aggregates {
		return
	}
	if s.unaggregated += written; s.unaggregated >= aggregateAfter {
		_ = s.aggregate(ctx, d) // listing usage reports the error
	}
}

// maxSweeps bounds the calls that remove expired records, up to a thousand each. A store is tidied every few hundred runs, each
// of which creates a few records.
const maxSweeps = 10

// tidy removes expired records and aggregates usage, if the run has written anything. The engine itself only removes records
// after thousands of writes, more than one run makes.
func (s *store) tidy(ctx context.Context, now time.Time) {
	if !s.written.Load() {
		return
	}
	_ = s.sweep(ctx, now, maxSweeps) // later runs remove the rest
	_ = s.withWriter(func(d backend.Backend) error { return s.aggregate(ctx, d) })
}

// tidyAll removes all expired records and aggregates all usage. It aggregates first and last, since removing a bucket is a
// change too.
func (s *store) tidyAll(ctx context.Context, now time.Time) error {
	aggregate := func() error { return s.withWriter(func(d backend.Backend) error { return s.aggregate(ctx, d) }) }
	if err := aggregate(); err != nil {
		return err
	}
	if err := s.sweep(ctx, now, math.MaxInt); err != nil {
		return err
	}
	return aggregate()
}

// sweep removes expired records with at most this many calls.
func (s *store) sweep(ctx context.Context, now time.Time, calls int) error {
	for range calls {
		if n, err := s.Sweep(ctx, now.Unix()); n == 0 || err != nil {
			return err
		}
	}
	return nil
}
