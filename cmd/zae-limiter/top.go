package main

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// topCmd shows the busiest buckets.
type topCmd struct {
	EntityID string        `short:"e" aliases:"entity" placeholder:"ID" help:"Only buckets of this entity, or of entities that match a pattern such as team-*. Default: all."`
	Resource string        `short:"r" placeholder:"NAME" help:"Only buckets for this resource, or for resources that match a pattern such as gpt-*. Default: all."`
	Sort     topOrder      `default:"acquires" enum:"acquires,tokens,left,wait,name" placeholder:"ORDER" help:"acquires (per second), tokens (per second, as a share of the refill), left (the emptiest first), wait (the longest first) or name. Default: ${default}."`
	Limit    int           `default:"0" placeholder:"N" help:"Maximum number of buckets. Default: as many as fit on the screen, 20 with --once."`
	Interval time.Duration `default:"2s" placeholder:"DURATION" help:"Time between two readings; with --once, 0s reads once and shows no rates. Default: ${default}."`
	Sample   int           `default:"2000" placeholder:"N" help:"Maximum number of buckets in one reading. Default: ${default}."`
	Once     bool          `help:"Print one table or document, and exit."`
	Output
}

// Run reads twice and prints, or shows the live view.
func (c *topCmd) Run(ctx context.Context, app *App, limiter *engine.Limiter) error {
	if err := c.check(app); err != nil {
		return err
	}
	s := newSampler(limiter, app.Now, c.EntityID, c.Resource, c.Sample)
	if err := s.sample(ctx); err != nil {
		return err
	}
	if !c.Once {
		return (&topScreen{app: app, cmd: *c, s: s, last: app.Now()}).show(ctx)
	}
	if c.Interval > 0 {
		if err := app.Sleep(ctx, c.Interval); err != nil {
			return err
		}
		if err := s.reread(ctx); err != nil {
			return err
		}
	}
	return app.print(c.Output.Output, c.document(app, s, cmp.Or(c.Limit, 20)))
}

func (c *topCmd) check(app *App) error {
	switch {
	case c.Limit < 0:
		return usageErrorf("--limit %d must be at least 1, or 0 for as many as fit", c.Limit)
	case c.Sample < 1 || c.Sample > 100_000:
		return usageErrorf("--sample %d must be 1 to 100000", c.Sample)
	case c.Interval < 0 || c.Interval > maxReadingGap:
		return usageErrorf("--interval %v must be 0s to %v", c.Interval, maxReadingGap)
	case c.Once:
		return nil
	case c.Output.Output != formatTable:
		return usageErrorf("--output %s needs --once", c.Output.Output)
	case c.Interval < 100*time.Millisecond:
		return usageErrorf("--interval %v must be at least 100ms without --once", c.Interval)
	case !app.drawable(app.Out):
		return usageErrorf("the live view needs a terminal: pass --once to print a table")
	}
	return nil
}

// topDoc is the result of a reading.
type topDoc struct {
	Store     string         `json:"store"`
	Namespace string         `json:"namespace"`
	Time      moment         `json:"time"`
	Interval  *float64       `json:"interval_seconds"`
	Complete  bool           `json:"complete"`
	Read      int            `json:"buckets_read"`
	Matching  int            `json:"buckets_matching"`
	Buckets   []topBucketDoc `json:"buckets"`

	sum topSum
}

// topSum sums over all known buckets.
type topSum struct {
	acquires, writes float64 // per second
	empty            int     // number of buckets with a limit that has less than one token
}

func (s *topSum) add(t *bucketTrack) {
	if t.rates != nil {
		s.acquires, s.writes = s.acquires+t.rates.acquires, s.writes+t.rates.writes
	}
	if slices.ContainsFunc(t.Limits, func(l engine.LimitState) bool { return l.RetryAfter > 0 }) {
		s.empty++
	}
}

// topBucketDoc describes a bucket.
type topBucketDoc struct {
	Entity            string        `json:"entity_id"`
	Resource          string        `json:"resource"`
	Acquires          int64         `json:"acquires"`
	AcquiresPerSecond *float64      `json:"acquires_per_second"`
	WritesPerSecond   *float64      `json:"writes_per_second"`
	WrittenAt         moment        `json:"written_at"`
	Limits            []topLimitDoc `json:"limits"`
}

// topLimitDoc describes a limit of a bucket.
type topLimitDoc struct {
	limitDoc
	Available       int64    `json:"available"`
	Used            int64    `json:"used"`
	TokensPerSecond *float64 `json:"tokens_per_second"`
	RetryAfter      float64  `json:"retry_after_seconds"`

	wait time.Duration
}

// document returns the current state of at most limit buckets, sorted.
func (c *topCmd) document(app *App, s *sampler, limit int) topDoc {
	s.lock.Lock()
	defer s.lock.Unlock()
	d := topDoc{
		Store: app.store.url, Namespace: app.Namespace, Time: moment{app.Now()}, Complete: s.complete,
		Read: s.read, Matching: len(s.tracks), Buckets: []topBucketDoc{},
	}
	if c.Interval > 0 {
		d.Interval = new(c.Interval.Seconds())
	}
	for n, t := range c.Sort.order(s.tracks) {
		if n < limit {
			d.Buckets = append(d.Buckets, t.document())
		}
		d.sum.add(t)
	}
	return d
}

func (t *bucketTrack) document() topBucketDoc {
	b := topBucketDoc{Entity: t.Entity, Resource: t.Resource, Acquires: t.Acquires, WrittenAt: moment{t.WrittenAt}}
	if t.rates != nil {
		b.AcquiresPerSecond, b.WritesPerSecond = new(rounded(t.rates.acquires)), new(rounded(t.rates.writes))
	}
	for i, l := range t.Limits {
		d := topLimitDoc{limitDocOf(l.Limit), l.Available, l.Used, nil, math.Ceil(l.RetryAfter.Seconds()*1000) / 1000, l.RetryAfter}
		if t.rates != nil {
			d.TokensPerSecond = new(rounded(t.rates.tokens[i]))
		}
		b.Limits = append(b.Limits, d)
	}
	return b
}
