package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/oklog/ulid/v2"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/load"
	"github.com/zeroae/zae-limiter-go/engine"
)

// loadSite is where load goes.
type loadSite struct {
	url     string
	store   backend.Backend
	keeps   bool // what is written stays when the command ends
	prefix  string
	paths   [][]string       // entities with their parents
	levels  [][]engine.Limit // of their limits
	consume engine.Tokens
	stored  []string // entities that were made
}

// fan is how many children a parent has.
const fan = 10

// open opens the store for as long as the command runs: what is measured is the store, not opening it.
func (c *loadtestCmd) open(k *kong.Context, app *App) (*loadSite, error) {
	if app.store == nil {
		url, err := app.loadURL(k)
		if err != nil {
			return nil, err
		}
		if app.store, err = app.open(url); err != nil {
			return nil, err
		}
	}
	d, err := app.store.once()
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(app.store.url, " ")
	site := &loadSite{url: name, store: d, keeps: !d.Capabilities().NoIO, prefix: "loadtest-" + ulid.Make().String()}
	site.makePaths(c.Entities, c.Depth)
	return site, nil
}

// loadURL is the store that the command line names, or the file in the environment, or memory.
func (a *App) loadURL(k *kong.Context) (string, error) {
	url, err := a.chosen(a.Getenv)
	named := slices.ContainsFunc(k.Path, func(p *kong.Path) bool {
		return p.Flag != nil && !p.Resolved && slices.Contains([]string{"store", "name", "region", "endpoint-url"}, p.Flag.Name)
	})
	switch {
	case err != nil || named:
		return url, err
	case url == "":
		return "memory:", nil
	case strings.HasPrefix(url, "dynamodb:"):
		return "", usage("load costs money on %s, which the environment selects: name it on the command line, with --name or --store", url)
	}
	return url, nil
}

func (s *loadSite) makePaths(entities, depth int) {
	for i := range entities {
		path := []string{fmt.Sprintf("%s/%d", s.prefix, i+1)}
		for level, of := 1, i/fan; level < depth; level, of = level+1, of/fan {
			path = append(path, fmt.Sprintf("%s/parent-%d-%d", s.prefix, level, of+1))
		}
		s.paths = append(s.paths, path)
	}
}

// anyLimits are for load on a store in memory, where there are none: ten acquires a second.
func (c *loadtestCmd) anyLimits() (limits []limitFlag) {
	for _, amount := range c.Consume {
		limits = append(limits, limitFlag{engine.PerSecond(amount.name, 10*min(max(amount.n, 1), 1e14))})
	}
	if len(limits) == 0 {
		limits = []limitFlag{{engine.PerSecond("rps", 10)}}
	}
	return limits
}

// plan finds the limits that will be in force, and what is taken of them.
func (c *loadtestCmd) plan(ctx context.Context, app *App, site *loadSite, l *engine.Limiter) error {
	limits := limitsOf(c.Limit)
	if len(limits) == 0 {
		x, err := l.Explain(ctx, site.paths[0][0], c.Resource)
		if err != nil {
			return err
		}
		limits = x.Path[0].Limits
		switch {
		case len(limits) == 0 && site.keeps:
			return fmt.Errorf("%w for %s in %s", engine.ErrNoLimits, c.Resource, site.url)
		case len(limits) == 0:
			c.Limit = c.anyLimits()
			limits = limitsOf(c.Limit)
			app.say("no limits are given: each entity has %v; give others with -l", limits)
		}
	}
	for level, times := 0, int64(1); level < c.Depth; level, times = level+1, times*fan {
		site.levels = append(site.levels, slices.Clone(limits))
		for i := range site.levels[level] {
			if of := &site.levels[level][i]; len(c.Limit) > 0 { // what is stored holds for parents as it is
				of.Capacity, of.RefillAmount = of.Capacity*times, of.RefillAmount*times
				if of.Check() != nil {
					return usage("--depth %d: the parents' limits, ten times those of a child, would be above 10^15 tokens", c.Depth)
				}
			}
		}
	}
	var err error
	if site.consume, err = tokensOf(c.Consume); err != nil {
		return err
	}
	if len(c.Consume) == 0 {
		for _, limit := range limits {
			site.consume[limit.Name] = 1
		}
	}
	// Refuses what no acquire would take, before anything is done.
	_, err = l.TimeUntilAvailable(ctx, engine.Request{Entity: site.paths[0][0], Resource: c.Resource, Consume: site.consume, Override: limitsOf(c.Limit)})
	if errors.Is(err, engine.ErrNeverFits) {
		return usage("--consume asks for more than a limit can hold: ask for less, or raise its burst")
	}
	return err
}

// populate stores the entities, where they have parents, from those down.
func (c *loadtestCmd) populate(ctx context.Context, site *loadSite, l *engine.Limiter) error {
	made := map[string]bool{}
	for level := c.Depth - 1; level >= 0 && c.Depth > 1; level-- {
		for _, path := range site.paths {
			e := engine.Entity{ID: path[level]}
			if made[e.ID] {
				continue
			}
			if level+1 < len(path) {
				e.Parent, e.Cascade = path[level+1], true
			}
			made[e.ID] = true
			site.stored = append(site.stored, e.ID)
			if err := l.CreateEntity(ctx, e, nil); err != nil {
				return err
			}
			if level > 0 && len(c.Limit) > 0 {
				if err := l.SetLimits(ctx, e.ID, c.Resource, site.levels[level]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// clean removes what was made, children first.
func (c *loadtestCmd) clean(ctx context.Context, app *App, site *loadSite, l *engine.Limiter, r *load.Report) error {
	if !site.keeps {
		return nil
	}
	for _, entity := range slices.Backward(site.stored) {
		if err := l.DeleteEntity(ctx, entity, nil); err != nil {
			return err
		}
	}
	if r == nil || len(site.stored) > 0 { // with their buckets
		return nil
	}
	return load.Clean(ctx, site.store, app.Namespace, c.Resource, r.Touched)
}
