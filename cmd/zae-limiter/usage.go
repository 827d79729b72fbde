package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// UsageOf are the flags that say which usage is meant.
type UsageOf struct {
	EntityID string        `short:"e" placeholder:"ID" help:"Of this entity. Default: of all that used the resource."`
	Resource string        `short:"r" placeholder:"NAME" help:"Of this resource. Default: of all that the entity used."`
	Window   engine.Window `short:"w" default:"hourly" enum:"hourly,daily,monthly" placeholder:"WINDOW" help:"hourly, daily or monthly (where the deployment has it). Default: ${default}."`
	Start    timeFlag      `placeholder:"TIME" help:"From the windows that start then: 2026-03-01, 2026-03-01T14:00, or 24h for so long ago. UTC. Default: the oldest."`
	End      timeFlag      `placeholder:"TIME" help:"Up to the windows that start before then. Default: the newest."`
}

func (u *UsageOf) query(now time.Time) (engine.UsageQuery, error) {
	if u.EntityID == "" && u.Resource == "" {
		return engine.UsageQuery{}, usage("whose usage? Name --entity-id, --resource or both")
	}
	return engine.UsageQuery{Entity: u.EntityID, Resource: u.Resource, Window: u.Window, From: u.Start.at(now), To: u.End.at(now)}, nil
}

// timeFlag is a time on the command line, or how long ago it was.
type timeFlag struct {
	given time.Time
	ago   time.Duration
	isAgo bool
}

// UnmarshalText reads a time in UTC, or with a zone of its own, or a duration.
func (f *timeFlag) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.Parse(layout, string(text)); err == nil {
			*f = timeFlag{given: t}
			return nil
		}
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 {
		return usage("%q is no time; write 2026-03-01, 2026-03-01T14:00, 2026-03-01T14:00:00Z, or how long ago, for example 24h", text)
	}
	*f = timeFlag{ago: d, isAgo: true}
	return nil
}

func (f *timeFlag) at(now time.Time) time.Time {
	if f.isAgo {
		return now.Add(-f.ago)
	}
	return f.given
}

// usageListCmd lists snapshots.
type usageListCmd struct {
	UsageOf
	Limit int    `short:"l" default:"100" placeholder:"N" help:"At most this many; 0: all. Default: ${default}."`
	After string `placeholder:"POSITION" help:"Go on behind this position: 'next' of the list before."`
	Plot  bool   `short:"p" help:"Draw a chart of each limit instead, with the usage of all entities or resources in the list added up."`
	Output
}

// Help shows examples.
func (*usageListCmd) Help() string {
	return `Usage is what was consumed and not given back, by the window in which it was. A deployment adds it up some seconds later and
keeps it for its retention; a file is brought up to date by this command, unless it can only be read. DynamoDB Local has no
aggregator, and so no usage. A give-back counts where it happens, so a window
may be negative.

Examples:

    zae-limiter usage list --entity-id user-123
    zae-limiter usage list --resource gpt-4 --window daily --start 168h -o json
    zae-limiter usage list -e user-123 -r gpt-4 --start 2026-03-04 --end 2026-03-05 --plot`
}

// Run lists or draws them.
func (c *usageListCmd) Run(ctx context.Context, app *App) error {
	q, err := c.query(app.Now())
	if err != nil {
		return err
	}
	if c.Plot && c.Output.Output != formatTable {
		return usage("--plot draws for people; leave out --output")
	}
	return app.use(ctx, func(l *engine.Limiter) error {
		snapshots, next, err := collect(Paging{c.Limit, c.After}, func(p engine.Page) (engine.UsagePage, error) {
			q.Page = p
			return l.Usage(ctx, q)
		})
		if err != nil {
			return err
		}
		if len(snapshots) == 0 {
			app.sayUnbooked()
		}
		d := usageDoc{make([]snapshotDoc, len(snapshots)), orNull(next)}
		for i, s := range snapshots {
			d.Usage[i] = snapshotDoc{s.Entity, s.Resource, s.Window, moment{s.Start}, moment{s.End}, s.Tokens, s.Acquires}
		}
		if c.Plot {
			return app.plot(d)
		}
		return app.print(c.Output.Output, d)
	})
}

// usageSummaryCmd adds snapshots up.
type usageSummaryCmd struct {
	UsageOf
	Output
}

// Help shows examples.
func (*usageSummaryCmd) Help() string {
	return `Windows of the three kinds each have all usage, so only those of one kind are added up.

Examples:

    zae-limiter usage summary --entity-id user-123
    zae-limiter usage summary -r gpt-4 -w daily --start 2026-03-01 --end 2026-04-01 -o json`
}

// Run adds them up.
func (c *usageSummaryCmd) Run(ctx context.Context, app *App) error {
	q, err := c.query(app.Now())
	if err != nil {
		return err
	}
	return app.use(ctx, func(l *engine.Limiter) error {
		sum, err := l.UsageSummary(ctx, q)
		if err != nil {
			return err
		}
		if sum.Snapshots == 0 {
			app.sayUnbooked()
		}
		return app.print(c.Output.Output, usageSummaryDoc{
			orNull(q.Entity), orNull(q.Resource), q.Window, sum.Snapshots, moment{sum.Start}, moment{sum.End}, sum.Total, sum.Acquires,
		})
	})
}

// snapshotDoc is what was used in one window.
type snapshotDoc struct {
	Entity   string        `json:"entity_id"`
	Resource string        `json:"resource"`
	Window   engine.Window `json:"window"`
	Start    moment        `json:"start"`
	End      moment        `json:"end"`
	Tokens   engine.Tokens `json:"tokens"`
	Acquires int64         `json:"acquires"`
}

// usageDoc lists snapshots.
type usageDoc struct {
	Usage []snapshotDoc `json:"usage"`
	Next  *string       `json:"next"`
}

func (d usageDoc) table() table {
	t := table{head: []string{"START", "WINDOW", "ENTITY", "RESOURCE", "ACQUIRES", "TOKENS"}, next: text(d.Next)}
	for _, s := range d.Usage {
		t.rows = append(t.rows, []string{
			s.Start.String(), string(s.Window), s.Entity, s.Resource, strconv.FormatInt(s.Acquires, 10), tokensText(s.Tokens),
		})
	}
	return t
}

// usageSummaryDoc is a sum of snapshots.
type usageSummaryDoc struct {
	Entity    *string       `json:"entity_id"`
	Resource  *string       `json:"resource"`
	Window    engine.Window `json:"window"`
	Snapshots int           `json:"snapshots"`
	Start     moment        `json:"start"`
	End       moment        `json:"end"`
	Tokens    engine.Tokens `json:"tokens"`
	Acquires  int64         `json:"acquires"`
}

func (d usageSummaryDoc) table() table {
	return table{rows: [][]string{
		{"entity", text(d.Entity)},
		{"resource", text(d.Resource)},
		{"window", string(d.Window)},
		{"snapshots", strconv.Itoa(d.Snapshots)},
		{"from", d.Start.String()},
		{"to", d.End.String()},
		{"acquires", strconv.FormatInt(d.Acquires, 10)},
		{"tokens", tokensText(d.Tokens)},
	}}
}

// tokensText is tokens as they are given to --consume.
func tokensText(tokens engine.Tokens) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(tokens)) {
		parts = append(parts, fmt.Sprintf("%s=%d", name, tokens[name]))
	}
	return strings.Join(parts, " ")
}
