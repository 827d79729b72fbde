package main

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// topCmd shows the busiest buckets.
type topCmd struct {
	EntityID string        `short:"e" aliases:"entity" placeholder:"ID" help:"Only buckets of this entity, or of those that match: team-*. Default: all."`
	Resource string        `short:"r" placeholder:"NAME" help:"Only buckets for this resource, or for those that match: gpt-*. Default: all."`
	Sort     topOrder      `default:"acquires" enum:"acquires,tokens,left,wait,name" placeholder:"ORDER" help:"acquires (a second), tokens (a second, of what refills), left (the emptiest first), wait (the longest first) or name. Default: ${default}."`
	Limit    int           `default:"0" placeholder:"N" help:"At most this many buckets. Default: as many as the screen has room for, 20 with --once."`
	Interval time.Duration `default:"2s" placeholder:"DURATION" help:"Time between two readings; with --once, 0s reads once and leaves out what is a second. Default: ${default}."`
	Sample   int           `default:"2000" placeholder:"N" help:"Read at most this many buckets at a time. Default: ${default}."`
	Once     bool          `help:"Print one table, or document, and end."`
	Output
}

// Help says what can be known, and shows examples.
func (*topCmd) Help() string {
	return `A bucket's record tells what is left of each limit and what was taken ever; two readings tell what is taken a second. It does not tell denials: a denial writes nothing. What is empty denies until ADMITS IN has passed, which is the time until one token is there.

Nothing is written. Where there are more buckets than --sample, each reading takes the busiest ones of before and the next ones of all, and the head says so. On DynamoDB a reading costs a read unit a bucket, and to find the buckets the table is read, for a tenth of the time at the most: with the defaults some 1,100 read units a second. --entity-id with one id reads that entity's buckets only.

Keys: s sorts by the next column, q quits.

Examples:

    zae-limiter top --once
    zae-limiter top --once --interval 0s --sort left --resource gpt-* -o json

On a terminal, live:

    $ zae-limiter top --entity-id team-* --sort left`
}

// Run reads twice and prints, or goes on reading.
func (c *topCmd) Run(ctx context.Context, app *App) error {
	if err := c.check(app); err != nil {
		return err
	}
	limiter, err := app.limiter()
	if err != nil {
		return err
	}
	defer limiter.Close() //nolint:errcheck // it has nothing to give back
	s := newSampler(limiter, app.Now, c.EntityID, c.Resource, c.Sample)
	if err := s.take(ctx); err != nil {
		return err
	}
	if !c.Once {
		return newTopScreen(app, c, s).show(ctx)
	}
	if c.Interval > 0 {
		if err := app.Sleep(ctx, c.Interval); err != nil {
			return err
		}
		if err := s.reread(ctx); err != nil {
			return err
		}
	}
	limit := c.Limit
	if limit == 0 {
		limit = 20
	}
	return app.print(c.Output.Output, c.document(app, s, limit))
}

func (c *topCmd) check(app *App) error {
	switch {
	case c.Limit < 0:
		return usage("--limit %d: must be 1 or more, or 0 for as many as there is room for", c.Limit)
	case c.Sample < 1 || c.Sample > 100_000:
		return usage("--sample %d: must be 1 to 100000", c.Sample)
	case c.Interval < 0 || c.Interval > mostAway:
		return usage("--interval %v: must be 0s to %v", c.Interval, mostAway)
	case c.Once:
		return nil
	case c.Output.Output != formatTable:
		return usage("--output %s needs --once", c.Output.Output)
	case c.Interval < 100*time.Millisecond:
		return usage("--interval %v: must be 100ms or more without --once", c.Interval)
	case !app.drawable():
		return usage("a live view needs a terminal; add --once to print a table")
	}
	return nil
}

// topDoc is what was read.
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

// topSum is what all buckets together did.
type topSum struct {
	acquires, writes float64 // a second
	empty            int     // buckets of which some limit has not one token
}

func (s *topSum) add(t *track) {
	if t.rates != nil {
		s.acquires, s.writes = s.acquires+t.rates.acquires, s.writes+t.rates.writes
	}
	if slices.ContainsFunc(t.Limits, func(l engine.LimitState) bool { return l.RetryAfter > 0 }) {
		s.empty++
	}
}

// topBucketDoc is a bucket.
type topBucketDoc struct {
	Entity            string        `json:"entity_id"`
	Resource          string        `json:"resource"`
	Acquires          int64         `json:"acquires"`
	AcquiresPerSecond *float64      `json:"acquires_per_second"`
	WritesPerSecond   *float64      `json:"writes_per_second"`
	WrittenAt         moment        `json:"written_at"`
	Limits            []topLimitDoc `json:"limits"`
}

// topLimitDoc is one of its limits.
type topLimitDoc struct {
	limitDoc
	Available       int64    `json:"available"`
	Used            int64    `json:"used"`
	TokensPerSecond *float64 `json:"tokens_per_second"`
	RetryAfter      float64  `json:"retry_after_seconds"`

	wait time.Duration
}

// document is what was read, in order, up to a number of buckets.
func (c *topCmd) document(app *App, s *sampler, most int) topDoc {
	s.lock.Lock()
	defer s.lock.Unlock()
	d := topDoc{
		Store: app.store.url, Namespace: app.Namespace, Time: moment{app.Now()}, Complete: s.complete,
		Read: s.read, Matching: len(s.seen), Buckets: []topBucketDoc{},
	}
	if c.Interval > 0 {
		d.Interval = new(c.Interval.Seconds())
	}
	for n, t := range c.Sort.order(s.seen) {
		if n < most {
			d.Buckets = append(d.Buckets, t.document())
		}
		d.sum.add(t)
	}
	return d
}

func (t *track) document() topBucketDoc {
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
