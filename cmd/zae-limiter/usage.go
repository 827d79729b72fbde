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

// UsageFilter holds the flags that select usage.
type UsageFilter struct {
	EntityID string        `short:"e" placeholder:"ID" help:"Entity. Default: all that used the resource."`
	Resource string        `short:"r" placeholder:"NAME" help:"Resource. Default: all that the entity used."`
	Window   engine.Window `short:"w" default:"hourly" enum:"hourly,daily,monthly" placeholder:"WINDOW" help:"hourly, daily or monthly, if the deployment records it. Default: ${default}."`
	Start    timeFlag      `placeholder:"TIME" help:"First start of a window, in UTC: 2026-03-01, 2026-03-01T14:00, or 24h for 24 hours ago. Default: the oldest."`
	End      timeFlag      `placeholder:"TIME" help:"End: only windows that start before it. Default: the newest."`
}

func (u *UsageFilter) query(now time.Time) (engine.UsageQuery, error) {
	if u.EntityID == "" && u.Resource == "" {
		return engine.UsageQuery{}, usageErrorf("no usage selected: pass --entity-id, --resource or both")
	}
	from, to := u.Start.at(now), u.End.at(now)
	if !from.IsZero() && !to.IsZero() && to.Before(from) {
		return engine.UsageQuery{}, usageErrorf("--end %s is before --start %s: exchange them", moment{to}, moment{from})
	}
	return engine.UsageQuery{Entity: u.EntityID, Resource: u.Resource, Window: u.Window, From: from, To: to}, nil
}

// timeFlag is a time, absolute or as the duration since then.
type timeFlag struct {
	given time.Time
	ago   time.Duration
	isAgo bool
}

// UnmarshalText parses a time, in UTC unless it has a zone, or a duration.
func (f *timeFlag) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.Parse(layout, string(text)); err == nil {
			*f = timeFlag{given: t}
			return nil
		}
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 {
		return usageErrorf("invalid time %q: write 2026-03-01, 2026-03-01T14:00, 2026-03-01T14:00:00Z, or how long ago, for example 24h", text)
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
	UsageFilter
	Limit int    `short:"l" default:"100" placeholder:"N" help:"Maximum number of windows; 0: all. Default: ${default}."`
	After string `placeholder:"POSITION" help:"Start after this position: the value 'next' of the previous list."`
	Plot  bool   `short:"p" help:"Draw a chart of each limit instead, with the sum over all entities or resources in the list."`
	Output
}

// Run lists or draws them.
func (c *usageListCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	q, err := c.query(app.Now())
	if err != nil {
		return err
	}
	if c.Plot && c.Output.Output != formatTable {
		return usageErrorf("--plot cannot be combined with --output %s: leave out one of them", c.Output.Output)
	}
	snapshots, next, err := fetchPages(Paging{c.Limit, c.After}, func(p engine.Page) (engine.UsagePage, error) {
		q.Page = p
		return l.Usage(ctx, q)
	})
	if err != nil {
		return err
	}
	if len(snapshots) == 0 {
		app.explainNoUsage()
	}
	head := []string{"START", "WINDOW", "ENTITY", "RESOURCE", "ACQUIRES", "TOKENS"}
	d := listOf("usage", head, snapshots, next, func(s engine.UsageSnapshot) snapshotDoc {
		return snapshotDoc{s.Entity, s.Resource, s.Window, moment{s.Start}, moment{s.End}, s.Tokens, s.Acquires}
	})
	if c.Plot {
		return app.plot(d)
	}
	return app.print(c.Output.Output, d)
}

// usageSummaryCmd sums snapshots.
type usageSummaryCmd struct {
	UsageFilter
	Output
}

func (c *usageSummaryCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	q, err := c.query(app.Now())
	if err != nil {
		return err
	}
	sum, err := l.UsageSummary(ctx, q)
	if err != nil {
		return err
	}
	if sum.Snapshots == 0 {
		app.explainNoUsage()
	}
	return app.print(c.Output.Output, usageSummaryDoc{
		orNull(q.Entity), orNull(q.Resource), q.Window, sum.Snapshots, moment{sum.Start}, moment{sum.End}, sum.Total, sum.Acquires,
	})
}

// snapshotDoc describes the usage in one window.
type snapshotDoc struct {
	Entity   string        `json:"entity_id"`
	Resource string        `json:"resource"`
	Window   engine.Window `json:"window"`
	Start    moment        `json:"start"`
	End      moment        `json:"end"`
	Tokens   engine.Tokens `json:"tokens"`
	Acquires int64         `json:"acquires"`
}

func (d snapshotDoc) cells() []string {
	return []string{d.Start.String(), string(d.Window), d.Entity, d.Resource, strconv.FormatInt(d.Acquires, 10), tokensText(d.Tokens)}
}

// usageSummaryDoc describes a sum of snapshots.
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
		{"entity", deref(d.Entity)},
		{"resource", deref(d.Resource)},
		{"window", string(d.Window)},
		{"snapshots", strconv.Itoa(d.Snapshots)},
		{"from", d.Start.String()},
		{"to", d.End.String()},
		{"acquires", strconv.FormatInt(d.Acquires, 10)},
		{"tokens", tokensText(d.Tokens)},
	}}
}

// tokensText returns tokens in the syntax of --consume.
func tokensText(tokens engine.Tokens) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(tokens)) {
		parts = append(parts, fmt.Sprintf("%s=%d", name, tokens[name]))
	}
	return strings.Join(parts, " ")
}
