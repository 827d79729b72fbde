package main

import (
	"context"
	"math"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
)

// bookAt is how many changes of one run wait, at most, until usage is made of them. Those of runs that write less wait in
// the file until somebody lists usage, or tidies: making usage at once would cost each acquire three syncs of the disk.
const bookAt = 1000

// book makes usage of all changes in a store that keeps them; d is the store as it is open. What earlier runs left is
// among them, also those that were killed.
func (s *store) book(ctx context.Context, d backend.Backend) error {
	if !s.books || d.Capabilities().Feed == nil {
		return nil
	}
	counted, err := aggregator.Count(d, &aggregator.Options{
		Windows: []aggregator.Window{aggregator.Hourly, aggregator.Daily, aggregator.Monthly}, Now: s.now,
	})
	if err == nil {
		s.waiting = 0
		err = counted.Drain(ctx) // it is not closed: d is the caller's
	}
	return err
}

// bookSome is book where this run has left much; written is what it writes now.
func (s *store) bookSome(ctx context.Context, d backend.Backend, written int) {
	if !s.books {
		return
	}
	if s.waiting += written; s.waiting >= bookAt {
		_ = s.book(ctx, d) // whoever lists usage gets the error
	}
}

// tidyMost is how many calls drop expired records, up to a thousand each. Some hundred runs lie between two times, and each
// makes a few.
const tidyMost = 10

// tidy drops expired records and makes usage, if the run has written anything: the engine does the former after thousands
// of writes, of which one process makes a few.
func (s *store) tidy(ctx context.Context, now time.Time) {
	if !s.written.Load() {
		return
	}
	_ = s.sweep(ctx, now, tidyMost) // who comes later will drop the others
	_ = s.with(func(d backend.Backend) error { return s.book(ctx, d) })
}

// tidyAll is tidy for whoever wants all of it done. Usage comes first: dropping a bucket is a change, too.
func (s *store) tidyAll(ctx context.Context, now time.Time) error {
	book := func() error { return s.with(func(d backend.Backend) error { return s.book(ctx, d) }) }
	if err := book(); err != nil {
		return err
	}
	if err := s.sweep(ctx, now, math.MaxInt); err != nil {
		return err
	}
	return book()
}

// sweep drops expired records, in so many calls at most.
func (s *store) sweep(ctx context.Context, now time.Time, calls int) error {
	for range calls {
		if n, err := s.Sweep(ctx, now.Unix()); n == 0 || err != nil {
			return err
		}
	}
	return nil
}
